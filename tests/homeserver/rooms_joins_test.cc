// Into rooms of other servers: joins, invitations, restricted rooms, and what comes while one enters or comes again.
#include <catch2/catch.hpp>

#include "tests/homeserver/shared_room.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string versions[] = {"1", "2", "3", "5", "9", "10", "11", "12"};

}  // namespace

TEST_CASE("a user joins through another server and both talk") {
  const auto version = GENERATE(from_range(std::begin(versions), std::end(versions)));
  Shared shared(version);
  CHECK(shared.agree());
  CHECK(shared.bravo.membership_of(shared.room, shared.alice) == "join");
  CHECK(shared.alpha.membership_of(shared.room, shared.bob) == "join");
  REQUIRE(shared.alpha.say(shared.room, shared.alice, "hello bob"));
  shared.world.deliver();
  REQUIRE(shared.bravo.say(shared.room, shared.bob, "hello alice"));
  shared.world.deliver();
  CHECK(shared.alpha.bodies(shared.room) == std::vector<std::string>{"hello bob", "hello alice"});
  CHECK(shared.bravo.bodies(shared.room) == shared.alpha.bodies(shared.room));
  CHECK(shared.agree());
}

TEST_CASE("an invited user of another server joins a closed room") {
  Shared shared("12", "invite");
  CHECK(shared.agree());
  CHECK(shared.bravo.invites_of(shared.bob) == 0);
}

TEST_CASE("a remote invite can be rejected, also when nobody can be told") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  const UserId alice = alpha.user("alice");
  const UserId bob = bravo.user("bob");
  const auto room = alpha.create("12", alice, "invite");
  REQUIRE(room);
  REQUIRE(alpha.membership().invite(alice, bob, *room, "{}"));
  CHECK(alpha.membership_of(*room, bob) == "invite");
  REQUIRE(bravo.invites_of(bob) == 1);
  const bool reachable = GENERATE(true, false);
  if (!reachable) world.cut(alpha.name(), bravo.name());
  CHECK(bravo.membership().leave(bob, *room, "{}"));
  CHECK(bravo.invites_of(bob) == 0);
  CHECK(alpha.membership_of(*room, bob) == (reachable ? "leave" : "invite"));
}

TEST_CASE("a second user of a server joins without asking others") {
  Shared shared;
  const int asked = shared.world.asked("make_join");
  const UserId ben = shared.bravo.user("ben");
  REQUIRE(shared.bravo.membership().join(ben, shared.room, {shared.alpha.name()}, "{}"));
  CHECK(shared.world.asked("make_join") == asked);
  shared.world.deliver();
  CHECK(shared.alpha.membership_of(shared.room, ben) == "join");
  CHECK(shared.agree());
}

