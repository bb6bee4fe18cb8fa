// Events that come late, or whose sender cannot be asked for what they need: none is skipped, none is shown twice.
#include <algorithm>

#include <catch2/catch.hpp>

#include "tests/homeserver/rooms_world.h"

using namespace skerry;
using namespace skerry::test;

TEST_CASE("an event whose sender cannot be asked for what it needs is put off and not skipped") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  const UserId alice = alpha.user("alice");
  const RoomId room = alpha.create("12", alice).value();
  REQUIRE(bravo.membership().join(bravo.user("bob"), room, {alpha.name()}, "{}"));
  world.deliver();
  REQUIRE(alpha.say(room, alice, "did not come"));
  const EventId next = alpha.say(room, alice, "came").value();
  const Json pdu = alpha.event(next)->event->pdu();

  world.cut(alpha.name(), bravo.name());
  const auto cut_off = bravo.receive(alpha.name(), pdu);
  CHECK(cut_off.put_off);
  CHECK(cut_off.event == next);
  CHECK_FALSE(bravo.event(next));
  world.mend();
  const auto outcome = bravo.receive_again(alpha.name(), pdu);
  CHECK_FALSE(outcome.put_off);
  CHECK(outcome.judgement.verdict == Verdict::accepted);
  CHECK(bravo.bodies(room) == std::vector<std::string>{"did not come", "came"});
}

TEST_CASE("what comes late and lies behind what others built is new to those who were in the room") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  const UserId alice = alpha.user("alice");
  const RoomId room = alpha.create("12", alice).value();
  REQUIRE(alpha.say(room, alice, "before bob came"));
  REQUIRE(bravo.membership().join(bravo.user("bob"), room, {alpha.name()}, "{}"));
  world.deliver();
  std::set<EventId> lost;
  constexpr int count = 600;  // more than a gap is filled with
  for (int i = 0; i < count; ++i) lost.insert(alpha.say(room, alice, std::to_string(i)).value());
  REQUIRE(alpha.say(room, alice, "last"));
  world.deliver(alpha, bravo, lost);
  REQUIRE(bravo.bodies(room).size() < count);

  for (const EventId& id : lost) {
    CHECK(bravo.receive(alpha.name(), alpha.event(id)->event->pdu()).judgement.verdict == Verdict::accepted);
  }
  const auto bodies = bravo.bodies(room);
  CHECK(std::set(bodies.begin(), bodies.end()).size() == count + 1);  // each one, and nothing of before
  CHECK(bodies.size() == count + 1);
  CHECK(bravo.heads(room) == alpha.heads(room));
  CHECK(bravo.state(room) == alpha.state(room));
}

TEST_CASE("a gap that its sender cannot fill is filled by another server") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  TestServer& charlie = world.add("charlie.test");
  const UserId alice = alpha.user("alice");
  const RoomId room = alpha.create("12", alice).value();
  REQUIRE(bravo.membership().join(bravo.user("bob"), room, {alpha.name()}, "{}"));
  REQUIRE(charlie.membership().join(charlie.user("carol"), room, {alpha.name()}, "{}"));
  world.deliver();
  std::vector<std::string> said;
  EventId last;
  for (int i = 0; i < 5; ++i) {
    said.push_back(std::to_string(i));
    last = alpha.say(room, alice, said.back()).value();
  }
  world.deliver(alpha, charlie);
  REQUIRE(charlie.bodies(room) == said);

  world.cut(alpha.name(), bravo.name());
  CHECK(bravo.receive(alpha.name(), alpha.event(last)->event->pdu()).judgement.verdict == Verdict::accepted);
  CHECK(bravo.bodies(room) == said);
}

TEST_CASE("a state of which a part cannot be got is not taken for the whole") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  const UserId alice = alpha.user("alice");
  const RoomId room = alpha.create("12", alice).value();
  REQUIRE(bravo.membership().join(bravo.user("bob"), room, {alpha.name()}, "{}"));
  world.deliver();
  const EventId topic = alpha.set(room, alice, "m.room.topic", R"({"topic":"in the gap"})").value();
  for (int i = 0; i < 600; ++i) REQUIRE(alpha.say(room, alice, std::to_string(i)));  // more than a gap is filled with
  const EventId last = alpha.say(room, alice, "last").value();
  const Json pdu = alpha.event(last)->event->pdu();

  world.events_lost = {topic};
  CHECK(bravo.receive(alpha.name(), pdu).put_off);
  CHECK_FALSE(bravo.event(last));
  world.events_lost.clear();
  CHECK(bravo.receive_again(alpha.name(), pdu).judgement.verdict == Verdict::accepted);
  CHECK(bravo.state(room) == alpha.state(room));
}

TEST_CASE("what only refused events build on becomes a head when it comes late") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  const UserId alice = alpha.user("alice");
  const UserId bob = bravo.user("bob");
  const UserId carol = bravo.user("carol");
  const RoomId room = alpha.create("12", alice).value();
  REQUIRE(bravo.membership().join(bob, room, {alpha.name()}, "{}"));
  world.deliver();
  REQUIRE(bravo.membership().join(carol, room, {bravo.name()}, "{}"));
  world.deliver();
  const EventId missing = bravo.say(room, carol, "comes late").value();
  REQUIRE(alpha.member(room, alice, bob, "ban"));
  const EventId refused = bravo.say(room, bob, "banned already").value();
  world.events_lost.insert(missing);
  CHECK(alpha.receive(bravo.name(), bravo.event(refused)->event->pdu()).judgement.verdict == Verdict::soft_failed);
  world.events_lost.clear();
  CHECK(alpha.receive(bravo.name(), bravo.event(missing)->event->pdu()).judgement.verdict == Verdict::accepted);
  const auto heads = alpha.heads(room);
  CHECK(std::find(heads.begin(), heads.end(), missing) != heads.end());
  CHECK(alpha.bodies(room).back() == "comes late");
}

TEST_CASE("who joined in a gap is heard behind it") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  const UserId bob = bravo.user("bob");
  const UserId carol = bravo.user("carol");
  const RoomId room = alpha.create("12", alpha.user("alice")).value();
  REQUIRE(bravo.membership().join(bob, room, {alpha.name()}, "{}"));
  world.deliver();
  world.cut(alpha.name(), bravo.name());
  REQUIRE(bravo.membership().join(carol, room, {bravo.name()}, "{}"));
  for (int i = 0; i < 600; ++i) REQUIRE(bravo.say(room, carol, std::to_string(i)));  // more than a gap is filled with
  const EventId said = bravo.say(room, carol, "hello").value();
  world.mend();
  const auto outcome = alpha.receive(bravo.name(), bravo.event(said)->event->pdu());
  REQUIRE(outcome.judgement.verdict == Verdict::accepted);
  CHECK(alpha.bodies(room).back() == "hello");
  CHECK(alpha.membership_of(room, carol) == "join");
}
