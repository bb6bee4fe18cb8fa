#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/storage/stores.h"
#include "tests/support/processes.h"

namespace skerry::test {

using storage::StreamPosition;

TEST_CASE("positions go on behind all that were given when the database is opened again") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  StreamPosition last = 0;
  for (int round = 0; round < 3; ++round) {
    const StreamPosition event = room.message(room.builder.creator());
    CHECK(event > last);
    const StreamPosition typing = stores.stream().next_ephemeral();
    CHECK(typing > event);
    CHECK(stores.stream().current() >= typing);
    last = typing;
    stores.reopen();
    CHECK(stores.stream().current() >= last);
  }
}

TEST_CASE("positions for what lives in memory do not end with the reserved block") {
  Stores stores;
  stores.open();
  StreamPosition last = stores.stream().current();
  for (int i = 0; i < 25'000; ++i) {
    const StreamPosition next = stores.stream().next_ephemeral();
    REQUIRE(next > last);
    last = next;
  }
  stores.reopen();
  CHECK(stores.stream().next_ephemeral() > last);
}

TEST_CASE("a commit may begin in one reserved block and end in the next") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  std::vector<storage::EventCommit> commits;
  for (int i = 0; i < 40; ++i) commits.push_back(room.next_message(room.builder.creator()));
  // Few enough are left of the block that the database was opened with.
  const StreamPosition near_the_end = stores.stream().current() + 9'970;
  while (stores.stream().next_ephemeral() < near_the_end) {
  }
  const auto last = commit_all(stores.rooms(), commits);
  REQUIRE(last);
  CHECK(*last == near_the_end + 40);
  CHECK(stores.stream().current() == *last);
  stores.reopen();
  CHECK(stores.stream().next_ephemeral() > *last);
}

TEST_CASE("the stream advances in order and only to what can be read") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  std::mutex mutex;
  std::vector<StreamPosition> told;
  stores.stream().on_advance([&](StreamPosition position) {
    std::scoped_lock lock(mutex);
    told.push_back(position);
  });
  std::thread typist([&] {
    for (int i = 0; i < 2'000; ++i) stores.stream().next_ephemeral();
  });
  for (int i = 0; i < 50; ++i) {
    const StreamPosition position = room.message(room.builder.creator());
    // The typist may still hold a smaller one.
    CHECK(eventually([&] { return stores.stream().current() >= position; }));
    const auto page = stores.rooms().live_events(room.id(), position - 1, position, 10, false);
    REQUIRE(page);
    CHECK(page->events.size() == 1);
  }
  typist.join();
  const StreamPosition last = stores.stream().next_ephemeral();
  std::scoped_lock lock(mutex);
  REQUIRE_FALSE(told.empty());
  CHECK(std::adjacent_find(told.begin(), told.end(), std::greater_equal<>()) == told.end());
  CHECK(told.back() == last);
}

TEST_CASE("a position is not visible while a smaller one is still being written") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  std::atomic<StreamPosition> seen_by_done{0};
  std::atomic<StreamPosition> current_then{0};
  std::thread typist([&] {
    for (int i = 0; i < 500; ++i) stores.stream().next_ephemeral();
  });
  for (int i = 0; i < 100; ++i) {
    BusyWriter busy(stores.rooms());
    const StreamPosition before = stores.stream().current();
    stores.rooms().commit(room.next_message(room.builder.creator()), [&](const Result<StreamPosition>& result) {
      current_then = stores.stream().current();
      seen_by_done = result.value_or(0);
    });
    const StreamPosition ephemeral = stores.stream().next_ephemeral();
    CHECK(ephemeral > before);
    busy.release();
    REQUIRE(commit_all(stores.rooms(), {}));
    CHECK(seen_by_done > 0);
    // What is answered is visible already.
    CHECK(current_then >= seen_by_done);
  }
  typist.join();
}

TEST_CASE("a receipt replaces the one before it of the same user and thread") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const UserId alice = user("@alice:alpha.test"), bob = user("@bob:bravo.test");
  const auto receipt = [&](const UserId& who, const std::string& thread, const std::string& event) {
    return stores.stream().put_receipt({room.id(), who, "m.read", thread, event_id(event), 17, 0});
  };
  const auto first = receipt(alice, "", "$one");
  REQUIRE(first);
  REQUIRE(receipt(alice, "main", "$two"));
  REQUIRE(receipt(bob, "", "$one"));
  const auto last = receipt(alice, "", "$three");
  REQUIRE(last);
  const auto all = stores.stream().receipts(room.id(), 0, *last);
  REQUIRE(all);
  REQUIRE(all->size() == 3);
  CHECK(all->back().event.str() == "$three");
  CHECK(all->back().user == alice);
  CHECK(all->back().thread_id.empty());
  CHECK(all->back().ts_ms == 17);
  CHECK(all->back().position == *last);
  CHECK(stores.stream().receipts(room.id(), *first, *last - 1)->size() == 2);
  CHECK(stores.stream().receipts(room.id(), *last, *last + 10)->empty());
  const auto own = stores.stream().receipts_of(room.id(), alice);
  REQUIRE(own);
  CHECK(own->size() == 2);
  for (const storage::Receipt& one : *own) CHECK(one.user == alice);
}

TEST_CASE("rooms that changed between two positions are told; what is long ago is not") {
  Stores stores;
  stores.open();
  LiveRoom one(stores);
  one.found();
  LiveRoom other(stores, "12", user("@bob:alpha.test"));
  other.found();
  const StreamPosition start = stores.stream().current();
  CHECK(stores.stream().changed_rooms(start, start) == std::vector<RoomId>{});
  const StreamPosition first = one.message(one.builder.creator());
  const StreamPosition second = one.message(one.builder.creator());
  CHECK(stores.stream().changed_rooms(start, second) == std::vector<RoomId>{one.id()});
  const auto receipt = stores.stream().put_receipt({other.id(), other.builder.creator(), "m.read", "", {}, 1, 0});
  REQUIRE(receipt);
  CHECK(stores.stream().changed_rooms(second, *receipt) == std::vector<RoomId>{other.id()});
  CHECK(stores.stream().changed_rooms(first, *receipt)->size() == 2);
  CHECK(stores.stream().changed_rooms(first, second) == std::vector<RoomId>{one.id()});

  std::vector<storage::EventCommit> many;
  for (int i = 0; i < 5'000; ++i) many.push_back(other.next_message(other.builder.creator()));
  REQUIRE(commit_all(stores.rooms(), std::move(many)));
  const StreamPosition last = stores.stream().current();
  CHECK_FALSE(stores.stream().changed_rooms(start, last));
  CHECK(stores.stream().changed_rooms(last - 10, last) == std::vector<RoomId>{other.id()});

  stores.reopen();
  CHECK_FALSE(stores.stream().changed_rooms(last - 10, stores.stream().current()));
  const StreamPosition now = stores.stream().current();
  CHECK(stores.stream().changed_rooms(now, now) == std::vector<RoomId>{});
}

}  // namespace skerry::test
