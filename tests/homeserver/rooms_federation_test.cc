// Rooms of several servers: talking, splitting, merging, and what others send that must not count.
#include <catch2/catch.hpp>

#include "tests/homeserver/shared_room.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string versions[] = {"1", "2", "3", "5", "9", "10", "11", "12"};

std::vector<std::string> sorted(std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  return list;
}

}  // namespace

TEST_CASE("two sides of a split go on and agree when they meet again") {
  const auto version = GENERATE(from_range(std::begin(versions), std::end(versions)));
  Shared shared(version);
  REQUIRE(shared.alpha.say(shared.room, shared.alice, "a1"));
  REQUIRE(shared.alpha.set(shared.room, shared.alice, "m.room.topic", R"({"topic":"alpha's"})"));
  REQUIRE(shared.alpha.say(shared.room, shared.alice, "a2"));
  REQUIRE(shared.bravo.say(shared.room, shared.bob, "b1"));
  REQUIRE(shared.bravo.set(shared.room, shared.bob, "m.room.member", R"({"membership":"join","displayname":"Bob"})",
                           shared.bob.str()));
  shared.world.deliver();
  CHECK(shared.alpha.heads(shared.room).size() == 2);
  CHECK(shared.agree());
  CHECK(sorted(shared.alpha.bodies(shared.room)) == std::vector<std::string>{"a1", "a2", "b1"});
  CHECK(sorted(shared.bravo.bodies(shared.room)) == std::vector<std::string>{"a1", "a2", "b1"});
  CHECK(shared.bravo.state(shared.room).contains({"m.room.topic", ""}));

  REQUIRE(shared.bravo.say(shared.room, shared.bob, "merge"));
  shared.world.deliver();
  CHECK(shared.alpha.heads(shared.room).size() == 1);
  CHECK(shared.agree());
}

TEST_CASE("more heads than an event may name are merged step by step") {
  Shared shared;
  // Bob's server does not hear of what it said itself last: thirty messages side by side.
  const Json base = shared.forged(shared.bob.str(), "m.room.message", R"({"body":"0"})");
  for (int i = 0; i < 30; ++i) {
    Json pdu = base;
    pdu["content"]["body"] = std::to_string(i);
    CHECK(shared.alpha.receive(shared.bravo.name(), shared.sign(pdu, shared.bravo.name())).judgement.verdict ==
          Verdict::accepted);
  }
  CHECK(shared.alpha.heads(shared.room).size() == 30);
  const auto first = shared.alpha.say(shared.room, shared.alice, "first");
  REQUIRE(first);
  CHECK(shared.alpha.event(*first)->event->prev_events().size() == 20);
  CHECK(shared.alpha.heads(shared.room).size() == 11);
  REQUIRE(shared.alpha.say(shared.room, shared.alice, "second"));
  CHECK(shared.alpha.heads(shared.room).size() == 1);
  CHECK(shared.alpha.state(shared.room) == shared.bravo.state(shared.room));
}

TEST_CASE("an event with a forged signature changes nothing") {
  Shared shared;
  const auto before = shared.alpha.heads(shared.room);
  Json pdu = shared.forged(shared.bob.str(), "m.room.message", R"({"body":"I said that"})");
  SECTION("signed by another server") {
    const Json wrong = shared.sign(pdu, server("mallory.test"));
    CHECK(shared.alpha.receive(server("mallory.test"), wrong).judgement.verdict == Verdict::dropped);
  }
  SECTION("another server's signature under bravo's name") {
    Json wrong = shared.sign(pdu, server("mallory.test"));
    Json signatures = wrong["signatures"]["mallory.test"];
    wrong["signatures"] = {{"bravo.test", signatures}};
    CHECK(shared.alpha.receive(shared.bravo.name(), wrong).judgement.verdict == Verdict::dropped);
  }
  SECTION("a sender of another server") {
    pdu["sender"] = shared.alice.str();
    const Json wrong = shared.sign(pdu, shared.bravo.name());
    CHECK(shared.alpha.receive(shared.bravo.name(), wrong).judgement.verdict == Verdict::dropped);
  }
  SECTION("unsigned") {
    Json wrong = shared.sign(pdu, shared.bravo.name());
    wrong["signatures"] = Json::object();
    CHECK(shared.alpha.receive(shared.bravo.name(), wrong).judgement.verdict == Verdict::dropped);
  }
  SECTION("malformed") {
    for (const auto* key : {"room_id", "sender", "type", "content", "depth", "prev_events", "auth_events", "hashes"}) {
      Json wrong = shared.sign(pdu, shared.bravo.name());
      wrong.erase(key);
      CHECK(shared.alpha.receive(shared.bravo.name(), wrong).judgement.verdict == Verdict::dropped);
    }
    for (const Json& wrong : {Json(nullptr), Json::array(), Json("x"), Json(1)}) {
      CHECK(shared.alpha.receive(shared.bravo.name(), wrong).judgement.verdict == Verdict::dropped);
    }
  }
  CHECK(shared.alpha.heads(shared.room) == before);
  CHECK(shared.alpha.bodies(shared.room).empty());
}

TEST_CASE("an event whose hash does not hold counts in its redacted form only") {
  Shared shared;
  Json pdu = shared.sign(shared.forged(shared.bob.str(), "m.room.message", R"({"body":"meant"})"), shared.bravo.name());
  pdu["content"]["body"] = "changed on the way";
  const auto outcome = shared.alpha.receive(shared.bravo.name(), pdu);
  CHECK(outcome.judgement.verdict == Verdict::accepted);
  REQUIRE(shared.alpha.event(outcome.event));
  CHECK(shared.alpha.event(outcome.event)->event->content().empty());
}

TEST_CASE("a room that nobody here is in is none of ours") {
  Shared shared;
  TestServer& charlie = shared.world.add("charlie.test");
  const auto said = shared.alpha.say(shared.room, shared.alice, "hello");
  REQUIRE(said);
  const auto outcome = charlie.receive(shared.alpha.name(), shared.alpha.event(*said)->event->pdu());
  CHECK(outcome.judgement.verdict == Verdict::dropped);
  CHECK(charlie.rooms().rooms()->empty());
}

TEST_CASE("an event that is sent twice is judged once") {
  Shared shared;
  const auto said = shared.alpha.say(shared.room, shared.alice, "hello");
  REQUIRE(said);
  const Json pdu = shared.alpha.event(*said)->event->pdu();
  SECTION("one after the other") {
    CHECK(shared.bravo.receive(shared.alpha.name(), pdu).judgement.verdict == Verdict::accepted);
    CHECK(shared.bravo.receive(shared.alpha.name(), pdu).judgement.verdict == Verdict::accepted);
  }
  SECTION("while the first is in flight") {
    shared.bravo.rooms().hold();
    std::vector<Answer<homeserver::RemoteOutcome>> answers(2);
    for (auto& answer : answers) {
      shared.bravo.pipeline().submit_remote(shared.alpha.name(), pdu,
                                            [give = answer.giver()](auto outcome) { give(outcome); });
    }
    shared.bravo.rooms().let_go();
    for (auto& answer : answers) CHECK(answer.wait()->judgement.verdict == Verdict::accepted);
  }
  CHECK(shared.bravo.bodies(shared.room).size() == 1);
}

TEST_CASE("a banned user cannot rejoin through another server") {
  Shared shared;
  const UserId carol = user("@carol:charlie.test");
  TestServer& charlie = shared.join_from("charlie.test", carol);
  REQUIRE(shared.alpha.member(shared.room, shared.alice, carol, "ban"));
  shared.world.deliver();
  CHECK(charlie.membership_of(shared.room, carol) == "ban");
  for (auto* via : {&shared.alpha, &shared.bravo}) {
    const auto joined = charlie.membership().join(carol, shared.room, {via->name()}, "{}");
    REQUIRE_FALSE(joined);
    CHECK(joined.error().code == ErrorCode::forbidden);
  }
  CHECK(shared.bravo.membership_of(shared.room, carol) == "ban");
}

TEST_CASE("what a banned user says on an old branch is soft-failed") {
  Shared shared;
  // Bob writes on what he knew before the ban, which bravo has not heard of.
  REQUIRE(shared.alpha.member(shared.room, shared.alice, shared.bob, "ban"));
  const auto banned_at = shared.alpha.heads(shared.room);
  REQUIRE(shared.bravo.set(shared.room, shared.bob, "m.room.member",
                           R"({"membership":"join","displayname":"still here"})", shared.bob.str()));
  const auto evading = shared.bravo.say(shared.room, shared.bob, "you cannot ban me");
  REQUIRE(evading);
  shared.world.deliver(shared.bravo, shared.alpha);
  const auto stored = shared.alpha.event(*evading);
  REQUIRE(stored);
  CHECK(stored->judgement.verdict == Verdict::soft_failed);
  CHECK(shared.alpha.bodies(shared.room).empty());
  CHECK(shared.alpha.heads(shared.room) == banned_at);
  CHECK(shared.alpha.membership_of(shared.room, shared.bob) == "ban");

  // Once bravo hears of the ban, both know the same state.
  shared.world.deliver();
  CHECK(shared.bravo.membership_of(shared.room, shared.bob) == "ban");
}

TEST_CASE("what a policy server refuses is soft-failed with its rule") {
  Shared shared;
  shared.alpha.policy = [](const EventPtr& event) -> std::optional<Refused> {
    if (event->type() != "m.room.message") return std::nullopt;
    return Refused{"policy", "the policy server calls it spam"};
  };
  const auto said = shared.bravo.say(shared.room, shared.bob, "buy");
  REQUIRE(said);
  shared.world.deliver();
  CHECK(shared.alpha.bodies(shared.room).empty());
  const auto stored = shared.alpha.event(*said);
  REQUIRE(stored);
  CHECK(stored->judgement.verdict == Verdict::soft_failed);
  CHECK(stored->judgement.rule == "policy");
  CHECK(stored->judgement.reason == "the policy server calls it spam");
}

TEST_CASE("in old versions the event that came first keeps its id") {
  const auto version = GENERATE(as<std::string>(), "1", "2");
  Shared shared(version);
  Json first = shared.forged(shared.bob.str(), "m.room.message", R"({"body":"first"})");
  Json second = first;
  second["content"]["body"] = "second";
  const auto receive = [&](const Json& pdu) {
    return shared.alpha.receive(shared.bravo.name(), shared.sign(pdu, shared.bravo.name()));
  };
  CHECK(receive(first).judgement.verdict == Verdict::accepted);
  CHECK(receive(first).judgement.verdict == Verdict::accepted);
  CHECK(receive(second).judgement.verdict == Verdict::dropped);
  CHECK(shared.alpha.bodies(shared.room) == std::vector<std::string>{"first"});

  // A membership under that id would be answered with the room's state.
  Json join = shared.forged(shared.bob.str(), "m.room.member", R"({"membership":"join"})");
  join["state_key"] = shared.bob.str();
  CHECK_FALSE(shared.submit(shared.sign(join, shared.bravo.name()), shared.bravo.name()));
  join["event_id"] = "$free:bravo.test";
  CHECK(shared.submit(shared.sign(join, shared.bravo.name()), shared.bravo.name()));

  // Nor can it be had in another room.
  const RoomId known = shared.room;
  const auto other = shared.alpha.create(version, shared.alice);
  REQUIRE(other);
  REQUIRE(shared.bravo.membership().join(shared.bob, *other, {shared.alpha.name()}, "{}"));
  shared.world.deliver();
  shared.room = *other;
  const auto refused = receive(shared.forged(shared.bob.str(), "m.room.message", R"({"body":"other"})"));
  CHECK(refused.judgement.verdict == Verdict::dropped);
  CHECK(shared.alpha.bodies(*other).empty());
  CHECK(shared.alpha.event(refused.event)->event->room_id() == known);
  CHECK(shared.alpha.say(*other, shared.alice, "the room goes on"));
}

TEST_CASE("floats in events of old versions cross between servers") {
  Shared shared("5");
  Json pdu = shared.forged(shared.bob.str(), "m.room.message", R"({"body":"pi","about":3.14,"large":1e300})");
  const auto outcome = shared.alpha.receive(shared.bravo.name(), shared.sign(pdu, shared.bravo.name()));
  CHECK(outcome.judgement.verdict == Verdict::accepted);
  CHECK(shared.alpha.event(outcome.event)->event->content()["about"] == 3.14);
  // This server's own users write no such events.
  EventDraft draft;
  draft.room = shared.room;
  draft.sender = shared.alice;
  draft.type = "m.room.message";
  draft.content_json = R"({"body":"pi","about":3.14})";
  CHECK(shared.alpha.send(draft).error().code == ErrorCode::bad_json);
}

TEST_CASE("users cannot set power levels as texts where servers could") {
  Shared shared("9");
  const auto refused =
      shared.alpha.set(shared.room, shared.alice, "m.room.power_levels", R"({"users":{"@alice:alpha.test":"100"}})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::bad_json);
}

TEST_CASE("an event that was soft-failed counts again when others build on it") {
  Shared shared;
  const UserId carol = user("@carol:charlie.test");
  TestServer& charlie = shared.join_from("charlie.test", carol);
  // Charlie hears of bob's message, and of the ban only after it; alpha the other way round.
  REQUIRE(shared.alpha.member(shared.room, shared.alice, shared.bob, "ban"));
  const auto said = shared.bravo.say(shared.room, shared.bob, "before I heard of it");
  REQUIRE(said);
  shared.world.deliver(shared.bravo, charlie);
  shared.world.deliver(shared.bravo, shared.alpha);
  CHECK(shared.alpha.event(*said)->judgement.verdict == Verdict::soft_failed);
  CHECK(charlie.event(*said)->judgement.verdict == Verdict::accepted);
  shared.world.deliver(shared.alpha, charlie);
  const auto on_both = charlie.say(shared.room, carol, "on both");
  REQUIRE(on_both);
  CHECK(charlie.event(*on_both)->event->prev_events().size() == 2);
  shared.world.deliver();
  CHECK(shared.alpha.event(*on_both)->judgement.verdict == Verdict::accepted);
  CHECK(shared.alpha.heads(shared.room) == std::vector<EventId>{*on_both});
  CHECK(shared.alpha.state(shared.room) == charlie.state(shared.room));
  CHECK(shared.alpha.membership_of(shared.room, shared.bob) == "ban");
}

TEST_CASE("a rejected event stays out of state and heads and so do its claims") {
  Shared shared;
  const auto before = shared.alpha.heads(shared.room);
  const auto state = shared.alpha.state(shared.room);
  // Bob has no power to set the topic: his server sends it all the same.
  Json pdu = shared.forged(shared.bob.str(), "m.room.topic", R"({"topic":"mine"})");
  pdu["state_key"] = "";
  pdu = shared.sign(pdu, shared.bravo.name());
  const auto outcome = shared.alpha.receive(shared.bravo.name(), pdu);
  CHECK(outcome.judgement.verdict == Verdict::rejected);
  CHECK_FALSE(outcome.judgement.rule.empty());
  REQUIRE(shared.alpha.event(outcome.event));
  CHECK(shared.alpha.heads(shared.room) == before);
  CHECK(shared.alpha.state(shared.room) == state);

  // A message that stands on it is judged by the state without it.
  Json child = shared.forged(shared.bob.str(), "m.room.message", R"({"body":"on top"})");
  child["prev_events"] = {outcome.event.str()};
  const auto next = shared.alpha.receive(shared.bravo.name(), shared.sign(child, shared.bravo.name()));
  CHECK(next.judgement.verdict == Verdict::accepted);
  CHECK(shared.alpha.state(shared.room) == state);

  // One that cites it is rejected itself.
  Json citing = shared.forged(shared.bob.str(), "m.room.message", R"({"body":"because of it"})");
  citing["auth_events"].push_back(outcome.event.str());
  const auto cited = shared.alpha.receive(shared.bravo.name(), shared.sign(citing, shared.bravo.name()));
  CHECK(cited.judgement.verdict == Verdict::rejected);
}

TEST_CASE("a redaction that comes before its event applies when that comes") {
  Shared shared;
  const auto said = shared.bravo.say(shared.room, shared.bob, "oops");
  REQUIRE(said);
  shared.world.deliver(shared.bravo, shared.alpha);
  TestServer& charlie = shared.world.add("charlie.test");
  const UserId carol = charlie.user("carol");
  REQUIRE(charlie.membership().join(carol, shared.room, {shared.alpha.name()}, "{}"));
  shared.world.deliver();
  EventDraft redaction;
  redaction.room = shared.room;
  redaction.sender = shared.alice;
  redaction.type = "m.room.redaction";
  redaction.content_json = "{}";
  redaction.redacts = *said;
  const auto redacted = shared.alpha.send(redaction);
  REQUIRE(redacted);
  shared.world.deliver();
  // Charlie has the redaction; what it redacts was said before the join.
  CHECK_FALSE(charlie.event(*said));
  while (*charlie.pipeline().backfill(shared.room, 100)) {
  }
  REQUIRE(charlie.event(*said));
  REQUIRE(charlie.event(*said)->redacted_by);
  CHECK(*charlie.event(*said)->redacted_by == *redacted);
}

TEST_CASE("a redaction of another server's user without power is kept but not applied") {
  Shared shared;
  const auto said = shared.alpha.say(shared.room, shared.alice, "stays");
  REQUIRE(said);
  shared.world.deliver();
  EventDraft redaction;
  redaction.room = shared.room;
  redaction.sender = shared.bob;
  redaction.type = "m.room.redaction";
  redaction.content_json = "{}";
  redaction.redacts = *said;
  REQUIRE(shared.bravo.send(redaction));
  shared.world.deliver();
  CHECK_FALSE(shared.alpha.event(*said)->redacted_by);
  CHECK_FALSE(shared.bravo.event(*said)->redacted_by);
}

TEST_CASE("an event that cites another room is rejected") {
  Shared shared;
  const auto other = shared.alpha.create("12", shared.alice);
  REQUIRE(other);
  const auto topic =
      shared.alpha.set(*other, shared.alice, "m.room.power_levels", R"({"users":{"@bob:bravo.test":99}})");
  REQUIRE(topic);
  Json pdu = shared.forged(shared.bob.str(), "m.room.message", R"({"body":"by another room's leave"})");
  pdu["auth_events"].push_back(topic->str());
  const auto outcome = shared.alpha.receive(shared.bravo.name(), shared.sign(pdu, shared.bravo.name()));
  CHECK(outcome.judgement.verdict == Verdict::rejected);
}

TEST_CASE("an event that names another room's event as the one before it is dropped") {
  Shared shared;
  const auto other = shared.alpha.create("12", shared.alice);
  REQUIRE(other);
  Json pdu = shared.forged(shared.bob.str(), "m.room.message", R"({"body":"hello"})");
  pdu["prev_events"] = {shared.alpha.heads(*other).front().str()};
  const auto outcome = shared.alpha.receive(shared.bravo.name(), shared.sign(pdu, shared.bravo.name()));
  CHECK(outcome.judgement.verdict == Verdict::dropped);
  CHECK(shared.alpha.heads(shared.room).size() == 1);
}

TEST_CASE("a redaction does not reach into another room") {
  Shared shared;
  const auto other = shared.alpha.create("12", shared.alice);
  REQUIRE(other);
  const auto said = shared.alpha.say(*other, shared.alice, "elsewhere");
  REQUIRE(said);
  EventDraft redaction;
  redaction.room = shared.room;
  redaction.sender = shared.alice;
  redaction.type = "m.room.redaction";
  redaction.content_json = "{}";
  redaction.redacts = *said;
  REQUIRE(shared.alpha.send(redaction));
  CHECK_FALSE(shared.alpha.event(*said)->redacted_by);
}

TEST_CASE("a server that the access list shuts out is not listened to") {
  Shared shared;
  REQUIRE(shared.alpha.set(shared.room, shared.alice, "m.room.server_acl", R"({"allow":["*"],"deny":["bravo.test"]})"));
  const auto said = shared.bravo.say(shared.room, shared.bob, "can you hear me?");
  REQUIRE(said);
  const auto outcome = shared.alpha.receive(shared.bravo.name(), shared.bravo.event(*said)->event->pdu());
  CHECK(outcome.judgement.verdict == Verdict::dropped);
  CHECK(shared.alpha.bodies(shared.room).empty());
}

TEST_CASE("server ACLs match names without ports and literals as told") {
  const auto allows = [](const std::string& content, const std::string& name) {
    return homeserver::server_acl_allows(Json::parse(content), server(name));
  };
  CHECK(allows(R"({"allow":["*"]})", "evil.com"));
  CHECK_FALSE(allows(R"({"allow":["*"],"deny":["evil.com"]})", "evil.com"));
  CHECK_FALSE(allows(R"({"allow":["*"],"deny":["EVIL.com"]})", "evil.com:1234"));
  CHECK_FALSE(allows(R"({"allow":["*"],"deny":["*.evil.com"]})", "a.b.evil.com"));
  CHECK(allows(R"({"allow":["*"],"deny":["*.evil.com"]})", "evil.com"));
  CHECK(allows(R"({"allow":["good?.org"]})", "good1.org"));
  CHECK_FALSE(allows(R"({"allow":["good?.org"]})", "good12.org"));
  CHECK_FALSE(allows(R"({})", "good.org"));
  CHECK_FALSE(allows(R"({"allow":["*"],"allow_ip_literals":false})", "1.2.3.4:8448"));
  CHECK_FALSE(allows(R"({"allow":["*"],"allow_ip_literals":false})", "[::1]"));
  CHECK(allows(R"({"allow":["*"],"allow_ip_literals":true})", "[::1]:8448"));
  CHECK(allows(R"({"allow":["*"],"allow_ip_literals":"no"})", "1.2.3.4"));
}

TEST_CASE("history visibility decides who sees what") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const UserId bob = alpha.user("bob");
  const UserId stranger = alpha.user("stranger");
  const auto room = alpha.create("12", alice, "public");
  REQUIRE(room);
  const auto sees = [&](const UserId& who, const Result<EventId>& id) {
    const auto may = alpha.reader().may_see(who, *alpha.event(*id));
    return may && *may;
  };
  const auto shared_before = alpha.say(*room, alice, "shared");
  REQUIRE(alpha.set(*room, alice, "m.room.history_visibility", R"({"history_visibility":"joined"})"));
  const auto joined_only = alpha.say(*room, alice, "joined only");
  REQUIRE(alpha.set(*room, alice, "m.room.history_visibility", R"({"history_visibility":"invited"})"));
  REQUIRE(alpha.member(*room, alice, bob, "invite"));
  const auto since_invite = alpha.say(*room, alice, "since the invite");
  CHECK_FALSE(sees(bob, shared_before));
  CHECK_FALSE(sees(bob, joined_only));
  CHECK(sees(bob, since_invite));
  REQUIRE(alpha.member(*room, bob, bob, "join"));
  const auto while_joined = alpha.say(*room, alice, "while joined");
  CHECK(sees(bob, shared_before));
  CHECK_FALSE(sees(bob, joined_only));
  CHECK(sees(bob, while_joined));
  const auto left = alpha.member(*room, bob, bob, "leave");
  CHECK(sees(bob, left));
  REQUIRE(alpha.set(*room, alice, "m.room.history_visibility", R"({"history_visibility":"shared"})"));
  const auto after = alpha.say(*room, alice, "after");
  CHECK(sees(bob, shared_before));
  CHECK(sees(bob, while_joined));
  CHECK_FALSE(sees(bob, after));
  CHECK_FALSE(sees(stranger, shared_before));
  REQUIRE(alpha.set(*room, alice, "m.room.history_visibility", R"({"history_visibility":"world_readable"})"));
  CHECK(sees(stranger, alpha.say(*room, alice, "to the world")));
}