TEST_CASE("who joins pages back through what was said before") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  const UserId alice = alpha.user("alice");
  const UserId bob = bravo.user("bob");
  const auto version = GENERATE(from_range(std::begin(versions), std::end(versions)));
  const auto room = alpha.create(version, alice);
  REQUIRE(room);
  for (int i = 0; i < 20; ++i) REQUIRE(alpha.say(*room, alice, std::to_string(i)));
  REQUIRE(bravo.membership().join(bob, *room, {alpha.name()}, "{}"));
  CHECK(bravo.bodies(*room).empty());
  REQUIRE(*bravo.pipeline().backfill(*room, 10));
  while (*bravo.pipeline().backfill(*room, 10)) {
  }
  const auto history = bravo.rooms().history(*room, {INT64_MAX, 0}, true, 1'000);
  CHECK(history->size() == alpha.rooms().history(*room, {INT64_MAX, 0}, true, 1'000)->size());
  CHECK(bravo.bodies(*room).empty());
  CHECK(alpha.heads(*room) == bravo.heads(*room));
  for (const auto& stored : *history) {
    CHECK(bravo.reader().may_see(bob, stored) == true);
    const auto there = alpha.event(stored.event->id());
    CHECK(**bravo.rooms().state(stored.state_before) == **alpha.rooms().state(there->state_before));
  }
}

TEST_CASE("a room is joined again after everybody here has left it") {
  Shared shared;
  REQUIRE(shared.bravo.membership().leave(shared.bob, shared.room, "{}"));
  shared.world.deliver();
  CHECK(shared.alpha.membership_of(shared.room, shared.bob) == "leave");
  REQUIRE(shared.alpha.say(shared.room, shared.alice, "while bob was away"));
  REQUIRE(shared.alpha.set(shared.room, shared.alice, "m.room.topic", R"({"topic":"new"})"));
  shared.world.deliver();
  CHECK(shared.bravo.bodies(shared.room).empty());
  const auto local_attempt = shared.bravo.member(shared.room, shared.bob, shared.bob, "join");
  CHECK_FALSE(local_attempt);

  REQUIRE(shared.bravo.membership().join(shared.bob, shared.room, {shared.alpha.name()}, "{}"));
  shared.world.deliver();
  CHECK(shared.agree());
  CHECK(shared.bravo.state(shared.room).contains({"m.room.topic", ""}));
  REQUIRE(shared.alpha.say(shared.room, shared.alice, "welcome back"));
  shared.world.deliver();
  CHECK(shared.bravo.bodies(shared.room) == std::vector<std::string>{"welcome back"});
}

TEST_CASE("what others say while a join is under way is not lost") {
  Shared shared;
  TestServer& charlie = shared.world.add("charlie.test");
  const UserId carol = charlie.user("carol");
  const auto said = shared.alpha.say(shared.room, shared.alice, "hello carol");
  REQUIRE(said);
  auto holding = charlie.pipeline().joining(shared.room);
  Answer<homeserver::RemoteOutcome> answer;
  charlie.pipeline().submit_remote(shared.alpha.name(), shared.alpha.event(*said)->event->pdu(),
                                   [give = answer.giver()](auto outcome) { give(outcome); });
  REQUIRE(charlie.membership().join(carol, shared.room, {shared.alpha.name()}, "{}"));
  holding.reset();
  CHECK(answer.wait()->judgement.verdict != Verdict::dropped);
}

TEST_CASE("an event from before the join that comes late is no head") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create("12", alice);
  REQUIRE(room);
  const auto topic = alpha.set(*room, alice, "m.room.topic", R"({"topic":"before the join"})");
  REQUIRE(topic);
  REQUIRE(bravo.membership().join(bravo.user("bob"), *room, {alpha.name()}, "{}"));
  const auto heads = bravo.heads(*room);
  const auto state = bravo.state(*room);
  CHECK(bravo.receive(alpha.name(), alpha.event(*topic)->event->pdu()).judgement.verdict == Verdict::accepted);
  CHECK(bravo.heads(*room) == heads);
  CHECK(bravo.state(*room) == state);
}

TEST_CASE("members of another room join a restricted room") {
  const auto version = GENERATE(as<std::string>(), "8", "9", "10", "11", "12");
  Shared shared(version);  // the room that lets in
  EventDraft rule;
  rule.sender = shared.alice;
  rule.type = "m.room.join_rules";
  rule.state_key = "";
  rule.content_json = dump(
      Json{{"join_rule", "restricted"}, {"allow", {{{"type", "m.room_membership"}, {"room_id", shared.room.str()}}}}});
  const auto restricted = shared.alpha.create(version, shared.alice, "invite", {rule});
  REQUIRE(restricted);
  TestServer& charlie = shared.world.add("charlie.test");
  const UserId carol = charlie.user("carol");

  const auto refused = charlie.membership().join(carol, *restricted, {shared.alpha.name()}, "{}");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::forbidden);

  const auto joined = shared.bravo.membership().join(shared.bob, *restricted, {shared.alpha.name()}, "{}");
  if (!joined) FAIL(joined.error().text);
  const auto member = shared.bravo.reader().state_event(*restricted, "m.room.member", shared.bob.str());
  REQUIRE(*member);
  CHECK((*member)->content()["join_authorised_via_users_server"] == shared.alice.str());
  CHECK((*member)->pdu()["signatures"].contains("alpha.test"));

  // On alpha itself it needs nobody else.
  const UserId anna = shared.alpha.user("anna");
  CHECK_FALSE(shared.alpha.membership().join(anna, *restricted, {}, "{}"));
  REQUIRE(shared.alpha.membership().join(anna, shared.room, {}, "{}"));
  CHECK(shared.alpha.membership().join(anna, *restricted, {}, "{}"));
}

TEST_CASE("a resident server that cannot tell or may not invite says so") {
  Shared shared;
  EventDraft rule;
  rule.sender = shared.alice;
  rule.type = "m.room.join_rules";
  rule.state_key = "";
  rule.content_json =
      R"({"join_rule":"restricted","allow":[{"type":"m.room_membership","room_id":"!elsewhere:far.test"}]})";
  const auto restricted = shared.alpha.create("12", shared.alice, "invite", {rule});
  REQUIRE(restricted);
  const auto unknown = shared.bravo.membership().join(shared.bob, *restricted, {shared.alpha.name()}, "{}");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == ErrorCode::unable_to_authorise_join);
}

TEST_CASE("a join that was signed for something else is not taken") {
  Shared shared;
  TestServer& charlie = shared.world.add("charlie.test");
  const UserId carol = charlie.user("carol");
  Json pdu = shared.forged(carol.str(), "m.room.member", R"({"membership":"join"})");
  pdu["state_key"] = carol.str();
  const auto submit = [&](const Json& signed_pdu, const ServerName& origin) {
    return shared.submit(signed_pdu, origin);
  };
  SECTION("of another server's user") {
    const auto result = submit(shared.sign(pdu, charlie.name()), shared.bravo.name());
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::invalid_param);
  }
  SECTION("not a membership") {
    pdu["type"] = "m.room.topic";
    CHECK_FALSE(submit(shared.sign(pdu, charlie.name()), charlie.name()));
  }
  SECTION("not validly signed") {
    const auto result = submit(shared.sign(pdu, server("mallory.test")), charlie.name());
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::bad_signature);
  }
  SECTION("content changed after signing") {
    Json changed = shared.sign(pdu, charlie.name());
    changed["content"]["displayname"] = "another";
    CHECK_FALSE(submit(changed, charlie.name()));
  }
  CHECK(shared.alpha.membership_of(shared.room, carol).empty());
}
