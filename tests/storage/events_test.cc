#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <SQLiteCpp/SQLiteCpp.h>
#include <catch2/catch.hpp>

#include "storage/maintenance.h"
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

// By the definition, over the events that the builder knows.
std::set<std::string> chain_by_definition(const RoomBuilder& builder, const std::vector<EventId>& ids,
                                          const std::set<std::string>& absent) {
  std::set<std::string> chain;
  std::vector<EventId> open;
  const auto cite = [&](const EventId& id) {
    for (const EventId& auth : builder.find(id)->auth_events()) {
      if (!absent.contains(auth.str()) && chain.insert(auth.str()).second) open.push_back(auth);
    }
  };
  for (const EventId& id : ids) cite(id);
  while (!open.empty()) {
    const EventId id = open.back();
    open.pop_back();
    cite(id);
  }
  for (const EventId& id : ids) chain.erase(id.str());
  return chain;
}

TEST_CASE("auth chains hold every event they reach in whatever order the events came") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  RoomBuilder::Tip tip = room.builder.created();
  std::vector<EventPtr> events;
  for (int i = 0; i < 40; ++i) {
    const UserId who = user("@u" + std::to_string(i % 7) + ":bravo.test");
    events.push_back(room.builder.member(tip, who, who, i % 3 == 2 ? "leave" : "join"));
    if (i % 5 == 0) events.push_back(room.builder.state(tip, alice, "m.room.power_levels", R"({"users_default":0})"));
  }
  std::set<std::string> absent;
  // Backwards, so that no event finds what it cites; the founding events last, and one of them never.
  std::vector<EventCommit> commits;
  for (auto event = events.rbegin(); event != events.rend(); ++event) commits.push_back(outlier(room, *event));
  REQUIRE(commit_all(stores.rooms(), commits));
  for (const auto& [key, id] : room.builder.created().state) {
    if (key.type == "m.room.join_rules" && room.builder.find(id)) absent.insert(id.str());
  }
  commits.clear();
  for (const auto& [key, id] : room.builder.at_create().state) commits.push_back(outlier(room, room.builder.find(id)));
  REQUIRE(commit_all(stores.rooms(), commits));
  for (const EventPtr& event : events) {
    for (const EventId& id : event->auth_events()) {
      if (stores.rooms().absent({id})->empty()) continue;
      absent.insert(id.str());
    }
  }
  CHECK_FALSE(absent.empty());
  for (int round = 0; round < 2; ++round) {
    for (const auto& ids : {std::vector{events.back()->id()}, std::vector{events[7]->id(), events[20]->id()},
                            std::vector{room.builder.create()->id()}}) {
      const auto chain = stores.rooms().auth_chain(ids);
      REQUIRE(chain);
      CHECK(texts(*chain) == chain_by_definition(room.builder, ids, absent));
      CHECK(texts(*chain).size() == chain->size());
    }
    stores.reopen();
  }
  CHECK(stores.rooms().auth_chain({event_id("$absent")})->empty());
}

TEST_CASE("auth chains of events that came in order are walked by rows") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  for (int i = 0; i < 30; ++i) {
    const UserId who = user("@u" + std::to_string(i % 5) + ":bravo.test");
    room.member(who, who, i % 2 == 0 ? "join" : "leave");
  }
  const std::vector<EventId> ids = room.tip.heads;
  const auto chain = stores.rooms().auth_chain(ids);
  REQUIRE(chain);
  CHECK(texts(*chain) == chain_by_definition(room.builder, ids, {}));
}

namespace {

// All pages of who cites an event.
std::set<std::string> citing(Stores& stores, const EventId& id) {
  std::set<std::string> all;
  std::int64_t from = 0;
  do {
    const auto page = stores.rooms().citing(id, from);
    REQUIRE(page);
    for (const EventId& one : page->events) CHECK(all.insert(one.str()).second);
    from = page->next;
  } while (from != 0);
  return all;
}

// By the definition, of the events that are stored.
std::set<std::string> citing_by_definition(const std::vector<EventCommit>& stored, const EventId& id) {
  std::set<std::string> all;
  for (const EventCommit& commit : stored) {
    const auto& cited = commit.event->auth_events();
    const bool counts = commit.event->is_state() && commit.judgement.verdict != Verdict::rejected;
    if (counts && std::find(cited.begin(), cited.end(), id) != cited.end()) all.insert(commit.event->id().str());
  }
  return all;
}

}  // namespace

