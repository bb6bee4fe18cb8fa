#include <atomic>

#include <catch2/catch.hpp>

#include "tests/storage/stores.h"

namespace skerry::test {

using storage::EventCommit;
using storage::StreamPosition;

namespace {

const UserId alice = user("@alice:alpha.test");
const UserId bob = user("@bob:bravo.test");
const UserId carol = user("@carol:charlie.test");
const ServerName bravo = server("bravo.test");
const ServerName charlie = server("charlie.test");

std::vector<std::string> owed(Stores& stores, const ServerName& to) {
  const auto destination = stores.federation().destination(to);
  REQUIRE(destination);
  const auto events = stores.federation().owed_events(to, destination->sent_up_to, 100);
  REQUIRE(events);
  std::vector<std::string> ids;
  StreamPosition last = destination->sent_up_to;
  for (const auto& event : *events) {
    CHECK(event.position > last);
    last = event.position;
    ids.push_back(event.event.str());
  }
  return ids;
}

std::vector<std::string> owing(Stores& stores) {
  const auto servers = stores.federation().servers_owed();
  REQUIRE(servers);
  std::vector<std::string> names;
  for (const ServerName& name : *servers) names.push_back(name.str());
  return names;
}

std::string sent(LiveRoom& room) { return room.tip.heads.front().str(); }

// A join through this server, which hands it on to the others.
void join_through_us(Stores& stores, LiveRoom& room, const UserId& who) {
  EventCommit join = room.next_member(who, who, "join");
  join.distribute = true;
  REQUIRE(commit(stores.rooms(), join));
}

// Written by the time that the store is closed.
void keep_answer(Stores& stores, const ServerName& origin, const std::string& transaction, const std::string& answer) {
  stores.federation().save_transaction_response(origin, transaction, answer, [](const Result<void>&) {});
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("a server that is not in the room is owed the answer to its user's knock or invitation, and no more") {
  const std::string asked = GENERATE("knock", "invite");
  const std::string answer = GENERATE("leave", "ban");
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  room.message(alice, "before");
  room.member(asked == "knock" ? bob : alice, bob, asked);
  room.message(alice, "between");
  EventCommit end = room.next_member(alice, bob, answer);
  end.distribute = true;
  REQUIRE(commit(stores.rooms(), end));
  const Ids expected{sent(room)};
  CHECK(owed(stores, bravo) == expected);
  CHECK(owing(stores) == Ids{"bravo.test"});
  room.message(alice, "after");
  CHECK(owed(stores, bravo) == expected);
  CHECK(stores.rooms().joined_servers(room.id())->size() <= 1);
  // Nobody asked about carol.
  EventCommit ban = room.next_member(alice, carol, "ban");
  ban.distribute = true;
  REQUIRE(commit(stores.rooms(), ban));
  CHECK(owed(stores, charlie).empty());
}

TEST_CASE("a server is owed what was sent while it was in the room and no more") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  room.message(alice, "before bravo");
  join_through_us(stores, room, bob);
  CHECK(owed(stores, bravo).empty());  // its own join comes back to nobody
  CHECK(owing(stores).empty());
  Ids expected;
  room.message(alice, "one");
  expected.push_back(sent(room));
  room.message(bob, "of another server: not ours to hand on");
  join_through_us(stores, room, carol);
  expected.push_back(sent(room));
  CHECK(owed(stores, bravo) == expected);
  CHECK(owed(stores, charlie).empty());
  CHECK(owing(stores) == Ids{"bravo.test"});

  room.member(alice, bob, "leave");  // the kick is still for bravo
  expected.push_back(sent(room));
  room.message(alice, "after bravo");
  const std::string after = sent(room);
  stores.reopen();
  CHECK(owed(stores, bravo) == expected);
  CHECK(owed(stores, charlie) == Ids{expected.back(), after});
  CHECK(owing(stores) == Ids{"bravo.test", "charlie.test"});

  join_through_us(stores, room, bob);
  room.message(alice, "again");
  expected.push_back(sent(room));
  CHECK(owed(stores, bravo) == expected);
}

TEST_CASE("a server that joins late is not sent old history") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  for (int i = 0; i < 5; ++i) room.message(alice);
  const StreamPosition before = stores.stream().current();
  join_through_us(stores, room, bob);
  CHECK(stores.federation().destination(bravo)->sent_up_to == before);
  REQUIRE(stores.federation().save_retry(bravo, 1, 1));
  CHECK(stores.federation().destination(bravo)->sent_up_to == before);
}

TEST_CASE("the cursor moves on what was acknowledged and ends a failing time") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  join_through_us(stores, room, bob);
  const StreamPosition one = room.message(alice), two = room.message(alice);
  REQUIRE(stores.federation().save_retry(bravo, 5'000, 1'000));
  stores.reopen();
  auto destination = stores.federation().destination(bravo);
  CHECK(destination->retry_at_ms == 5'000);
  CHECK(destination->backoff_ms == 1'000);
  CHECK(owed(stores, bravo).size() == 2);
  REQUIRE(save_cursor(stores, bravo, one));
  CHECK(owed(stores, bravo) == Ids{sent(room)});
  CHECK(owing(stores) == Ids{"bravo.test"});
  REQUIRE(save_cursor(stores, bravo, two));
  REQUIRE(save_cursor(stores, bravo, one));  // never back
  stores.reopen();
  destination = stores.federation().destination(bravo);
  CHECK(destination->sent_up_to == two);
  CHECK(destination->retry_at_ms == 0);
  CHECK(owed(stores, bravo).empty());
  CHECK(owing(stores).empty());
}

TEST_CASE("what is owed comes oldest first over all rooms and in pages") {
  Stores stores;
  stores.open();
  LiveRoom room(stores, "11"), other(stores, "12", user("@zoe:alpha.test"));
  room.found();
  other.found();
  join_through_us(stores, room, bob);
  join_through_us(stores, other, bob);
  std::vector<std::pair<StreamPosition, RoomId>> expected;
  for (int i = 0; i < 6; ++i) {
    LiveRoom& in = i % 2 == 0 ? room : other;
    expected.emplace_back(in.message(in.builder.creator()), in.id());
  }
  StreamPosition after = 0;
  std::vector<std::pair<StreamPosition, RoomId>> read;
  for (;;) {
    const auto page = stores.federation().owed_events(bravo, after, 4);
    REQUIRE(page);
    if (page->empty()) break;
    CHECK(page->size() <= 4);
    for (const auto& event : *page) {
      read.emplace_back(event.position, event.room);
      CHECK(stores.rooms().event(event.event).value()->event->canonical_text() == event.canonical_text);
    }
    after = page->back().position;
  }
  CHECK(read == expected);
}

TEST_CASE("events that were soft-failed or rejected or backfilled are owed to nobody") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  join_through_us(stores, room, bob);
  for (const Verdict verdict : {Verdict::soft_failed, Verdict::rejected}) {
    EventCommit hidden = room.next_message(alice);
    hidden.judgement.verdict = verdict;
    REQUIRE(commit(stores.rooms(), hidden));
  }
  EventCommit old = room.next_message(alice);
  old.backfilled = true;
  REQUIRE(commit(stores.rooms(), old));
  CHECK(owed(stores, bravo).empty());
  CHECK(owing(stores).empty());
}

TEST_CASE("EDUs wait for each server until they are removed") {
  Stores stores;
  stores.open();
  REQUIRE(stores.federation().add_edus({bravo, charlie}, R"({"edu_type":"a"})"));
  REQUIRE(stores.federation().add_edus({bravo}, R"({"edu_type":"b"})"));
  stores.reopen();
  CHECK(owing(stores) == Ids{"bravo.test", "charlie.test"});
  const auto edus = stores.federation().edus(bravo, 10);
  REQUIRE(edus->size() == 2);
  CHECK(edus->front().edu_json == R"({"edu_type":"a"})");
  CHECK(stores.federation().edus(bravo, 1)->size() == 1);
  REQUIRE(stores.federation().remove_edus(bravo, edus->front().id));
  CHECK(stores.federation().edus(bravo, 10)->size() == 1);
  CHECK(stores.federation().edus(charlie, 10)->size() == 1);
  REQUIRE(stores.federation().remove_edus(bravo, edus->back().id));
  REQUIRE(stores.federation().add_edus({bravo}, "{}"));
  CHECK(stores.federation().edus(bravo, 10)->front().id > edus->back().id);
}

TEST_CASE("a server's key gives way to newer word of it only") {
  Stores stores;
  stores.open();
  storage::StoredServerKey key;
  key.key_id = KeyId::parse("ed25519:a").value();
  key.key.fill(7);
  key.valid_until_ms = 2'000;
  REQUIRE(stores.federation().save_server_keys(bravo, {key}, "first"));
  key.valid_until_ms = 1'000;
  REQUIRE(stores.federation().save_server_keys(bravo, {key}, ""));
  stores.reopen();
  auto keys = stores.federation().server_keys(bravo);
  REQUIRE(keys->size() == 1);
  CHECK(keys->front().key == key.key);
  CHECK(keys->front().valid_until_ms == 2'000);
  CHECK_FALSE(keys->front().old);
  CHECK(stores.federation().server_keys_response(bravo).value() == "first");
  key.old = true;
  REQUIRE(stores.federation().save_server_keys(bravo, {key}, "second"));
  keys = stores.federation().server_keys(bravo);
  CHECK(keys->front().old);
  CHECK(keys->front().valid_until_ms == 1'000);
  CHECK(stores.federation().server_keys_response(bravo).value() == "second");
  CHECK(stores.federation().server_keys(charlie)->empty());
  CHECK(stores.federation().server_keys_response(charlie).value() == std::nullopt);
}

TEST_CASE("a cursor is on the disk with the next commit") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  std::atomic<bool> saved = false;
  stores.federation().save_cursor(bravo, 1, [&](const Result<void>& result) { saved = result.has_value(); });
  room.message(alice);
  CHECK(saved);
}

TEST_CASE("the answer to a transaction is kept for its repetition and old ones are dropped") {
  Stores stores;
  stores.open();
  keep_answer(stores, charlie, "1", "other");
  for (int i = 0; i < 300; ++i) {
    const std::string number = std::to_string(i);
    keep_answer(stores, bravo, number, "answer " + number);
  }
  stores.reopen();
  CHECK(stores.federation().transaction_response(bravo, "299").value() == "answer 299");
  CHECK(stores.federation().transaction_response(bravo, "250").value() == "answer 250");
  CHECK(stores.federation().transaction_response(bravo, "1").value() == std::nullopt);
  CHECK(stores.federation().transaction_response(charlie, "1").value() == "other");
}

}  // namespace skerry::test
