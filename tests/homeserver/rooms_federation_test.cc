// Rooms of several servers: joining, talking, splitting, merging, and what others send that must not count.
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
