// Events whose predecessors, or whose sender's key, are not here yet.
#include <catch2/catch.hpp>

#include "tests/homeserver/shared_room.h"

using namespace skerry;
using namespace skerry::test;

TEST_CASE("a server's key is fetched when it is not known and its events wait for it") {
  Shared shared;
  const UserId carol = user("@carol:charlie.test");
  SECTION("and judged when it came") {
    shared.world.keys_to_fetch.insert(server("charlie.test"));
    TestServer& charlie = shared.join_from("charlie.test", carol);
    REQUIRE(charlie.say(shared.room, carol, "hello"));
    shared.world.deliver();
    CHECK(shared.bravo.bodies(shared.room) == std::vector<std::string>{"hello"});
    CHECK(shared.world.asked("keys") > 0);
  }
  SECTION("and dropped when it cannot be had") {
    TestServer& charlie = shared.join_from("charlie.test", carol);
    shared.world.keys_lost.insert(server("charlie.test"));
    REQUIRE(charlie.say(shared.room, carol, "hello"));
    shared.world.deliver(charlie, shared.bravo);
    CHECK(shared.bravo.bodies(shared.room).empty());
  }
}

TEST_CASE("missing events before an event are fetched and come in order") {
  Shared shared;
  std::set<EventId> lost;
  for (int i = 0; i < 30; ++i) {
    const auto said = shared.alpha.say(shared.room, shared.alice, std::to_string(i));
    REQUIRE(said);
    lost.insert(*said);
  }
  REQUIRE(shared.alpha.set(shared.room, shared.alice, "m.room.topic", R"({"topic":"new"})"));
  lost.insert(shared.alpha.heads(shared.room).front());
  REQUIRE(shared.alpha.say(shared.room, shared.alice, "last"));
  shared.world.deliver(shared.alpha, shared.bravo, lost);
  CHECK(shared.bravo.bodies(shared.room) == shared.alpha.bodies(shared.room));
  CHECK(shared.agree());
  CHECK(shared.world.asked("get_missing_events") == 1);
  CHECK(shared.world.asked("state_ids") == 0);
}

TEST_CASE("a gap that is too wide is bridged by the state before it and can be backfilled") {
  Shared shared;
  std::set<EventId> lost;
  constexpr int count = 700;
  for (int i = 0; i < count; ++i) {
    const auto said = shared.alpha.say(shared.room, shared.alice, std::to_string(i));
    REQUIRE(said);
    lost.insert(*said);
    if (i != 100) continue;
    const auto topic = shared.alpha.set(shared.room, shared.alice, "m.room.topic", R"({"topic":"in the gap"})");
    REQUIRE(topic);
    lost.insert(*topic);
  }
  REQUIRE(shared.alpha.say(shared.room, shared.alice, "last"));
  shared.world.deliver(shared.alpha, shared.bravo, lost);
  const auto bodies = shared.bravo.bodies(shared.room);
  REQUIRE_FALSE(bodies.empty());
  CHECK(bodies.back() == "last");
  CHECK(bodies.size() < count);
  CHECK(shared.bravo.state(shared.room).contains({"m.room.topic", ""}));

  for (int i = 0; i < 20 && *shared.bravo.pipeline().backfill(shared.room, 100); ++i) {
  }
  CHECK(shared.bravo.rooms().history(shared.room, {INT64_MAX, 0}, true, 10'000)->size() ==
        shared.alpha.rooms().history(shared.room, {INT64_MAX, 0}, true, 10'000)->size());
  CHECK(shared.bravo.bodies(shared.room) == bodies);
}

TEST_CASE("events that wait for the same missing ones share one errand") {
  Shared shared;
  std::set<EventId> lost;
  for (int i = 0; i < 5; ++i) lost.insert(*shared.alpha.say(shared.room, shared.alice, "lost"));
  std::vector<Json> pdus;
  for (int i = 0; i < 5; ++i) {
    const auto said = shared.alpha.say(shared.room, shared.alice, std::to_string(i));
    pdus.push_back(shared.alpha.event(*said)->event->pdu());
  }
  std::vector<Answer<homeserver::RemoteOutcome>> answers(pdus.size());
  for (std::size_t i = 0; i < pdus.size(); ++i) {
    shared.bravo.pipeline().submit_remote(shared.alpha.name(), pdus[i],
                                          [give = answers[i].giver()](auto outcome) { give(outcome); });
  }
  for (auto& answer : answers) CHECK(answer.wait()->judgement.verdict == Verdict::accepted);
  CHECK(shared.world.asked("get_missing_events") == 1);
  CHECK(shared.bravo.bodies(shared.room) == shared.alpha.bodies(shared.room));
}

TEST_CASE("an event whose missing ones cannot be got is dropped and may come again") {
  Shared shared;
  REQUIRE(shared.alpha.say(shared.room, shared.alice, "lost"));
  const auto said = shared.alpha.say(shared.room, shared.alice, "last");
  REQUIRE(said);
  const Json pdu = shared.alpha.event(*said)->event->pdu();
  shared.world.cut(shared.alpha.name(), shared.bravo.name());
  CHECK(shared.bravo.receive(shared.alpha.name(), pdu).judgement.verdict == Verdict::dropped);
  CHECK_FALSE(shared.bravo.event(*said));
  shared.world.mend();
  CHECK(shared.bravo.receive_again(shared.alpha.name(), pdu).judgement.verdict == Verdict::accepted);
  CHECK(shared.bravo.bodies(shared.room).size() == 2);
}
