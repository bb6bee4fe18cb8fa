// A room of two servers that is replaced on one of them.
#include <thread>

#include <catch2/catch.hpp>

#include "tests/homeserver/rooms_world.h"

using namespace skerry;
using namespace skerry::test;

namespace {

Answer<RoomId> begin_upgrade(TestServer& server, const RoomId& room, const UserId& user, const std::string& version) {
  Answer<RoomId> answer;
  server.pipeline().upgrade_room({room, user, version, {}, R"({"membership":"join"})"},
                                 [give = answer.giver()](Result<RoomId> made) { give(std::move(made)); });
  return answer;
}

Result<RoomId> upgrade(TestServer& server, const RoomId& room, const UserId& user, const std::string& version) {
  return begin_upgrade(server, room, user, version).wait();
}

EventPtr state_event(TestServer& server, const RoomId& room, const std::string& type) {
  const StateMap state = server.state(room);
  const auto found = state.find({type, ""});
  return found == state.end() ? nullptr : server.event(found->second)->event;
}

}  // namespace

TEST_CASE("a member on another server finds the way from a room into its replacement") {
  const auto [from, to] = GENERATE(std::pair("1", "12"), std::pair("9", "10"), std::pair("11", "12"),
                                   std::pair("12", "12"), std::pair("12", "3"));
  CAPTURE(from, to);
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  const UserId alice = alpha.user("alice"), bob = bravo.user("bob");
  const auto old = alpha.create(from, alice);
  REQUIRE(old);
  REQUIRE(bravo.membership().join(bob, *old, {alpha.name()}, "{}"));
  world.deliver();
  const auto made = upgrade(alpha, *old, alice, to);
  if (!made) FAIL(made.error().text);
  world.deliver();

  const EventPtr tombstone = state_event(bravo, *old, "m.room.tombstone");
  REQUIRE(tombstone);
  CHECK(*find_string(tombstone->content(), "replacement_room") == made->str());
  CHECK_FALSE(bravo.say(*old, bob, "still here"));
  // 'Clients SHOULD parse the event sender and use the resulting server name as a via parameter.'
  const auto joined = bravo.membership().join(bob, *made, {tombstone->sender().server()}, "{}");
  if (!joined) FAIL(joined.error().text);
  world.deliver();
  REQUIRE(bravo.say(*made, bob, "moved"));
  world.deliver();
  CHECK(alpha.bodies(*made) == std::vector<std::string>{"moved"});
  CHECK(alpha.state(*made) == bravo.state(*made));
  const EventPtr create = state_event(bravo, *made, "m.room.create");
  CHECK(*find_string(*find_object(create->content(), "predecessor"), "room_id") == old->str());
}

TEST_CASE("an upgrade whose commit fails leaves both rooms as they were") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto old = alpha.create("11", alice);
  REQUIRE(old);
  const auto heads = alpha.heads(*old);
  alpha.rooms().hold();
  auto answer = begin_upgrade(alpha, *old, alice, "12");
  while (alpha.rooms().held() == 0) std::this_thread::yield();
  alpha.rooms().fail_held();
  CHECK_FALSE(answer.wait());
  CHECK(alpha.heads(*old) == heads);
  CHECK(alpha.rooms().rooms()->size() == 1);
  REQUIRE(alpha.say(*old, alice, "nothing happened"));
  CHECK(state_event(alpha, *old, "m.room.tombstone") == nullptr);
  CHECK(upgrade(alpha, *old, alice, "12"));
}
