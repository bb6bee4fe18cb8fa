// Rules 1, 2, 4 and 6 to 11 of version 12, with their numbers in versions 10 and 11.
#include "core/authorization.h"

#include "tests/core/authorization_cases.h"

namespace skerry::test {
namespace {

// A create event of the version, changed before it is hashed and signed.
EventPtr create_event(std::string_view version, const std::function<void(Json&)>& change) {
  const RoomBuilder room(version);
  Json pdu = room.create()->pdu();
  change(pdu);
  return Event::make(room.rules(), std::move(pdu)).value();
}

std::string refusal_of_create(std::string_view version, const std::function<void(Json&)>& change) {
  const RoomBuilder room(version);
  return room.refusing_rule({}, create_event(version, change));
}

TEST_CASE("rule 1: a create event begins a room") {
  for (const char* version : all_versions) {
    INFO(version);
    CHECK(refusal_of_create(version, [](Json&) {}).empty());
    CHECK(refusal_of_create(
              version, [](Json& e) { e["prev_events"] = {"$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg"}; }) == "1.1");
    CHECK(refusal_of_create(version, [](Json& e) { e["content"]["room_version"] = "nonsense"; }) == "1.3");
    CHECK(refusal_of_create(version, [](Json& e) { e["content"]["room_version"] = 12; }) == "1.3");
    CHECK(refusal_of_create(version, [](Json& e) { e["content"].erase("room_version"); }).empty());
  }
}

TEST_CASE("rule 1.2: until version 11 the room id is of the sender's server") {
  for (const char* version : {"10", "11"}) {
    CHECK(refusal_of_create(version, [](Json& e) { e["room_id"] = "!room:other.test"; }) == "1.2");
  }
}

TEST_CASE("rule 1.4: version 10 wants a creator and version 11 does not") {
  const auto without_creator = [](Json& e) { e["content"].erase("creator"); };
  CHECK(refusal_of_create("10", without_creator) == "1.4");
  CHECK(refusal_of_create("11", without_creator).empty());
}

TEST_CASE("rule 1.4: version 12 wants additional creators to be user ids") {
  const auto refusal = [](const Json& additional) {
    return refusal_of_create("12", [&](Json& e) { e["content"]["additional_creators"] = additional; });
  };
  CHECK(refusal(Json::array()).empty());
  CHECK(refusal({"@bob:bravo.test"}).empty());
  CHECK(refusal({"@bob:bravo.test", 1}) == "1.4");
  CHECK(refusal({"bob"}) == "1.4");
  CHECK(refusal("@bob:bravo.test") == "1.4");
  CHECK(refusal_of_create("11", [](Json& e) { e["content"]["additional_creators"] = 1; }).empty());
}

TEST_CASE("rule 2: in version 12 an event is of the room that its create event names") {
  PeopledRoom here("12");
  const RoomBuilder other("12", bob);
  const EventPtr event = here.room.make(here.tip, {alice, "x", std::nullopt, "{}", 0, {}});
  const StateLookup nothing = [](std::string_view, std::string_view) { return EventPtr(); };
  const AuthVerdict verdict = authorize(here.room.rules(), *event, other.create(), nothing);
  REQUIRE(std::holds_alternative<Refused>(verdict));
  CHECK(std::get<Refused>(verdict).rule == "2");
  const AuthVerdict without = authorize(here.room.rules(), *event, nullptr, nothing);
  REQUIRE(std::holds_alternative<Missing>(without));
  CHECK(std::get<Missing>(without).ids == std::vector{here.room.create()->id()});
}

TEST_CASE("without a create event nothing is allowed before version 12") {
  PeopledRoom here("11");
  const EventPtr event = here.room.make(here.tip, {alice, "x", std::nullopt, "{}", 0, {}});
  const AuthVerdict verdict =
      authorize(here.room.rules(), *event, nullptr, [](std::string_view, std::string_view) { return EventPtr(); });
  REQUIRE(std::holds_alternative<Refused>(verdict));
  CHECK(std::get<Refused>(verdict).rule == "2.4");
}

TEST_CASE("rule 4: a room that does not federate is closed to other servers") {
  for (const char* version : all_versions) {
    const EventPtr create = create_event(version, [](Json& e) { e["content"]["m.federate"] = false; });
    PeopledRoom here(version);
    const auto refusal = [&](const UserId& sender) -> std::string {
      Json pdu = here.room.pdu(here.tip, {sender, "x", std::nullopt, "{}", 0, {}});
      pdu["room_id"] = create->room_id().str();
      const EventPtr event = Event::make(here.room.rules(), pdu).value();
      const AuthVerdict verdict = authorize(
          here.room.rules(), *event, create,
          [&](std::string_view type, std::string_view key) { return here.room.in_state(here.tip.state, type, key); });
      const auto* refused = std::get_if<Refused>(&verdict);
      return refused == nullptr ? "" : refused->rule;
    };
    CHECK(refusal(carol) == here.rule("4", "3"));
    CHECK(refusal(alice).empty());
  }
}

TEST_CASE("rule 6: only who is in the room sends") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.refusal({carol, "m.room.message", std::nullopt, "{}", 0, {}}).empty());
    CHECK(here.refusal({dave, "m.room.message", std::nullopt, "{}", 0, {}}) == here.rule("6", "5"));
    CHECK(here.refusal({mallory, "m.room.message", std::nullopt, "{}", 0, {}}) == here.rule("6", "5"));
    here.room.member(here.tip, alice, dave, "invite");
    CHECK(here.refusal({dave, "m.room.message", std::nullopt, "{}", 0, {}}) == here.rule("6", "5"));
  }
}

