// What the tests of state resolution share.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/core/literal_resolution.h"
#include "tests/core/people.h"

namespace skerry::test {

using Tip = RoomBuilder::Tip;

inline std::string levels(const RoomBuilder& room, Json users, Json more = Json::object()) {
  if (!room.rules().creators_are_privileged) users[room.creator().str()] = 100;
  more["users"] = std::move(users);
  return dump(more);
}

// A public room where anybody may set the topic; bob has power 50.
inline Tip room_with_bob(RoomBuilder& room, Json more_levels = {{"events", {{"m.room.topic", 0}}}}) {
  Tip tip = room.created();
  room.state(tip, alice, "m.room.power_levels", levels(room, {{bob.str(), 50}}, std::move(more_levels)));
  room.join(tip, bob);
  room.state(tip, alice, "m.room.topic", R"({"topic":"old"})");
  return tip;
}

inline EventPtr topic(RoomBuilder& room, Tip& tip, const UserId& sender, std::string_view text) {
  return room.state(tip, sender, "m.room.topic", dump({{"topic", text}}));
}

// The resolution: the same whatever the order of the forks, and what the words of the specification give.
inline StateMap resolve(const RoomBuilder& room, std::vector<StateMap> forks) {
  std::sort(forks.begin(), forks.end());
  std::optional<StateMap> first;
  do {
    std::vector<StatePtr> states;
    for (const StateMap& fork : forks) states.push_back(std::make_shared<const StateMap>(fork));
    auto resolved = resolve_state(room.rules(), states, room.lookup(), room.is_rejected());
    REQUIRE(std::holds_alternative<StateMap>(resolved));
    if (!first) first = std::get<StateMap>(resolved);
    CHECK(std::get<StateMap>(resolved) == *first);
  } while (std::next_permutation(forks.begin(), forks.end()));
  CHECK(*first == resolve_literally(room, forks));
  return *first;
}

inline EventId id_in(const StateMap& state, std::string_view type, std::string_view key = "") {
  const auto entry = state.find({std::string(type), std::string(key)});
  return entry == state.end() ? EventId{} : entry->second;
}

}  // namespace skerry::test
