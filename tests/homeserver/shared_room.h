// A room that two servers share, and what one of them may claim in it.
#pragma once

#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "tests/homeserver/rooms_world.h"

namespace skerry::test {

// A public room of alpha's alice that bravo's bob has joined.
struct Shared {
  World world;
  TestServer& alpha = world.add("alpha.test");
  TestServer& bravo = world.add("bravo.test");
  UserId alice = alpha.user("alice");
  UserId bob = bravo.user("bob");
  RoomId room;

  explicit Shared(const std::string& version = "12", const std::string& join_rule = "public") {
    const auto created = alpha.create(version, alice, join_rule);
    REQUIRE(created);
    room = *created;
    if (join_rule != "public") REQUIRE(alpha.membership().invite(alice, bob, room, "{}"));
    const auto joined = bravo.membership().join(bob, room, {alpha.name()}, "{}");
    if (!joined) FAIL(joined.error().text);
    world.deliver();
  }

  // Third parties come in through alpha.
  TestServer& join_from(const std::string& name, const UserId& user) {
    TestServer& server = world.add(name);
    const auto joined = server.membership().join(user, room, {alpha.name()}, "{}");
    if (!joined) FAIL(joined.error().text);
    world.deliver();
    return server;
  }

  bool agree() { return alpha.heads(room) == bravo.heads(room) && alpha.state(room) == bravo.state(room); }

  // An event of bob's on top of what bravo knows, made but not sent.
  Json forged(const std::string& sender, const std::string& type, const std::string& content) {
    const auto head = bravo.rooms().head(room);
    const RoomRules& rules = **bravo.reader().rules(room);
    const auto cite = [&](const EventId& id) { return citation_of(rules, *bravo.event(id)->event); };
    Json auth_events = Json::array();
    for (const auto& [type_of, key] : {std::pair("m.room.create", std::string()),
                                       {"m.room.power_levels", std::string()},
                                       {"m.room.member", sender}}) {
      if (std::string(type_of) == "m.room.create" && rules.room_id_is_create_hash) continue;
      const auto state = bravo.state(room);
      if (const auto found = state.find({type_of, key}); found != state.end())
        auth_events.push_back(cite(found->second));
    }
    Json prev = Json::array();
    for (const auto& id : (*head)->heads) prev.push_back(cite(id));
    Json pdu = {{"room_id", room.str()},
                {"sender", sender},
                {"type", type},
                {"content", Json::parse(content)},
                {"depth", (*head)->depth + 1},
                {"prev_events", prev},
                {"auth_events", auth_events},
                {"origin_server_ts", 1'700'000'500'000}};
    if (rules.event_ids == RoomRules::EventIds::in_event) pdu["event_id"] = "$forged:bravo.test";
    return pdu;
  }
  // What send_join and its like hand to alpha.
  Result<homeserver::RoomAtEvent> submit(const Json& signed_pdu, const ServerName& origin) {
    Answer<homeserver::RoomAtEvent> answer;
    alpha.pipeline().submit_signed_membership(origin, signed_pdu, [give = answer.giver()](auto at) { give(at); });
    return answer.wait();
  }
  Json sign(Json pdu, const ServerName& by) {
    REQUIRE(hash_and_sign_event(**bravo.reader().rules(room), pdu, by, key_of(by)));
    return pdu;
  }
};

}  // namespace skerry::test
