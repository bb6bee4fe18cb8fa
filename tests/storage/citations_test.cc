// What events cite, and who cites them, in whatever order they came.
#include <algorithm>
#include <random>
#include <set>

#include <catch2/catch.hpp>

#include "storage/maintenance.h"
#include "tests/storage/stores.h"

namespace skerry::test {

using storage::EventCommit;

namespace {

const UserId alice = user("@alice:alpha.test");

EventCommit outlier(const LiveRoom& room, const EventPtr& event) {
  EventCommit commit;
  commit.event = event;
  commit.room_version = std::string(room.builder.rules().version);
  commit.outlier = true;
  return commit;
}

std::set<std::string> texts(const std::vector<EventId>& ids) {
  std::set<std::string> set;
  for (const EventId& id : ids) set.insert(id.str());
  return set;
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

}  // namespace

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
  take_back_to(stores, 1);
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
