#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch.hpp>

#include "tests/storage/stores.h"

namespace skerry::test {

using storage::EventCommit;
using storage::StoredEvent;
using storage::StreamPosition;
using storage::TopologicalPosition;

namespace {

const UserId alice = user("@alice:alpha.test");
const UserId bob = user("@bob:bravo.test");

StoredEvent stored(Stores& stores, const EventId& id) {
  const auto found = stores.rooms().event(id);
  REQUIRE(found);
  REQUIRE(*found);
  return **found;
}

EventCommit outlier(const LiveRoom& room, const EventPtr& event) {
  EventCommit commit;
  commit.event = event;
  commit.room_version = std::string(room.builder.rules().version);
  commit.outlier = true;
  return commit;
}

EventCommit backfilled(const LiveRoom& room, const EventPtr& event) {
  EventCommit commit = outlier(room, event);
  commit.outlier = false;
  commit.backfilled = true;
  return commit;
}

std::set<std::string> texts(const std::vector<EventId>& ids) {
  std::set<std::string> set;
  for (const EventId& id : ids) set.insert(id.str());
  return set;
}

// A room founded here, and ten messages of bob's that were never sent to us.
struct WithHistory {
  WithHistory() {
    stores.open();
    room.found();
    room.join(bob);
    joined = stores.stream().current();
    for (int i = 0; i < 10; ++i) history.push_back(room.builder.message(room.tip, bob, std::to_string(i)));
  }
  Stores stores;
  LiveRoom room{stores};
  StreamPosition joined = 0;
  std::vector<EventPtr> history;
};

}  // namespace

TEST_CASE("an event comes back as it was stored") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const storage::StateId before = room.state;
  EventCommit topic = room.next_state(alice, "m.room.topic", R"({"topic":"Grüße"})");
  topic.judgement = {Verdict::accepted, "", ""};
  topic.transaction = storage::ClientTransaction{alice, "PHONE", "send/1", "txn"};
  const auto position = commit(stores.rooms(), topic);
  REQUIRE(position);
  for (int round = 0; round < 2; ++round) {
    const StoredEvent found = stored(stores, topic.event->id());
    CHECK(found.event->canonical_text() == topic.event->canonical_text());
    CHECK(found.event->room_id() == room.id());
    CHECK(found.judgement.verdict == Verdict::accepted);
    CHECK_FALSE(found.outlier);
    CHECK(found.position == *position);
    CHECK(found.topological == TopologicalPosition{topic.event->depth(), *position});
    CHECK(found.state_before == before);
    CHECK(found.state_after == room.state);
    CHECK(found.transaction_id == "txn");
    CHECK(found.transaction_device == "PHONE");
    CHECK_FALSE(found.redacted_by);
    stores.reopen();
  }
  CHECK(stores.rooms().event(event_id("$absent")).value() == std::nullopt);
}

