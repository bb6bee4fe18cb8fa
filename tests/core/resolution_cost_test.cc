// What a resolution costs in a room that is large and old: how many events it looks at, and how often it asks who cites
// one.
#include <chrono>
#include <iostream>

#include "tests/core/resolution_cases.h"

namespace skerry::test {
namespace {

// A room of that many members, who came while alice changed the power levels fifty times.
Tip large_room(RoomBuilder& room, int members) {
  Tip tip = room_with_bob(room);
  for (int i = 0; i < members; ++i) {
    if (i % std::max(1, members / 50) == 0) {
      room.state(tip, alice, "m.room.power_levels", levels(room, {{bob.str(), 50}}, {{"kick", 50 - i % 2}}));
    }
    room.join(tip, user("@u" + std::to_string(i) + ":crowd.test"));
  }
  return tip;
}

struct Cost {
  std::size_t lookups = 0;
  std::size_t pages = 0;
  double ms = 0;
};

Cost cost_of(const RoomBuilder& room, const std::vector<StateMap>& states) {
  std::vector<StatePtr> forks;
  for (const StateMap& state : states) forks.push_back(std::make_shared<const StateMap>(state));
  std::set<EventId> seen;
  std::size_t pages = 0;
  const EventLookup counting = [&](const EventId& id) {
    seen.insert(id);
    return room.find(id);
  };
  const CitingLookup index = [&pages, all = room.index()](const EventId& id, std::int64_t from) {
    ++pages;
    return all(id, from);
  };
  const auto begin = std::chrono::steady_clock::now();
  const auto resolved = resolve_state(room.rules(), forks, counting, room.is_rejected(), nullptr, index);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  CHECK(std::holds_alternative<StateMap>(resolved));
  return {seen.size(), pages, took.count()};
}

// The room forked by two topics, a rename in one fork and a kick in the other.
struct Costs {
  Cost topics, rename, kick;
};

Costs costs_in_room_of(std::string_view version, int members) {
  RoomBuilder room(version);
  const Tip tip = large_room(room, members);
  Tip left = tip;
  Tip right = tip;
  topic(room, left, alice, "left");
  topic(room, right, bob, "right");
  Costs costs;
  costs.topics = cost_of(room, {left.state, right.state});
  room.member(left, user("@u7:crowd.test"), user("@u7:crowd.test"), "join");
  costs.rename = cost_of(room, {left.state, right.state});
  room.member(right, alice, user("@u1:crowd.test"), "leave");
  costs.kick = cost_of(room, {left.state, right.state});
  return costs;
}

TEST_CASE("a resolution looks at no more events for there being more members") {
  for (const char* version : {"11", "12"}) {
    CAPTURE(version);
    const Costs small = costs_in_room_of(version, 50);
    const Costs large = costs_in_room_of(version, 500);
    const auto work = [](const Cost& cost) { return cost.lookups + cost.pages; };
    CHECK(work(large.topics) <= work(small.topics) + 10);
    CHECK(work(large.rename) <= work(small.rename) + 10);
    CHECK(work(large.kick) <= work(small.kick) + 10);
  }
}

TEST_CASE("the cost of a resolution", "[.cost]") {
  for (const char* version : {"11", "12"}) {
    for (const int members : {100, 1'000, 10'000}) {
      const Costs costs = costs_in_room_of(version, members);
      const auto told = [](const Cost& cost) {
        return std::to_string(cost.lookups) + " events, " + std::to_string(cost.pages) + " questions, " +
               std::to_string(cost.ms) + " ms";
      };
      std::cout << "version " << version << ", " << members << " members: topics " << told(costs.topics)
                << "; a rename " << told(costs.rename) << "; a kick besides " << told(costs.kick) << "\n";
    }
  }
}

}  // namespace
}  // namespace skerry::test
