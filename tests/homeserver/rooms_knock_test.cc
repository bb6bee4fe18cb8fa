// Knocking: asking to be let into a room, here and through other servers, and how the room answers.
#include <catch2/catch.hpp>

#include "tests/homeserver/shared_room.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string versions[] = {"7", "8", "9", "10", "11", "12"};

// A room of alpha's alice that one may knock on, and bravo's bob, whose server is not in it.
struct Closed {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  UserId alice = alpha.user("alice");
  UserId bob = bravo.user("bob");
  RoomId room;

  explicit Closed(const std::string& version = "12", const std::string& join_rule = "knock") {
    const auto created = alpha.create(version, alice, join_rule);
    REQUIRE(created);
    room = *created;
  }

  Result<RoomId> knock() { return bravo.membership().knock(bob, room, {alpha.name()}, R"({"reason":"it is me"})"); }
  // What bob's clients are told of the room.
  std::optional<storage::StrippedInvite> known() {
    auto list = *bravo.rooms().stripped_invites(bob);
    return list.empty() ? std::nullopt : std::optional(list.front());
  }
  std::string standing() { return known() ? known()->membership : "nothing"; }
};

bool tells(const storage::StrippedInvite& known, const std::string& type) {
  const Json events = *parse_stored(known.stripped_state_json);
  return std::any_of(events.begin(), events.end(), [&](const Json& event) { return event.at("type") == type; });
}

}  // namespace

TEST_CASE("one who knocks through another server is invited and joins") {
  const auto version = GENERATE(from_range(std::begin(versions), std::end(versions)));
  Closed closed(version);
  REQUIRE(closed.knock());
  CHECK(closed.alpha.membership_of(closed.room, closed.bob) == "knock");
  REQUIRE(closed.standing() == "knock");
  CHECK(tells(*closed.known(), "m.room.create"));
  CHECK(tells(*closed.known(), "m.room.join_rules"));
  CHECK(closed.known()->stripped_state_json.find("it is me") != std::string::npos);
  CHECK(closed.known()->stripped_state_json.find("signatures") == std::string::npos);
  CHECK(closed.bravo.notified() == std::vector<UserId>{closed.bob});

  REQUIRE(closed.alpha.membership().invite(closed.alice, closed.bob, closed.room, "{}"));
  CHECK(closed.standing() == "invite");
  REQUIRE(closed.bravo.membership().join(closed.bob, closed.room, {}, "{}"));
  CHECK(closed.alpha.membership_of(closed.room, closed.bob) == "join");
  CHECK(closed.standing() == "leave");
}

TEST_CASE("one whose knock is turned down is told so, also by a ban and after a restart") {
  const std::string answer = GENERATE("leave", "ban");
  const auto version = GENERATE("7", "12");
  Closed closed(version);
  REQUIRE(closed.knock());
  closed.bravo.restart();
  REQUIRE(closed.standing() == "knock");
  REQUIRE(closed.alpha.member(closed.room, closed.alice, closed.bob, answer));
  closed.world.deliver();
  CHECK(closed.standing() == "leave");
  const Json event = *parse_stored(closed.known()->event_json);
  CHECK(event.at("sender") == closed.alice.str());
  CHECK(event.at("content").at("membership") == answer);
}

TEST_CASE("an invitation that is taken back ends where the room is not known") {
  Closed closed("12", "invite");
  REQUIRE(closed.alpha.membership().invite(closed.alice, closed.bob, closed.room, "{}"));
  REQUIRE(closed.standing() == "invite");
  REQUIRE(closed.alpha.member(closed.room, closed.alice, closed.bob, "leave"));
  closed.world.deliver();
  CHECK(closed.standing() == "leave");
}

TEST_CASE("a knock can be taken back, also where the room's id names no server") {
  const auto version = GENERATE("7", "12");
  Closed closed(version);
  REQUIRE(closed.knock());
  REQUIRE(closed.bravo.membership().leave(closed.bob, closed.room, "{}"));
  CHECK(closed.standing() == "leave");
  CHECK(closed.alpha.membership_of(closed.room, closed.bob) == "leave");
  // And done again.
  REQUIRE(closed.knock());
  CHECK(closed.standing() == "knock");
  CHECK(closed.alpha.membership_of(closed.room, closed.bob) == "knock");
}

