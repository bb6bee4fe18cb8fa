// What a resolution costs in a room that is large and old: how many events it looks at.
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
  double ms = 0;
};

Cost cost_of(const RoomBuilder& room, const std::vector<StateMap>& states) {
  std::vector<StatePtr> forks;
  for (const StateMap& state : states) forks.push_back(std::make_shared<const StateMap>(state));
  std::set<EventId> seen;
  const EventLookup counting = [&](const EventId& id) {
    seen.insert(id);
    return room.find(id);
  };
  const auto begin = std::chrono::steady_clock::now();
  const auto resolved = resolve_state(room.rules(), forks, counting, room.is_rejected());
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  CHECK(std::holds_alternative<StateMap>(resolved));
  return {seen.size(), took.count()};
}

TEST_CASE("the cost of a resolution", "[.cost]") {
  for (const int members : {100, 1'000, 10'000}) {
    RoomBuilder room("11");
    const Tip tip = large_room(room, members);
    Tip left = tip;
    Tip right = tip;
    topic(room, left, alice, "left");
    topic(room, right, bob, "right");
    const Cost topics = cost_of(room, {left.state, right.state});
    room.join(left, dave);
    room.member(left, dave, dave, "join");
    const Cost rename = cost_of(room, {left.state, right.state});
    const Cost stale = [&] {
      RoomBuilder::Tip behind = right;
      behind.state[{"m.room.member", "@u1:crowd.test"}] =
          room.member(behind, alice, user("@u1:crowd.test"), "leave")->id();
      return cost_of(room, {left.state, behind.state});
    }();
    std::cout << members << " members: topics " << topics.lookups << " events " << topics.ms << " ms, a rename "
              << rename.lookups << " events " << rename.ms << " ms, a kick besides " << stale.lookups << " events "
              << stale.ms << " ms\n";
  }
}

}  // namespace
}  // namespace skerry::test
