#include <random>

#include <catch2/catch.hpp>

#include "tests/storage/stores.h"

namespace skerry::test {

using storage::StateId;

namespace {

using Changes = std::vector<std::pair<StateKey, EventId>>;

const RoomId room_id = RoomId::parse("!room:alpha.test").value();

StateKey key_number(unsigned number) {
  const char* types[] = {"m.room.member", "m.room.topic", "org.example.thing"};
  return {types[number % 3], number < 5 ? "" : "@user" + std::to_string(number) + ":alpha.test"};
}

StateMap whole(Stores& stores, StateId id) {
  const auto state = stores.rooms().state(id);
  if (!state) FAIL(state.error().text);
  return **state;
}

StateId make(Stores& stores, StateId base, const Changes& changes) {
  const auto made = stores.rooms().make_state(room_id, base, changes);
  if (!made) FAIL(made.error().text);
  return *made;
}

}  // namespace

TEST_CASE("states made in every way are what a plain map would be") {
  Stores stores;
  stores.open();
  const unsigned seed = GENERATE(1u, 2u, 3u);
  std::mt19937 random(seed);
  INFO("seed " << seed);
  const auto below = [&](std::size_t bound) { return static_cast<unsigned>(random() % bound); };
  std::vector<std::pair<StateId, StateMap>> made{{0, {}}};
  const auto check = [&](const std::pair<StateId, StateMap>& one) {
    if (below(2) == 0) {
      REQUIRE(whole(stores, one.first) == one.second);
      return;
    }
    const StateKey key = key_number(below(60));
    const auto found = one.second.find(key);
    const auto event = stores.rooms().state_event(one.first, key);
    REQUIRE(event);
    REQUIRE(*event == (found == one.second.end() ? std::nullopt : std::optional(found->second)));
  };
  for (int step = 0; step < 1'500; ++step) {
    // Mostly a state goes on from the newest, as a room does; at times a fork from any.
    const auto [base, before] = below(10) == 0 ? made[below(made.size())] : made.back();
    StateMap after = before;
    if (below(100) == 0) {
      for (unsigned i = 0; i < 40; ++i) after[key_number(below(60))] = event_id("$s" + std::to_string(step));
      made.emplace_back(stores.rooms().store_state(room_id, after).value(), after);
    } else {
      Changes changes;
      for (unsigned i = 0; i <= (below(4) == 0 ? below(4) : 0); ++i) {
        const StateKey key = key_number(below(60));
        const bool removes = below(8) == 0;
        changes.emplace_back(key,
                             removes ? EventId() : event_id("$e" + std::to_string(step) + "-" + std::to_string(i)));
        if (removes) {
          after.erase(key);
        } else {
          after[key] = changes.back().second;
        }
      }
      made.emplace_back(make(stores, base, changes), after);
    }
    check(made.back());
    check(made[below(made.size())]);
    if (step % 500 == 499) stores.reopen();
  }
  stores.reopen();
  for (const auto& [id, state] : made) REQUIRE(whole(stores, id) == state);
}

TEST_CASE("a state is known before it is written") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  StateMap expected = whole(stores, room.state);
  BusyWriter busy(stores.rooms());
  StateId id = room.state;
  for (int i = 0; i < 100; ++i) {
    const StateKey key{"m.room.member", "@u" + std::to_string(i) + ":alpha.test"};
    expected[key] = event_id("$" + std::to_string(i));
    id = make(stores, id, {{key, expected[key]}});
    CHECK(stores.rooms().state_event(id, key).value() == expected[key]);
  }
  CHECK(whole(stores, id) == expected);
  const auto created = stores.rooms().state_event(id, {"m.room.create", ""});
  CHECK(created.value() == room.builder.create()->id());
  busy.release();
  stores.reopen();
  CHECK(whole(stores, id) == expected);
}

TEST_CASE("a state that changes nothing is the state it was made from") {
  Stores stores;
  stores.open();
  CHECK(stores.rooms().store_state(room_id, {}).value() == 0);
  CHECK(make(stores, 0, {}) == 0);
  CHECK(make(stores, 0, {{{"a", ""}, EventId()}}) == 0);
  CHECK(whole(stores, 0).empty());
  const StateId one = make(stores, 0, {{{"a", ""}, event_id("$a")}});
  CHECK(make(stores, one, {}) == one);
  CHECK(whole(stores, make(stores, one, {{{"a", ""}, EventId()}})).empty());
}

TEST_CASE("an accepted state event without a state after it gets one") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const StateId before = room.state;
  storage::EventCommit topic = room.next_state(room.builder.creator(), "m.room.topic", "{}");
  topic.state_after.reset();
  topic.current_state.reset();
  REQUIRE(commit(stores.rooms(), topic));
  const auto stored = stores.rooms().event(topic.event->id());
  REQUIRE(*stored);
  StateMap expected = whole(stores, before);
  expected[{"m.room.topic", ""}] = topic.event->id();
  CHECK(whole(stores, (*stored)->state_after) == expected);
  CHECK(stores.rooms().head(room.id())->value().current_state == (*stored)->state_after);
}

TEST_CASE("unknown states are an error and not an empty room") {
  Stores stores;
  stores.open();
  CHECK(stores.rooms().state(77).error().code == ErrorCode::storage);
  CHECK(stores.rooms().state_event(77, {"a", ""}).error().code == ErrorCode::storage);
  CHECK(stores.rooms().make_state(room_id, 77, {{{"a", ""}, event_id("$a")}}).error().code == ErrorCode::storage);
}

}  // namespace skerry::test