TEST_CASE("nobody knocks where the room does not allow it, or after a ban") {
  const auto [version, rule] = GENERATE(table<std::string, std::string>(
      {{"12", "invite"}, {"12", "public"}, {"6", "knock"}, {"9", "knock_restricted"}, {"12", "restricted"}}));
  Closed closed(version, rule);
  const auto knocked = closed.knock();
  REQUIRE_FALSE(knocked);
  CHECK(knocked.error().code == ErrorCode::forbidden);
  CHECK(closed.standing() == "nothing");

  Closed banned("12", "knock");
  REQUIRE(banned.alpha.member(banned.room, banned.alice, banned.bob, "ban"));
  const auto refused = banned.knock();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::forbidden);
}

TEST_CASE("one may knock on a room that also lets members of others in") {
  Closed closed(GENERATE("10", "12"), "knock_restricted");
  REQUIRE(closed.knock());
  CHECK(closed.standing() == "knock");
}

TEST_CASE("a user knocks on a room that the server is in") {
  Shared shared("12", "knock");  // bob was invited
  const UserId ben = shared.bravo.user("ben");
  REQUIRE(shared.bravo.membership().knock(ben, shared.room, {}, "{}"));
  shared.world.deliver();
  CHECK(shared.world.asked("make_knock") == 0);
  CHECK(shared.alpha.membership_of(shared.room, ben) == "knock");
  REQUIRE(shared.bravo.membership().leave(ben, shared.room, "{}"));
  shared.world.deliver();
  CHECK(shared.alpha.membership_of(shared.room, ben) == "leave");
  CHECK(shared.agree());
}

TEST_CASE("a server that is not in the room cannot end another's knock") {
  Closed closed;
  REQUIRE(closed.knock());
  TestServer& mallory = closed.world.add("mallory.test");
  const RoomRules& rules = *find_room_rules("12");
  const auto heads = closed.alpha.heads(closed.room);
  // The room's other events are known to many; the knock's id only to those in the room.
  Json pdu = {{"type", "m.room.member"},
              {"room_id", closed.room.str()},
              {"sender", mallory.user("mallory").str()},
              {"state_key", closed.bob.str()},
              {"content", {{"membership", "leave"}}},
              {"origin_server_ts", 1'700'000'000'000},
              {"depth", 10},
              {"prev_events", {"$" + std::string(43, 'A')}},
              {"auth_events", {"$" + std::string(43, 'B')}}};
  REQUIRE(hash_and_sign_event(rules, pdu, mallory.name(), key_of(mallory.name())));
  CHECK(closed.bravo.receive(mallory.name(), pdu).judgement.verdict == Verdict::dropped);
  CHECK(closed.standing() == "knock");
  // Nor does a copy with an alien signature count.
  REQUIRE(closed.alpha.member(closed.room, closed.alice, closed.bob, "leave"));
  Json real = closed.alpha.event(closed.alpha.heads(closed.room).front())->event->pdu();
  Json forged = real;
  forged["content"]["membership"] = "ban";
  forged["depth"] = 99;
  CHECK(closed.bravo.receive(mallory.name(), forged).judgement.verdict == Verdict::dropped);
  CHECK(closed.standing() == "knock");
  // The real one may come from anybody.
  CHECK(closed.bravo.receive(mallory.name(), real).judgement.verdict == Verdict::accepted);
  CHECK(closed.standing() == "leave");
}

TEST_CASE("what a server tells of its room to one who knocks must be of that room and signed") {
  const std::string version = GENERATE("11", "12");
  Closed closed(version);
  closed.world.twist_knock_state = [&](std::vector<Json>& state) {
    for (auto& event : state) {
      if (event.at("type") == "m.room.join_rules") event["depth"] = 77;
    }
    state.push_back({{"type", "m.room.name"},
                     {"state_key", ""},
                     {"sender", closed.alice.str()},
                     {"content", {{"name", "Not so"}}}});
    state.resize(1'000, Json::object());
  };
  REQUIRE(closed.knock());
  CHECK(tells(*closed.known(), "m.room.create"));
  CHECK_FALSE(tells(*closed.known(), "m.room.join_rules"));
  // Only where the room's id proves its events is what comes stripped refused.
  CHECK(tells(*closed.known(), "m.room.name") == (version == "11"));
}

TEST_CASE("a knock that no server takes is an error that tells why") {
  Closed closed;
  closed.world.cut(closed.alpha.name(), closed.bravo.name());
  const auto unreachable = closed.knock();
  REQUIRE_FALSE(unreachable);
  CHECK(unreachable.error().code == ErrorCode::unreachable);
  const auto nowhere = closed.bravo.membership().knock(closed.bob, closed.room, {}, "{}");
  REQUIRE_FALSE(nowhere);
  CHECK(nowhere.error().code == ErrorCode::not_found);
}
