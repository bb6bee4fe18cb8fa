// What holds for the resolution of any history, tried on many.
#include <algorithm>

#include <catch2/catch.hpp>
#include <rapidcheck/catch.h>

#include "core/state_forks.h"
#include "tests/core/literal_resolution.h"
#include "tests/core/random_history.h"

namespace skerry::test {
namespace {

using States = std::vector<StateMap>;

// One version of each algorithm, format of events and kind of power levels.
const char* const versions[] = {"1", "2", "3", "6", "10", "11", "12"};

States random_states(RoomBuilder& room) {
  States states;
  for (RoomBuilder::Tip& fork : random_forks(room)) states.push_back(std::move(fork.state));
  return states;
}

StateMap resolve(const RoomBuilder& room, const States& states) {
  std::vector<StatePtr> forks;
  for (const StateMap& state : states) forks.push_back(std::make_shared<const StateMap>(state));
  return std::get<StateMap>(resolve_state(room.rules(), forks, room.lookup(), room.is_rejected()));
}

TEST_CASE("the resolution of any history is what the words of the specification give") {
  for (const char* version : versions) {
    rc::prop("literal", [version] {
      RoomBuilder room(version);
      const States states = random_states(room);
      RC_ASSERT(resolve(room, states) == resolve_literally(room, states));
    });
  }
}

TEST_CASE("an index of citations changes nothing in the resolution of any history") {
  for (const char* version : versions) {
    rc::prop("index", [version] {
      RoomBuilder room(version);
      const States states = random_states(room);
      std::vector<StatePtr> forks;
      for (const StateMap& state : states) forks.push_back(std::make_shared<const StateMap>(state));
      ResolutionTrace with, without;
      const auto resolved = resolve_state(room.rules(), forks, room.lookup(), room.is_rejected(), &with, room.index());
      RC_ASSERT(std::get<StateMap>(resolved) ==
                std::get<StateMap>(resolve_state(room.rules(), forks, room.lookup(), room.is_rejected(), &without)));
      RC_ASSERT(with.auth_difference == without.auth_difference);
      RC_ASSERT(with.subgraph == without.subgraph);
    });
  }
}

TEST_CASE("forks that are told as what differs from others resolve as whole ones do") {
  for (const char* version : versions) {
    rc::prop("forks", [version] {
      RoomBuilder room(version);
      const States states = random_states(room);
      // On one base, or by turns on two.
      std::vector<StatePtr> bases{std::make_shared<const StateMap>(states.back())};
      if (*rc::gen::arbitrary<bool>()) bases.push_back(std::make_shared<const StateMap>(states.front()));
      std::vector<StateFork> forks;
      for (std::size_t i = 0; i < states.size(); ++i) {
        const StatePtr& base = bases[i % bases.size()];
        StateChanges changes;
        for (const auto& [key, id] : *base) {
          if (!states[i].contains(key)) changes.emplace_back(key, EventId());
        }
        for (const auto& [key, id] : states[i]) {
          const auto there = base->find(key);
          if (there == base->end() || there->second != id) changes.emplace_back(key, id);
        }
        forks.push_back({base, std::make_shared<const StateChanges>(std::move(changes))});
        RC_ASSERT(*whole(forks.back()) == states[i]);
      }
      const auto conflicts = resolve_conflicts(room.rules(), forks, room.lookup(), room.is_rejected());
      const auto& found = std::get<StateMap>(conflicts);
      for (const StateMap& state : states) {
        StateMap resolved = state;
        apply_changes({found.begin(), found.end()}, resolved);
        RC_ASSERT(resolved == resolve(room, states));
      }
    });
  }
}

TEST_CASE("the resolution of any history does not depend on the order of its forks") {
  for (const char* version : versions) {
    rc::prop("order", [version] {
      RoomBuilder room(version);
      States states = random_states(room);
      const StateMap resolved = resolve(room, states);
      std::rotate(states.begin(), states.begin() + 1, states.end());
      RC_ASSERT(resolve(room, states) == resolved);
      std::swap(states[0], states[1]);
      RC_ASSERT(resolve(room, states) == resolved);
    });
  }
}

TEST_CASE("resolving what is resolved or what comes twice changes nothing") {
  for (const char* version : versions) {
    rc::prop("idempotent", [version] {
      RoomBuilder room(version);
      States states = random_states(room);
      const StateMap resolved = resolve(room, states);
      RC_ASSERT(resolve(room, {resolved, resolved}) == resolved);
      const States twice = states;
      states.insert(states.end(), twice.begin(), twice.end());
      RC_ASSERT(resolve(room, states) == resolved);
    });
  }
}

TEST_CASE("the resolution of any history keeps what the forks agree on") {
  for (const char* version : versions) {
    rc::prop("agreement", [version] {
      RoomBuilder room(version);
      const States states = random_states(room);
      const StateMap resolved = resolve(room, states);
      for (const auto& entry : states[0]) {
        const auto agrees = [&](const StateMap& fork) {
          const auto other = fork.find(entry.first);
          return other != fork.end() && other->second == entry.second;
        };
        if (std::all_of(states.begin(), states.end(), agrees)) RC_ASSERT(resolved.at(entry.first) == entry.second);
      }
    });
  }
}

}  // namespace
}  // namespace skerry::test