TEST_CASE("rule 7: a third party invite takes the invite level and nothing else") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    const auto refusal = [&](const UserId& sender) {
      return here.refusal({sender, "m.room.third_party_invite", "token", "{}", 0, {}});
    };
    CHECK(refusal(carol).empty());
    CHECK(refusal(dave) == here.rule("6", "5"));
    here.room.state(here.tip, alice, "m.room.power_levels", here.levels({{bob.str(), 50}}, {{"invite", 50}}));
    CHECK(refusal(carol) == here.rule("7.1", "6.1"));
    CHECK(refusal(bob).empty());
  }
}

TEST_CASE("rule 8: the event type's level") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    const auto state_refusal = [&](const UserId& sender, const char* type) {
      return here.refusal({sender, type, "", "{}", 0, {}});
    };
    CHECK(state_refusal(bob, "m.room.topic").empty());
    CHECK(state_refusal(carol, "m.room.topic") == here.rule("8", "7"));
    here.room.state(here.tip, alice, "m.room.power_levels",
                    here.levels({{bob.str(), 50}}, {{"events", {{"m.room.topic", 0}, {"m.room.message", 50}}},
                                                    {"events_default", 1},
                                                    {"state_default", 60}}));
    CHECK(state_refusal(carol, "m.room.topic").empty());
    CHECK(state_refusal(bob, "m.room.name") == here.rule("8", "7"));
    CHECK(here.refusal({bob, "m.room.message", std::nullopt, "{}", 0, {}}).empty());
    CHECK(here.refusal({carol, "m.room.message", std::nullopt, "{}", 0, {}}) == here.rule("8", "7"));
    CHECK(here.refusal({carol, "x", std::nullopt, "{}", 0, {}}) == here.rule("8", "7"));
  }
}

TEST_CASE("rule 8: without power levels the creator has power and others send messages only") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    RoomBuilder::Tip tip = room.at_create();
    room.join(tip, alice);
    room.state(tip, alice, "m.room.join_rules", R"({"join_rule":"public"})");
    room.join(tip, carol);
    const auto refusal = [&](const UserId& sender, std::optional<std::string> key) {
      return room.refusing_rule(tip, room.make(tip, {sender, "x", std::move(key), "{}", 0, {}}));
    };
    CHECK(refusal(alice, "").empty());
    CHECK(refusal(carol, std::nullopt).empty());
    CHECK(refusal(carol, "") == (room.rules().version == "12" ? "8" : "7"));
  }
}

TEST_CASE("rule 9: a state key that is a user id is that user's own") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.refusal({bob, "x", bob.str(), "{}", 0, {}}).empty());
    CHECK(here.refusal({bob, "x", carol.str(), "{}", 0, {}}) == here.rule("9", "8"));
    CHECK(here.refusal({alice, "x", carol.str(), "{}", 0, {}}) == here.rule("9", "8"));
    CHECK(here.refusal({bob, "x", "carol", "{}", 0, {}}).empty());
  }
}

TEST_CASE("rule 11: a redaction is allowed as any message is") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.refusal({carol, "m.room.redaction", std::nullopt, R"({"redacts":"$x"})", 0, {}}).empty());
  }
}

TEST_CASE("creators of version 12 have power without end and others what the levels say") {
  PeopledRoom here("12");
  const EventPtr levels = here.room.in_state(here.tip.state, "m.room.power_levels");
  const RoomRules& rules = here.room.rules();
  CHECK(power_of_user(rules, alice, here.room.create(), levels) == infinite_power);
  CHECK(power_of_user(rules, bob, here.room.create(), levels) == 50);
  CHECK(power_of_user(rules, carol, here.room.create(), levels) == 0);
  const EventPtr create = create_event("12", [](Json& e) {
    e["content"]["additional_creators"] = {bob.str(), "@x:y.test"};
  });
  CHECK(power_of_user(rules, bob, create, levels) == infinite_power);
  CHECK(room_creators(rules, *create) == std::vector{alice, bob, user("@x:y.test")});
}

TEST_CASE("creators before version 12 have 100 until levels say otherwise") {
  for (const char* version : {"10", "11"}) {
    PeopledRoom here(version);
    const RoomRules& rules = here.room.rules();
    CHECK(power_of_user(rules, alice, here.room.create(), nullptr) == 100);
    CHECK(power_of_user(rules, bob, here.room.create(), nullptr) == 0);
    here.room.state(here.tip, alice, "m.room.power_levels", R"({"users_default":7})");
    const EventPtr levels = here.room.in_state(here.tip.state, "m.room.power_levels");
    CHECK(power_of_user(rules, alice, here.room.create(), levels) == 7);
  }
}

TEST_CASE("version 10 takes the creator from the content") {
  const EventPtr create = create_event("10", [](Json& e) { e["content"]["creator"] = bob.str(); });
  CHECK(room_creators(*find_room_rules("10"), *create) == std::vector{bob});
  CHECK(room_creators(*find_room_rules("11"), *create) == std::vector{alice});
}

TEST_CASE("levels of actions have their defaults") {
  RoomBuilder room("12");
  CHECK(power_for_action(room.rules(), "invite", nullptr) == 0);
  for (const char* action : {"ban", "kick", "redact"}) CHECK(power_for_action(room.rules(), action, nullptr) == 50);
  RoomBuilder::Tip tip = room.created();
  const EventPtr levels = room.state(tip, alice, "m.room.power_levels", R"({"ban":1,"invite":2})");
  CHECK(power_for_action(room.rules(), "ban", levels) == 1);
  CHECK(power_for_action(room.rules(), "invite", levels) == 2);
  CHECK(power_for_action(room.rules(), "kick", levels) == 50);
  CHECK(power_to_send(room.rules(), "x", true, levels) == 50);
  CHECK(power_to_send(room.rules(), "x", false, levels) == 0);
}

}  // namespace
}  // namespace skerry::test
