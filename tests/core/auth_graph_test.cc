// Walks over random graphs of auth_events against their definitions, with an index of citations and without.
#include "core/auth_graph.h"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <rapidcheck/catch.h>

#include "tests/support/room_builder.h"

namespace skerry::test {
namespace {

using resolution::AuthGraph;
using resolution::EventIds;

const UserId alice = user("@alice:alpha.test");
const CitingLookup no_index;

// State events, each of which cites a few of those before it: near ones or any.
std::vector<EventId> random_graph(RoomBuilder& room) {
  const RoomBuilder::Tip tip = room.at_create();
  std::vector<EventId> ids{room.create()->id()};
  const int size = *rc::gen::inRange(2, 40);
  const bool is_near = *rc::gen::arbitrary<bool>();
  for (int i = 1; i < size; ++i) {
    Json cited = Json::array();
    for (int left = *rc::gen::inRange(1, 4); left > 0; --left) {
      const int first = is_near ? std::max(0, i - 4) : 0;
      cited.push_back(ids[static_cast<std::size_t>(*rc::gen::inRange(first, i))].str());
    }
    const Draft draft{alice, "m.room.topic", std::to_string(i), "{}", 0, {{"auth_events", cited.dump()}}};
    ids.push_back(room.make(tip, draft)->id());
  }
  return ids;
}

EventIds random_part(const std::vector<EventId>& ids, std::size_t most) {
  EventIds part;
  for (auto left = *rc::gen::inRange<std::size_t>(0, most + 1); left > 0; --left) {
    part.insert(ids[*rc::gen::inRange<std::size_t>(0, ids.size())]);
  }
  return part;
}

// An event and its auth chain.
EventIds chain(const RoomBuilder& room, const EventId& id) {
  EventIds all{id};
  for (const EventId& cited : room.find(id)->auth_events()) all.merge(chain(room, cited));
  return all;
}

EventIds chains(const RoomBuilder& room, const EventIds& ids) {
  EventIds all;
  for (const EventId& id : ids) all.merge(chain(room, id));
  return all;
}

TEST_CASE("the auth difference of any graph is what some forks' chains have and others have not") {
  rc::prop("difference", [] {
    RoomBuilder room("11");
    const std::vector<EventId> ids = random_graph(room);
    const EventIds common = random_part(ids, 4);
    std::vector<EventIds> differing(*rc::gen::inRange<std::size_t>(2, 4));
    EventIds conflicted;
    for (EventIds& fork : differing) {
      fork = random_part(ids, 3);
      for (const EventId& id : common) fork.erase(id);
      conflicted.insert(fork.begin(), fork.end());
    }
    EventIds expected;
    for (const EventId& id : ids) {
      const auto has = [&](const EventIds& fork) { return chains(room, fork).contains(id); };
      const bool is_in_all = has(common) || std::all_of(differing.begin(), differing.end(), has);
      const bool is_in_some = std::any_of(differing.begin(), differing.end(), has);
      if (is_in_some && !is_in_all && !conflicted.contains(id)) expected.insert(id);
    }
    const EventLookup lookup = room.lookup();
    const CitingLookup index = room.index();
    // Of a large state each event is looked up, of a small one there is a list.
    StateMap base;
    for (int i = *rc::gen::element(0, 400, 2'000); i > 0; --i) {
      base.emplace(StateKey{"more", std::to_string(i)}, EventId::parse("$more" + std::to_string(i)).value());
    }
    std::map<StateKey, std::optional<EventId>> others;
    for (const EventId& id : ids) {
      const EventPtr event = room.find(id);
      const StateKey key{event->type(), *event->state_key()};
      if (*rc::gen::arbitrary<bool>()) others[key] = common.contains(id) ? std::optional(id) : std::nullopt;
      if (common.contains(id) || others.contains(key)) base.emplace(key, id);
    }
    for (const CitingLookup& citing : {no_index, index}) {
      AuthGraph graph(lookup, citing);
      resolution::Unconflicted unconflicted(base, others);
      RC_ASSERT(auth_difference(graph, unconflicted, differing) == expected);
    }
  });
}

TEST_CASE("what all of many forks reach is no auth difference") {
  RoomBuilder room("11");
  int made = 0;
  const auto citing = [&](const std::vector<EventId>& ids) {
    Json cited = Json::array();
    for (const EventId& id : ids) cited.push_back(id.str());
    const Draft draft{alice, "m.room.topic", std::to_string(++made), "{}", 0, {{"auth_events", cited.dump()}}};
    return room.make(room.at_create(), draft)->id();
  };
  const EventId of_all = citing({room.create()->id()});
  const EventId of_last = citing({room.create()->id()});
  std::vector<EventIds> differing(99);
  for (EventIds& fork : differing) fork.insert(citing({of_all}));
  differing.push_back({citing({of_all, of_last})});
  const StateMap base{{StateKey{"m.room.create", ""}, room.create()->id()}};
  const EventLookup lookup = room.lookup();
  AuthGraph graph(lookup, no_index);
  resolution::Unconflicted unconflicted(base, {});
  CHECK(auth_difference(graph, unconflicted, differing) == EventIds{of_last});
}

TEST_CASE("the conflicted subgraph of any graph is all that lies between conflicted events") {
  rc::prop("subgraph", [] {
    RoomBuilder room("12");
    const std::vector<EventId> ids = random_graph(room);
    const EventIds conflicted = random_part(ids, 5);
    const EventIds below = chains(room, conflicted);
    EventIds expected;
    for (const EventId& id : ids) {
      const EventIds behind = chain(room, id);
      const bool is_above =
          std::any_of(conflicted.begin(), conflicted.end(), [&](const EventId& one) { return behind.contains(one); });
      if (is_above && below.contains(id)) expected.insert(id);
    }
    const EventLookup lookup = room.lookup();
    const CitingLookup index = room.index();
    AuthGraph walked(lookup, no_index);
    RC_ASSERT(conflicted_subgraph(walked, conflicted) == expected);
    AuthGraph asked(lookup, index);
    RC_ASSERT(conflicted_subgraph(asked, conflicted) == expected);
  });
}

}  // namespace
}  // namespace skerry::test
