// What a server's own users do in its rooms.
#include <catch2/catch.hpp>

#include "core/limits.h"
#include "tests/homeserver/rooms_world.h"

using namespace skerry;
using namespace skerry::test;

namespace {

EventDraft message(const RoomId& room, const UserId& sender, const std::string& transaction) {
  EventDraft draft;
  draft.room = room;
  draft.sender = sender;
  draft.type = "m.room.message";
  draft.content_json = R"({"body":"once","msgtype":"m.text"})";
  draft.transaction =
      storage::ClientTransaction{sender, "DEVICE", "send/" + room.str() + "/m.room.message", transaction};
  return draft;
}

}  // namespace

TEST_CASE("messages of a new room form one chain in every room version") {
  const auto version = GENERATE(as<std::string>(), "1", "2", "3", "5", "9", "10", "11", "12");
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create(version, alice);
  REQUIRE(room);
  CHECK(alpha.state(*room).size() == 4);
  CHECK(alpha.membership_of(*room, alice) == "join");
  CHECK((room->str().find(':') == std::string::npos) == (version == "12"));

  const auto first = alpha.say(*room, alice, "one");
  REQUIRE(first);
  const auto second = alpha.say(*room, alice, "two");
  REQUIRE(second);
  CHECK(alpha.bodies(*room) == std::vector<std::string>{"one", "two"});
  CHECK(alpha.event(*second)->event->prev_events() == std::vector<EventId>{*first});
  CHECK(alpha.event(*second)->event->depth() == alpha.event(*first)->event->depth() + 1);
  CHECK(alpha.heads(*room) == std::vector<EventId>{*second});
}

TEST_CASE("a message makes no new state") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create("12", alice);
  REQUIRE(room);
  const auto states = alpha.rooms().states_made();
  for (int i = 0; i < 20; ++i) REQUIRE(alpha.say(*room, alice, "hello"));
  CHECK(alpha.rooms().states_made() == states);
}

TEST_CASE("a transaction id makes one event however often it is sent") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create("12", alice);
  REQUIRE(room);
  SECTION("after the first was committed") {
    const auto first = alpha.send(message(*room, alice, "t1"));
    REQUIRE(first);
    CHECK(alpha.send(message(*room, alice, "t1")) == *first);
  }
  SECTION("while the first is in flight") {
    alpha.rooms().hold();
    Answer<EventId> one;
    Answer<EventId> two;
    alpha.pipeline().submit_local(message(*room, alice, "t1"), [give = one.giver()](auto event) { give(event); });
    alpha.pipeline().submit_local(message(*room, alice, "t1"), [give = two.giver()](auto event) { give(event); });
    alpha.rooms().let_go();
    const auto first = one.wait();
    REQUIRE(first);
    CHECK(two.wait() == *first);
  }
  SECTION("after a restart") {
    const auto first = alpha.send(message(*room, alice, "t1"));
    REQUIRE(first);
    alpha.restart();
    CHECK(alpha.send(message(*room, alice, "t1")) == *first);
  }
  CHECK(alpha.bodies(*room).size() == 1);
}

TEST_CASE("another device may use the same transaction id") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create("12", alice);
  REQUIRE(room);
  auto draft = message(*room, alice, "t1");
  const auto first = alpha.send(draft);
  draft.transaction->device = "OTHER";
  const auto second = alpha.send(draft);
  REQUIRE(first);
  REQUIRE(second);
  CHECK(*first != *second);
}

TEST_CASE("concurrent senders build one chain") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create("12", alice);
  REQUIRE(room);
  constexpr int count = 200;
  std::vector<Answer<EventId>> answers(count);
  std::vector<std::thread> senders;
  for (int t = 0; t < 4; ++t) {
    senders.emplace_back([&, t] {
      for (int i = t; i < count; i += 4) {
        EventDraft draft = message(*room, alice, "t" + std::to_string(i));
        alpha.pipeline().submit_local(draft,
                                      [give = answers[static_cast<std::size_t>(i)].giver()](auto id) { give(id); });
      }
    });
  }
  for (auto& sender : senders) sender.join();
  std::set<EventId> prevs;
  for (auto& answer : answers) {
    const auto id = answer.wait();
    REQUIRE(id);
    const auto stored = alpha.event(*id);
    REQUIRE(stored);
    REQUIRE(stored->event->prev_events().size() == 1);
    prevs.insert(stored->event->prev_events().front());
  }
  CHECK(prevs.size() == count);
  CHECK(alpha.heads(*room).size() == 1);
}

TEST_CASE("what the rules refuse is answered with the rule and stores nothing") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const UserId mallory = alpha.user("mallory");
  const auto room = alpha.create("11", alice, "invite");
  REQUIRE(room);
  const auto before = alpha.heads(*room);

  const auto message_of_stranger = alpha.say(*room, mallory, "let me in");
  REQUIRE_FALSE(message_of_stranger);
  CHECK(message_of_stranger.error().code == ErrorCode::forbidden);
  CHECK(message_of_stranger.error().text.find("rule 5") != std::string::npos);
  const auto join = alpha.member(*room, mallory, mallory, "join");
  REQUIRE_FALSE(join);
  CHECK(join.error().code == ErrorCode::forbidden);
  CHECK(alpha.heads(*room) == before);
}