TEST_CASE("events that clients must not see are stored with the reason and not listed") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const RoomBuilder::Tip tip = room.tip;
  std::map<Verdict, EventId> ids;
  for (const Verdict verdict : {Verdict::soft_failed, Verdict::rejected}) {
    EventCommit hidden = room.next_message(alice, "hidden");
    hidden.judgement = {verdict, "5.3", "not joined"};
    hidden.heads.reset();
    REQUIRE(commit(stores.rooms(), hidden));
    ids[verdict] = hidden.event->id();
    room.tip = tip;
  }
  for (const auto& [verdict, id] : ids) {
    const StoredEvent found = stored(stores, id);
    CHECK(found.judgement.verdict == verdict);
    CHECK(found.judgement.rule == "5.3");
    CHECK(found.judgement.reason == "not joined");
  }
  const auto page = stores.rooms().live_events(room.id(), 0, stores.stream().current(), 100, true);
  CHECK(page->events.size() == 4);
  CHECK(stores.rooms().history(room.id(), {1'000, 0}, true, 100)->size() == 4);
  CHECK(stores.rooms().head(room.id())->value().heads == tip.heads);
}

TEST_CASE("committing an event twice changes nothing and answers its position") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const EventCommit first = room.next_message(alice);
  const auto position = commit(stores.rooms(), first);
  REQUIRE(position);
  const StreamPosition second = room.message(alice);
  CHECK(commit(stores.rooms(), first).value() == *position);
  CHECK(commit(stores.rooms(), outlier(room, first.event)).value() == *position);
  CHECK_FALSE(stored(stores, first.event->id()).outlier);
  CHECK(stores.rooms().head(room.id())->value().heads != std::vector{first.event->id()});
  CHECK(stores.rooms().live_events(room.id(), second - 1, second + 10, 10, true)->events.size() == 1);
}

TEST_CASE("an outlier is known but has no place until it is committed again") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const EventCommit live = room.next_member(bob, bob, "join");
  REQUIRE(commit(stores.rooms(), outlier(room, live.event)).value() == 0);
  CHECK(stored(stores, live.event->id()).outlier);
  CHECK_FALSE(stored(stores, live.event->id()).position);
  CHECK(stores.rooms().absent({live.event->id()})->empty());
  CHECK(stores.rooms().membership(room.id(), bob).value() == std::nullopt);
  CHECK(stores.rooms().history(room.id(), {1'000, 0}, true, 100)->size() == 4);

  const auto position = commit(stores.rooms(), live);
  REQUIRE(position);
  const StoredEvent found = stored(stores, live.event->id());
  CHECK_FALSE(found.outlier);
  CHECK(found.position == *position);
  CHECK(found.state_after == room.state);
  CHECK(stores.rooms().membership(room.id(), bob).value()->membership == "join");
  CHECK(stores.rooms().history(room.id(), {1'000, 0}, true, 100)->size() == 5);
}

TEST_CASE("the newest live events are answered oldest first and say whether there are more") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const StreamPosition from = stores.stream().current();
  std::vector<std::string> sent;
  for (int i = 0; i < 10; ++i) {
    const EventCommit one = room.next_message(alice);
    sent.push_back(one.event->id().str());
    REQUIRE(commit(stores.rooms(), one));
  }
  const StreamPosition to = stores.stream().current();
  room.message(alice);  // behind `to`
  const auto page = [&](std::size_t limit, bool newest) {
    auto result = stores.rooms().live_events(room.id(), from, to, limit, newest);
    REQUIRE(result);
    return std::pair(ids_of(result->events), result->limited);
  };
  CHECK(page(10, true) == std::pair(sent, false));
  CHECK(page(SIZE_MAX, false) == std::pair(sent, false));
  CHECK(page(3, true) == std::pair(std::vector(sent.end() - 3, sent.end()), true));
  CHECK(page(3, false) == std::pair(std::vector(sent.begin(), sent.begin() + 3), true));
  CHECK(page(0, true) == std::pair(std::vector<std::string>{}, true));
  CHECK(stores.rooms().live_events(RoomId::parse("!other:alpha.test").value(), 0, to, 5, true)->events.empty());
}

TEST_CASE("history joins what was backfilled to what came live") {
  WithHistory with;
  // Asked for from the newest to the oldest, as backfill does.
  const EventCommit live = with.room.next_message(bob, "seen live");
  REQUIRE(commit(with.stores.rooms(), live));
  const StreamPosition end = with.stores.stream().current();
  for (auto event = with.history.rbegin(); event != with.history.rend(); ++event)
    CHECK(commit(with.stores.rooms(), backfilled(with.room, *event)).value() == 0);
  CHECK(with.stores.stream().current() == end);
  CHECK(with.stores.rooms().live_events(with.room.id(), with.joined, end, 100, true)->events.size() == 1);

  std::vector<std::string> expected{live.event->id().str()};
  for (auto event = with.history.rbegin(); event != with.history.rend(); ++event)
    expected.push_back((*event)->id().str());
  auto from = with.stores.rooms().topological_at(with.room.id(), end);
  REQUIRE(from);
  std::vector<std::string> read;
  TopologicalPosition at = *from;
  while (read.size() < expected.size()) {
    const auto page = with.stores.rooms().history(with.room.id(), at, true, 3);
    REQUIRE(page);
    REQUIRE_FALSE(page->empty());
    for (const auto& id : ids_of(*page)) read.push_back(id);
    at = page->back().topological;
  }
  read.resize(expected.size());
  CHECK(read == expected);

  const auto forwards = with.stores.rooms().history(with.room.id(), at, false, 100);
  REQUIRE(forwards);
  CHECK(ids_of(*forwards).back() == live.event->id().str());
  CHECK(std::is_sorted(forwards->begin(), forwards->end(),
                       [](const auto& a, const auto& b) { return a.topological < b.topological; }));
}

TEST_CASE("history from a stream position holds all that had arrived by then") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  room.join(bob);
  RoomBuilder::Tip here = room.tip;
  for (int i = 0; i < 20; ++i) room.message(bob);
  const StreamPosition deep = stores.stream().current();
  // What alice said while her server was away arrives last, with a small depth.
  const EventPtr late = room.builder.message(here, alice);
  REQUIRE(commit(stores.rooms(), room.live(late)));
  const StreamPosition end = stores.stream().current();
  const auto all_before = [&](StreamPosition position) {
    const auto from = stores.rooms().topological_at(room.id(), position);
    REQUIRE(from);
    const auto events = stores.rooms().history(room.id(), *from, true, 100);
    REQUIRE(events);
    return ids_of(*events);
  };
  CHECK(all_before(end).size() == 26);
  CHECK(all_before(deep).size() >= 25);
  CHECK(all_before(deep).front() == room.tip.heads.front().str());
  CHECK(stores.rooms().topological_at(room.id(), 0).value() == TopologicalPosition{});
}

TEST_CASE("parents that are absent or outliers are where backfill goes on") {
  WithHistory with;
  const auto extremities = [&] {
    const auto ids = with.stores.rooms().backward_extremities(with.room.id(), 10);
    REQUIRE(ids);
    return texts(*ids);
  };
  CHECK(extremities().empty());
  REQUIRE(commit(with.stores.rooms(), with.room.next_message(bob)));
  CHECK(extremities() == texts({with.history.back()->id()}));
  REQUIRE(commit(with.stores.rooms(), outlier(with.room, with.history.back())));
  CHECK(extremities() == texts({with.history.back()->id()}));
  REQUIRE(commit(with.stores.rooms(), backfilled(with.room, with.history.back())));
  CHECK(extremities() == texts({with.history[8]->id()}));
  with.stores.reopen();
  for (std::size_t i = 0; i < 9; ++i) REQUIRE(commit(with.stores.rooms(), backfilled(with.room, with.history[i])));
  CHECK(extremities().empty());
}

TEST_CASE("parents of what was not accepted are not the past until something accepted builds on it") {
  WithHistory with;
  const auto extremities = [&] { return texts(*with.stores.rooms().backward_extremities(with.room.id(), 10)); };
  for (int i = 0; i < 2; ++i) {
    EventCommit refused = with.room.next_message(bob);
    refused.judgement = {Verdict::soft_failed, "6", "not any more"};
    REQUIRE(commit(with.stores.rooms(), refused));
  }
  CHECK(extremities().empty());
  REQUIRE(commit(with.stores.rooms(), with.room.next_message(bob)));
  CHECK(extremities() == texts({with.history.back()->id()}));
  CHECK(with.stores.rooms().is_backward_extremity(with.history.back()->id()).value());
}

TEST_CASE("a client transaction is remembered with its device and path") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const storage::ClientTransaction transaction{alice, "PHONE", "send/x", "1"};
  CHECK(stores.rooms().transaction_event(transaction).value() == std::nullopt);
  EventCommit one = room.next_message(alice);
  one.transaction = transaction;
  REQUIRE(commit(stores.rooms(), one));
  stores.reopen();
  CHECK(stores.rooms().transaction_event(transaction).value() == one.event->id());
  for (const storage::ClientTransaction& other : {storage::ClientTransaction{bob, "PHONE", "send/x", "1"},
                                                  storage::ClientTransaction{alice, "TABLET", "send/x", "1"},
                                                  storage::ClientTransaction{alice, "PHONE", "send/y", "1"},
                                                  storage::ClientTransaction{alice, "PHONE", "send/x1", ""}}) {
    CHECK(stores.rooms().transaction_event(other).value() == std::nullopt);
  }
}

TEST_CASE("a redaction marks its event whichever of them comes first") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const EventCommit first = room.next_message(alice), second = room.next_message(alice);
  REQUIRE(commit(stores.rooms(), first));
  const auto redaction_of = [&](const EventId& target) {
    return room.live(room.builder.add(
        room.tip, Draft{alice, "m.room.redaction", std::nullopt, R"({"redacts":")" + target.str() + R"("})", 0, {}}));
  };
  EventCommit of_first = redaction_of(first.event->id());
  of_first.redacts = first.event->id();
  REQUIRE(commit(stores.rooms(), of_first));
  CHECK(stored(stores, first.event->id()).redacted_by == of_first.event->id());

  EventCommit of_second = redaction_of(second.event->id());
  of_second.redacts = second.event->id();
  REQUIRE(commit(stores.rooms(), of_second));
  CHECK(stores.rooms().redactions_of(second.event->id()).value() == std::vector{of_second.event->id()});
  EventCommit late = second;
  late.redacted_by = of_second.event->id();
  REQUIRE(commit(stores.rooms(), late));
  CHECK(stored(stores, second.event->id()).redacted_by == of_second.event->id());

  EventCommit refused = redaction_of(first.event->id());
  refused.judgement.verdict = Verdict::rejected;
  REQUIRE(commit(stores.rooms(), refused));
  CHECK(stores.rooms().redactions_of(first.event->id()).value() == std::vector{of_first.event->id()});
}

TEST_CASE("many events are found at once and absent ones are named") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  std::vector<EventId> ids;
  std::vector<EventCommit> commits;
  for (int i = 0; i < 200; ++i) {
    commits.push_back(room.next_message(alice));
    ids.push_back(commits.back().event->id());
  }
  REQUIRE(commit_all(stores.rooms(), commits));
  stores.reopen();
  std::vector<EventId> asked = ids;
  asked.push_back(event_id("$absent"));
  const auto found = stores.rooms().events(asked);
  REQUIRE(found);
  CHECK(found->size() == 200);
  CHECK(stores.rooms().absent(asked).value() == std::vector{event_id("$absent")});
}

}  // namespace skerry::test
