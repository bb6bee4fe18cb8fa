#include "core/event.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/limits.h"

namespace skerry {
namespace {

const RoomRules& rules_of(std::string_view version) { return *find_room_rules(version); }

SigningKey specification_key() {
  return SigningKey::from_seed(KeyId::parse("ed25519:1").value(),
                               base64_decode("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1").value());
}

const ServerName domain = ServerName::parse("domain").value();
const std::string parent = "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg";
const std::string parent_v3 = "$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk";

// A message as it is before hashing and signing.
Json draft(std::string_view version = "12") {
  const RoomRules& rules = rules_of(version);
  const bool names_itself = rules.event_ids == RoomRules::EventIds::in_event;
  Json cited = rules.event_ids == RoomRules::EventIds::hash_base64 ? parent_v3 : parent;
  if (names_itself)
    cited = Json::array({"$parent:domain", {{"sha256", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0"}}});
  Json pdu{{"type", "m.room.message"},
           {"room_id", rules.room_id_is_create_hash ? "!Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg" : "!r:domain"},
           {"sender", "@u:domain"},
           {"content", {{"body", "hello"}, {"msgtype", "m.text"}}},
           {"origin_server_ts", 1'000'000},
           {"depth", 3},
           {"prev_events", Json::array({cited})},
           {"auth_events", Json::array({cited})}};
  if (names_itself) pdu["event_id"] = "$own:domain";
  return pdu;
}

Json signed_event(Json pdu, std::string_view version = "12") {
  REQUIRE(hash_and_sign_event(rules_of(version), pdu, domain, specification_key()));
  return pdu;
}

KeyLookup knows(std::int64_t valid_until_ms = 2'000'000) {
  return [=](const ServerName& server, const KeyId& key_id) -> std::optional<KnownKey> {
    if (server != domain || key_id.str() != "ed25519:1") return std::nullopt;
    return KnownKey{specification_key().public_key(), valid_until_ms};
  };
}

TEST_CASE("event signing vectors of the appendices") {
  Json minimal =
      Json::parse(R"({"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,
      "signatures":{},"hashes":{},"type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,
      "unsigned":{"age_ts":1000000}})");
  REQUIRE(hash_and_sign_event(rules_of("10"), minimal, domain, specification_key()));
  CHECK(minimal["hashes"]["sha256"] == "5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos");
  CHECK(minimal["signatures"]["domain"]["ed25519:1"] ==
        "KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg");
  CHECK(minimal["unsigned"]["age_ts"] == 1'000'000);

  Json redactable = Json::parse(R"({"content":{"body":"Here is the message content"},"event_id":"$0:domain",
      "origin":"domain","origin_server_ts":1000000,"type":"m.room.message","room_id":"!r:domain","sender":"@u:domain",
      "signatures":{},"unsigned":{"age_ts":1000000}})");
  REQUIRE(hash_and_sign_event(rules_of("10"), redactable, domain, specification_key()));
  CHECK(redactable["hashes"]["sha256"] == "onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g");
  CHECK(redactable["signatures"]["domain"]["ed25519:1"] ==
        "Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA");
}

TEST_CASE("versions 10 to 12 are known and no others") {
  CHECK(all_room_rules().size() == 12);
  CHECK(find_room_rules(default_room_version) != nullptr);
  CHECK(find_room_rules("13") == nullptr);
  CHECK(find_room_rules("") == nullptr);
}

TEST_CASE("an event has the fields of its PDU and survives storage") {
  Json pdu = draft();
  pdu["state_key"] = "";
  pdu["prev_events"] = {parent, parent};
  pdu["unsigned"] = {{"age", 5}};
  const auto event = Event::make(rules_of("12"), signed_event(pdu));
  REQUIRE(event);
  const auto stored = Event::from_stored((*event)->id(), (*event)->canonical_text());
  REQUIRE(stored);
  for (const EventPtr& e : {*event, *stored}) {
    CHECK(e->id() == event_id_of(rules_of("12"), signed_event(pdu)).value());
    CHECK(e->room_id().str() == pdu["room_id"]);
    CHECK(e->sender().str() == "@u:domain");
    CHECK(e->is_state("m.room.message", ""));
    CHECK_FALSE(e->is_state("m.room.message", "x"));
    CHECK(e->content() == pdu["content"]);
    CHECK(e->origin_server_ts_ms() == 1'000'000);
    CHECK(e->depth() == 3);
    CHECK(e->prev_events().size() == 1);
    CHECK(e->auth_events().size() == 1);
    CHECK(e->membership().empty());
    CHECK_FALSE(e->pdu().contains("unsigned"));
    CHECK(e->pdu()["hashes"].contains("sha256"));
  }
  CHECK(Event::from_stored((*event)->id(), "{").error().code == ErrorCode::internal);
  CHECK(Event::from_stored((*event)->id(), "{}").error().code == ErrorCode::internal);
  CHECK(Event::make(rules_of("12"), Json::object()).error().code == ErrorCode::bad_json);
  CHECK(Event::make(rules_of("12"), Json(1)).error().code == ErrorCode::bad_json);
}

TEST_CASE("a version 12 room is named after its create event") {
  Json pdu = draft();
  pdu.erase("room_id");
  pdu["type"] = "m.room.create";
  pdu["state_key"] = "";
  pdu["prev_events"] = Json::array();
  pdu["auth_events"] = Json::array();
  pdu = signed_event(pdu);
  REQUIRE(check_format(rules_of("12"), pdu));
  const auto create = Event::make(rules_of("12"), pdu);
  REQUIRE(create);
  CHECK((*create)->room_id().str() == "!" + (*create)->id().str().substr(1));
  const auto stored = Event::from_stored((*create)->id(), (*create)->canonical_text());
  CHECK((*stored)->room_id() == (*create)->room_id());
  pdu["room_id"] = (*create)->room_id().str();
  CHECK_FALSE(check_format(rules_of("12"), pdu));
  pdu.erase("room_id");
  pdu["auth_events"] = {parent};
  CHECK_FALSE(check_format(rules_of("12"), pdu));
  pdu["auth_events"] = Json::array();
  pdu["state_key"] = "x";
  CHECK_FALSE(check_format(rules_of("12"), pdu));
}

TEST_CASE("what a redaction redacts stands where the version says") {
  Json pdu = draft();
  pdu["type"] = "m.room.redaction";
  pdu["redacts"] = "$top";
  pdu["content"] = {{"redacts", "$content"}};
  const auto event = Event::make(rules_of("12"), signed_event(pdu)).value();
  CHECK(event->redacts(rules_of("10")).str() == "$top");
  CHECK(event->redacts(rules_of("11")).str() == "$content");
  pdu["type"] = "m.room.message";
  CHECK(Event::make(rules_of("12"), signed_event(pdu)).value()->redacts(rules_of("11")).empty());
}

TEST_CASE("well formed events pass the format check in every version") {
  for (const RoomRules* rules : all_room_rules()) {
    CHECK(check_format(*rules, signed_event(draft(rules->version), rules->version)));
  }
}

TEST_CASE("malformed events fail the format check") {
  struct Broken {
    const char* what;
    std::function<void(Json&)> change;
  };
  const std::vector<Broken> cases{
      {"no type", [](Json& e) { e.erase("type"); }},
      {"type a number", [](Json& e) { e["type"] = 1; }},
      {"no sender", [](Json& e) { e.erase("sender"); }},
      {"sender no user id", [](Json& e) { e["sender"] = "u:domain"; }},
      {"no room_id", [](Json& e) { e.erase("room_id"); }},
      {"room_id of another version", [](Json& e) { e["room_id"] = "!r:domain"; }},
      {"state_key null", [](Json& e) { e["state_key"] = nullptr; }},
      {"content an array", [](Json& e) { e["content"] = Json::array(); }},
      {"no content", [](Json& e) { e.erase("content"); }},
      {"no depth", [](Json& e) { e.erase("depth"); }},
      {"negative depth", [](Json& e) { e["depth"] = -1; }},
      {"depth a string", [](Json& e) { e["depth"] = "1"; }},
      {"depth out of range", [](Json& e) { e["depth"] = std::uint64_t{1} << 53; }},
      {"time a float", [](Json& e) { e["origin_server_ts"] = 1.5; }},
      {"no time", [](Json& e) { e.erase("origin_server_ts"); }},
      {"no hashes", [](Json& e) { e.erase("hashes"); }},
      {"hashes without sha256",
       [](Json& e) {
         e["hashes"] = {{"md5", "x"}};
       }},
      {"no signatures", [](Json& e) { e.erase("signatures"); }},
      {"signatures of numbers",
       [](Json& e) {
         e["signatures"] = {{"domain", {{"ed25519:1", 1}}}};
       }},
      {"signatures a list",
       [](Json& e) {
         e["signatures"] = {{"domain", {"x"}}};
       }},
      {"no prev_events", [](Json& e) { e.erase("prev_events"); }},
      {"empty prev_events", [](Json& e) { e["prev_events"] = Json::array(); }},
      {"21 prev_events", [](Json& e) { e["prev_events"] = std::vector<std::string>(21, parent); }},
      {"11 auth_events", [](Json& e) { e["auth_events"] = std::vector<std::string>(11, parent); }},
      {"auth_events of numbers", [](Json& e) { e["auth_events"] = {1}; }},
      {"event ids with domains", [](Json& e) { e["prev_events"] = {"$abc:domain"}; }},
      {"unsigned a string", [](Json& e) { e["unsigned"] = "x"; }},
      {"content a float deep inside",
       [](Json& e) {
         e["content"]["a"] = {{"b", {1, 2.5}}};
       }},
      {"a second create", [](Json& e) { e["type"] = "m.room.create"; }},
      {"authorising user no user id",
       [](Json& e) {
         e["type"] = "m.room.member";
         e["content"] = {{"join_authorised_via_users_server", 1}};
       }},
  };
  const Json good = signed_event(draft());
  for (const Broken& broken : cases) {
    Json pdu = good;
    broken.change(pdu);
    INFO(broken.what);
    const auto checked = check_format(rules_of("12"), pdu);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == ErrorCode::bad_json);
  }
  CHECK_FALSE(check_format(rules_of("12"), Json::array()));
}

TEST_CASE("events have their sizes") {
  Json pdu = signed_event(draft());
  const auto fails_as_too_large = [](const Json& event) {
    const auto checked = check_format(rules_of("12"), event);
    return !checked && checked.error().code == ErrorCode::too_large;
  };
  const std::size_t size = canonical_json(pdu)->size();
  pdu["content"]["body"] = std::string(5 + limits::event_bytes - size, 'x');
  CHECK(canonical_json(pdu)->size() == limits::event_bytes);
  CHECK(check_format(rules_of("12"), pdu));
  pdu["unsigned"] = {{"age", 1}};
  CHECK(check_format(rules_of("12"), pdu));
  pdu["content"]["body"] = std::string(6 + limits::event_bytes - size, 'x');
  CHECK(fails_as_too_large(pdu));

  Json keys = signed_event(draft());
  keys["type"] = std::string(255, 't');
  keys["state_key"] = std::string(255, 's');
  CHECK(check_format(rules_of("12"), keys));
  keys["type"] = std::string(256, 't');
  CHECK(fails_as_too_large(keys));
  keys["type"] = "t";
  keys["state_key"] = std::string(256, 's');
  CHECK(fails_as_too_large(keys));
}

TEST_CASE("events nest less than what carries them may") {
  Json pdu = signed_event(draft());
  Json inner = 1;
  for (std::size_t i = 0; i < limits::event_json_depth - 2; ++i) inner = Json::array({inner});
  pdu["content"] = {{"a", inner}};
  CHECK(check_format(rules_of("12"), pdu));
  pdu["content"] = {{"a", Json::array({inner})}};
  CHECK_FALSE(check_format(rules_of("12"), pdu));
}

TEST_CASE("redaction keeps what the version says") {
  const Json member{{"type", "m.room.member"},
                    {"content",
                     {{"membership", "invite"},
                      {"displayname", "x"},
                      {"join_authorised_via_users_server", "@a:b"},
                      {"third_party_invite", {{"display_name", "x"}, {"signed", {{"token", "t"}}}}}}},
                    {"origin", "domain"},
                    {"membership", "invite"},
                    {"unsigned", {{"age", 1}}},
                    {"extra", 1}};
  CHECK(redact(rules_of("10"), member) ==
        Json{{"type", "m.room.member"},
             {"content", {{"membership", "invite"}, {"join_authorised_via_users_server", "@a:b"}}},
             {"origin", "domain"},
             {"membership", "invite"}});
  CHECK(redact(rules_of("11"), member) == Json{{"type", "m.room.member"},
                                               {"content",
                                                {{"membership", "invite"},
                                                 {"join_authorised_via_users_server", "@a:b"},
                                                 {"third_party_invite", {{"signed", {{"token", "t"}}}}}}}});

  const Json create{{"type", "m.room.create"}, {"content", {{"creator", "@a:b"}, {"x", 1}}}};
  CHECK(redact(rules_of("10"), create)["content"] == Json{{"creator", "@a:b"}});
  CHECK(redact(rules_of("12"), create) == create);
  const Json levels{{"type", "m.room.power_levels"}, {"content", {{"invite", 1}, {"ban", 2}, {"notifications", 3}}}};
  CHECK(redact(rules_of("10"), levels)["content"] == Json{{"ban", 2}});
  CHECK(redact(rules_of("11"), levels)["content"] == Json{{"ban", 2}, {"invite", 1}});
  const Json rules{{"type", "m.room.join_rules"}, {"content", {{"join_rule", "restricted"}, {"allow", {1}}, {"x", 1}}}};
  CHECK(redact(rules_of("10"), rules)["content"] == Json{{"join_rule", "restricted"}, {"allow", {1}}});
  const Json redaction{
      {"type", "m.room.redaction"}, {"redacts", "$t"}, {"content", {{"redacts", "$c"}, {"reason", "r"}}}};
  CHECK(redact(rules_of("10"), redaction) == Json{{"type", "m.room.redaction"}, {"content", Json::object()}});
  CHECK(redact(rules_of("11"), redaction) == Json{{"type", "m.room.redaction"}, {"content", {{"redacts", "$c"}}}});
  const Json visibility{{"type", "m.room.history_visibility"},
                        {"content", {{"history_visibility", "shared"}, {"x", 1}}}};
  CHECK(redact(rules_of("12"), visibility)["content"] == Json{{"history_visibility", "shared"}});
  const Json topic{{"type", "m.room.topic"}, {"content", {{"topic", "x"}}}};
  CHECK(redact(rules_of("12"), topic)["content"] == Json::object());

  for (const RoomRules* version : all_room_rules()) {
    for (const Json& event : {member, create, levels, rules, redaction, visibility, topic}) {
      CHECK(redact(*version, redact(*version, event)) == redact(*version, event));
    }
  }
}

TEST_CASE("the event id does not change by redaction or unsigned data") {
  Json pdu = signed_event(draft());
  const EventId id = event_id_of(rules_of("12"), pdu).value();
  CHECK(id.str().size() == 44);
  pdu["unsigned"] = {{"age", 1}};
  pdu["signatures"]["other"] = {{"ed25519:x", "y"}};
  CHECK(event_id_of(rules_of("12"), pdu).value() == id);
  CHECK(event_id_of(rules_of("12"), redact(rules_of("12"), pdu)).value() == id);
  pdu["depth"] = 4;
  CHECK(event_id_of(rules_of("12"), pdu).value() != id);
}

TEST_CASE("a well signed event holds also when redacted or with padded hash") {
  const Json pdu = signed_event(draft());
  CHECK(verify_event(rules_of("12"), pdu, knows()).integrity == EventIntegrity::good);
  CHECK(verify_event(rules_of("12"), redact(rules_of("12"), pdu), knows()).integrity == EventIntegrity::hash_mismatch);
  Json changed = pdu;
  changed["content"]["body"] = "forged";
  CHECK(verify_event(rules_of("12"), changed, knows()).integrity == EventIntegrity::hash_mismatch);
}

TEST_CASE("a forged event is dropped") {
  const Json pdu = signed_event(draft());
  const auto integrity = [](const Json& event) { return verify_event(rules_of("12"), event, knows()).integrity; };
  Json forged = pdu;
  forged["depth"] = 4;
  CHECK(integrity(forged) == EventIntegrity::bad_signature);
  forged = pdu;
  forged["sender"] = "@v:domain";
  CHECK(integrity(forged) == EventIntegrity::bad_signature);
  forged = pdu;
  forged["sender"] = "@u:other";
  CHECK(integrity(forged) == EventIntegrity::bad_signature);
  forged = pdu;
  forged["hashes"]["sha256"] = "x";
  CHECK(integrity(forged) == EventIntegrity::bad_signature);
  forged = pdu;
  forged["signatures"] = Json::object();
  CHECK(integrity(forged) == EventIntegrity::bad_signature);
  forged = pdu;
  forged["signatures"]["domain"] = {{"rsa:1", "x"}};
  CHECK(integrity(forged) == EventIntegrity::bad_signature);
}

TEST_CASE("unknown keys are passed over and reported when no other key signed") {
  Json pdu = signed_event(draft());
  pdu["signatures"]["domain"]["ed25519:unknown"] = "x";
  CHECK(verify_event(rules_of("12"), pdu, knows()).integrity == EventIntegrity::good);
  pdu["signatures"]["domain"].erase("ed25519:1");
  const IntegrityReport report = verify_event(rules_of("12"), pdu, knows());
  CHECK(report.integrity == EventIntegrity::missing_key);
  REQUIRE(report.missing.size() == 1);
  CHECK(report.missing[0].first == domain);
  CHECK(report.missing[0].second.str() == "ed25519:unknown");
}

TEST_CASE("a wrong signature by a known key is not made good by a right one") {
  Json pdu = signed_event(draft());
  pdu["signatures"]["domain"]["ed25519:2"] = pdu["signatures"]["domain"]["ed25519:1"];
  const KeyLookup both = [](const ServerName&, const KeyId& key_id) -> std::optional<KnownKey> {
    if (key_id.str() == "ed25519:1") return KnownKey{specification_key().public_key(), 2'000'000};
    return KnownKey{Ed25519PublicKey{}, 2'000'000};
  };
  CHECK(verify_event(rules_of("12"), pdu, both).integrity == EventIntegrity::bad_signature);
}

TEST_CASE("a key that ended before the event counts as unknown") {
  const Json pdu = signed_event(draft());
  CHECK(verify_event(rules_of("12"), pdu, knows(1'000'000)).integrity == EventIntegrity::good);
  CHECK(verify_event(rules_of("12"), pdu, knows(999'999)).integrity == EventIntegrity::missing_key);
}

TEST_CASE("the authorising server of a restricted join must have signed") {
  Json pdu = draft();
  pdu["type"] = "m.room.member";
  pdu["state_key"] = "@u:domain";
  pdu["content"] = {{"membership", "join"}, {"join_authorised_via_users_server", "@b:other"}};
  pdu = signed_event(pdu);
  CHECK(required_signers(rules_of("12"), pdu).size() == 2);
  CHECK(verify_event(rules_of("12"), pdu, knows()).integrity == EventIntegrity::bad_signature);
  Json redacted = redact(rules_of("12"), pdu);
  REQUIRE(sign_json(redacted, "other", specification_key()));
  pdu["signatures"] = redacted["signatures"];
  const KeyLookup both = [](const ServerName&, const KeyId&) {
    return KnownKey{specification_key().public_key(), 2'000'000};
  };
  CHECK(verify_event(rules_of("12"), pdu, both).integrity == EventIntegrity::good);
  CHECK(verify_event(rules_of("12"), pdu, knows()).integrity == EventIntegrity::missing_key);
}

TEST_CASE("a third party invite needs no signature of the sender's server") {
  Json pdu = draft();
  pdu["type"] = "m.room.member";
  pdu["state_key"] = "@v:domain";
  pdu["content"] = {{"membership", "invite"}, {"third_party_invite", Json::object()}};
  CHECK(required_signers(rules_of("12"), pdu).empty());
  pdu["content"]["membership"] = "join";
  CHECK(required_signers(rules_of("12"), pdu) == std::vector{domain});
}

TEST_CASE("an event that cannot be signed stays unchanged") {
  Json pdu = draft();
  pdu["content"]["x"] = 1.5;
  const Json before = pdu;
  CHECK_FALSE(hash_and_sign_event(rules_of("12"), pdu, domain, specification_key()));
  CHECK(pdu == before);
}

}  // namespace
}  // namespace skerry