TEST_CASE("content without canonical form and events that are too large are refused") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create("12", alice);
  REQUIRE(room);
  const auto with_float = alpha.set(*room, alice, "test.state", R"({"a":1.5})");
  REQUIRE_FALSE(with_float);
  CHECK(with_float.error().code == ErrorCode::bad_json);
  const auto not_an_object = alpha.set(*room, alice, "test.state", "[]");
  REQUIRE_FALSE(not_an_object);
  CHECK(not_an_object.error().code == ErrorCode::bad_json);
  const auto large = alpha.say(*room, alice, std::string(limits::event_bytes, 'x'));
  REQUIRE_FALSE(large);
  CHECK(large.error().code == ErrorCode::too_large);
  CHECK(alpha.say(*room, alice, "and the room goes on"));
}

TEST_CASE("a room is created whole or not at all") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  EventDraft of_another;
  of_another.type = "m.room.topic";
  of_another.sender = alpha.user("bob");
  of_another.state_key = "";
  of_another.content_json = "{}";
  const auto refused = alpha.create("12", alice, "public", {of_another});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::invalid_room_state);
  CHECK(alpha.rooms().rooms()->empty());
  const auto unknown = [&] {
    Answer<RoomId> answer;
    alpha.pipeline().create_room("13", alice, "{}", {}, [give = answer.giver()](auto room) { give(room); });
    return answer.wait();
  }();
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == ErrorCode::unsupported_room_version);
}

TEST_CASE("a commit that fails takes along what was built on it and the room recovers") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create("12", alice);
  REQUIRE(room);
  REQUIRE(alpha.say(*room, alice, "before"));
  const auto before = alpha.heads(*room);

  alpha.rooms().hold();
  std::vector<Answer<EventId>> answers(3);
  for (int i = 0; i < 3; ++i) {
    alpha.pipeline().submit_local(message(*room, alice, "t" + std::to_string(i)),
                                  [give = answers[static_cast<std::size_t>(i)].giver()](auto id) { give(id); });
  }
  while (alpha.rooms().held() < 3) std::this_thread::yield();
  alpha.rooms().fail_held();
  for (auto& answer : answers) {
    const auto id = answer.wait();
    REQUIRE_FALSE(id);
    CHECK(id.error().code == ErrorCode::storage);
  }
  CHECK(alpha.heads(*room) == before);

  const auto after = alpha.send(message(*room, alice, "t0"));
  REQUIRE(after);
  CHECK(alpha.event(*after)->event->prev_events() == before);
}

TEST_CASE("a restart continues from the heads") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create("12", alice);
  REQUIRE(room);
  const auto before = alpha.say(*room, alice, "before");
  REQUIRE(before);
  alpha.restart();
  const auto after = alpha.say(*room, alice, "after");
  REQUIRE(after);
  CHECK(alpha.event(*after)->event->prev_events() == std::vector<EventId>{*before});
  CHECK(alpha.bodies(*room) == std::vector<std::string>{"before", "after"});
}

TEST_CASE("users of this server hear of what concerns them") {
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const UserId bob = alpha.user("bob");
  const auto room = alpha.create("12", alice, "invite");
  REQUIRE(room);
  REQUIRE(alpha.member(*room, alice, bob, "invite"));
  // Who sends is answered first. When something else was answered afterwards, all before it was told.
  const auto told_to_bob = [&] {
    REQUIRE(alpha.say(*room, alice, "not for bob"));
    const auto notified = alpha.notified();
    return std::count(notified.begin(), notified.end(), bob);
  };
  CHECK(told_to_bob() == 1);
  CHECK(told_to_bob() == 1);
  REQUIRE(alpha.member(*room, bob, bob, "join"));
  REQUIRE(alpha.say(*room, alice, "for both"));
  REQUIRE(alpha.member(*room, alice, bob, "leave"));
  CHECK(told_to_bob() == 4);
}

TEST_CASE("a redaction applies to events of the same server and by those who may redact") {
  const auto version = GENERATE(as<std::string>(), "1", "2", "3", "5", "9", "10", "11", "12");
  World world;
  TestServer& alpha = world.add("alpha.test");
  const UserId alice = alpha.user("alice");
  const auto room = alpha.create(version, alice);
  REQUIRE(room);
  const auto said = alpha.say(*room, alice, "oops");
  REQUIRE(said);
  EventDraft redaction;
  redaction.room = *room;
  redaction.sender = alice;
  redaction.type = "m.room.redaction";
  redaction.content_json = R"({"reason":"typo"})";
  redaction.redacts = *said;
  const auto redacted = alpha.send(redaction);
  REQUIRE(redacted);
  REQUIRE(alpha.event(*said)->redacted_by);
  CHECK(*alpha.event(*said)->redacted_by == *redacted);
  const Json shown = homeserver::client_event(*alpha.event(*said), alpha.rooms(), 0, alice, "", true);
  CHECK(shown["content"].empty());
  CHECK(shown["unsigned"]["redacted_because"]["event_id"] == redacted->str());
  CHECK(shown["unsigned"]["redacted_because"]["redacts"] == said->str());
}