TEST_CASE("who cites an event is known in whatever order the events came") {
  const char* version = GENERATE("1", "12");
  Stores stores;
  stores.open();
  LiveRoom room(stores, version);
  std::mt19937 random(7);
  RoomBuilder::Tip tip = room.builder.created();
  for (int i = 0; i < 400; ++i) {
    const UserId who = user("@u" + std::to_string(random() % 30) + ":bravo.test");
    room.builder.member(tip, who, who, random() % 3 == 0 ? "leave" : "join");
    if (i % 50 == 0) room.builder.state(tip, alice, "m.room.power_levels", R"({"users_default":0})");
    if (i % 20 == 0) room.builder.message(tip, who);
  }
  // From the last state back to the first, by what they cite.
  std::set<EventId> ids;
  std::vector<EventId> open = tip.heads;
  while (!open.empty()) {
    const EventId id = open.back();
    open.pop_back();
    if (!ids.insert(id).second) continue;
    const auto& prev = room.builder.find(id)->prev_events();
    open.insert(open.end(), prev.begin(), prev.end());
  }
  std::vector<EventCommit> commits;
  for (const EventId& id : ids) {
    EventCommit commit = outlier(room, room.builder.find(id));
    if (random() % 8 == 0) commit.judgement = {Verdict::rejected, "5", "a test"};
    commits.push_back(std::move(commit));
  }
  std::shuffle(commits.begin(), commits.end(), random);
  const EventCommit never = commits.back();
  commits.pop_back();
  const auto check_all = [&] {
    for (const EventCommit& commit : commits) {
      const EventId& id = commit.event->id();
      CHECK(citing(stores, id) == citing_by_definition(commits, id));
    }
    CHECK(citing(stores, never.event->id()).empty());
  };
  REQUIRE(commit_all(stores.rooms(), commits));
  check_all();
  // Some get their place, and with it another verdict. Citations of what was not rejected once are not forgotten.
  for (std::size_t i = 0; i < commits.size(); i += 3) {
    commits[i].outlier = false;
    commits[i].backfilled = true;
    commits[i].judgement = {};
    REQUIRE(commit(stores.rooms(), commits[i]));
  }
  check_all();
  stores.reopen();
  check_all();
}

TEST_CASE("who cites an event is known of what an older program stored") {
  const char* version = GENERATE("1", "11");
  Stores stores;
  stores.open();
  LiveRoom room(stores, version);
  room.found();
  std::vector<EventPtr> events;
  RoomBuilder::Tip tip = room.tip;
  for (int i = 0; i < 30; ++i) {
    const UserId who = user("@u" + std::to_string(i % 5) + ":bravo.test");
    events.push_back(room.builder.member(tip, who, who, i % 2 == 0 ? "join" : "leave"));
    if (i % 7 == 0) events.push_back(room.builder.message(tip, who));
  }
  std::vector<EventCommit> commits;
  for (auto event = events.rbegin(); event != events.rend(); ++event) {
    if (*event != events[3]) commits.push_back(outlier(room, *event));
  }
  REQUIRE(commit_all(stores.rooms(), commits));
  for (const auto& [key, id] : room.tip.state) commits.push_back(outlier(room, room.builder.find(id)));
  stores.close();
  {
    SQLite::Database database(stores.folder() + "/homeserver.db", SQLite::OPEN_READWRITE);
    database.exec("DROP TABLE auth_citations; DROP TABLE awaited_auth_events; PRAGMA user_version=1");
  }
  stores.open();
  for (const EventCommit& commit : commits) {
    const EventId& id = commit.event->id();
    CHECK(citing(stores, id) == citing_by_definition(commits, id));
  }
  CHECK(citing(stores, events[3]->id()).empty());
  commits.push_back(outlier(room, events[3]));
  REQUIRE(commit(stores.rooms(), commits.back()));
  CHECK_FALSE(citing(stores, events[3]->id()).empty());
  CHECK(citing(stores, events[3]->id()) == citing_by_definition(commits, events[3]->id()));
  stores.close();
  CHECK(storage::check_sqlite(stores.folder())->findings.empty());
}

}  // namespace skerry::test
