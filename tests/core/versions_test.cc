// What sets the room versions apart, version by version. Rule numbers are those of each version's own text.
#include <catch2/catch.hpp>

#include "core/limits.h"
#include "tests/core/authorization_cases.h"

namespace skerry::test {
namespace {

using Versions = std::vector<const char*>;

const RoomRules& rules_of(std::string_view version) { return *find_room_rules(version); }

bool is_one_of(std::string_view version, const Versions& versions) {
  return std::find(versions.begin(), versions.end(), version) != versions.end();
}

// A message of alice's in a room of that version, signed.
Json message(std::string_view version, std::map<std::string, std::string> extra = {}) {
  RoomBuilder room(version);
  return room.pdu(room.created(), {alice, "m.room.message", std::nullopt, R"({"body":"hello"})", 0, std::move(extra)});
}

std::string content_after_redaction(std::string_view version, const char* type, Json content) {
  return dump(redact(rules_of(version), {{"type", type}, {"content", std::move(content)}})["content"]);
}

TEST_CASE("an event id is what the event says or its hash in either alphabet") {
  for (const char* version : {"1", "2"}) {
    const Json pdu = message(version);
    CHECK(event_id_of(rules_of(version), pdu).value().str() == pdu["event_id"]);
    CHECK_FALSE(event_id_of(rules_of(version), {{"type", "x"}}));
  }
  const Json pdu = message("3");
  std::string id = event_id_of(rules_of("3"), pdu).value().str();
  CHECK(id.size() == 44);
  std::replace(id.begin(), id.end(), '+', '-');
  std::replace(id.begin(), id.end(), '/', '_');
  CHECK(event_id_of(rules_of("4"), pdu).value().str() == id);
  CHECK(event_id_of(rules_of("10"), pdu).value().str() == id);
}

TEST_CASE("events are cited by the ids of their version") {
  const std::string plain = "$Rqnc0FFdvnEYJTyHqSiKxU2bZ1CI92KkuZq3a5lr5Zg";
  const std::string v3_only = "$Rqnc/F+dvnEYJTyHq/iKxU2bZ1CI92+kuZq3a5lr5Zg";
  const std::string v4_only = "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg";
  const Json pair = Json::array({"$x:alpha.test", {{"sha256", "abc"}}});
  struct Cited {
    Json entry;
    Versions fine_in;
  };
  const Versions later{"4", "5", "6", "7", "8", "9", "10", "11", "12"};
  Versions hashes = later;
  hashes.emplace_back("3");
  const std::vector<Cited> cases{{pair, {"1", "2"}},
                                 {Json::array({"$x:alpha.test", "abc"}), {}},
                                 {Json::array({"$x:alpha.test"}), {}},
                                 {Json::array({plain, {{"sha256", "abc"}}}), {}},
                                 {"$x:alpha.test", {}},
                                 {plain, hashes},
                                 {v3_only, {"3"}},
                                 {v4_only, later}};
  for (const RoomRules* rules : all_room_rules()) {
    const Json good = message(rules->version);
    REQUIRE(check_format(*rules, good));
    for (const auto& [entry, fine_in] : cases) {
      INFO(rules->version << " " << dump(entry));
      for (const char* name : {"prev_events", "auth_events"}) {
        Json pdu = good;
        pdu[name] = Json::array({entry});
        CHECK(check_format(*rules, pdu).has_value() == is_one_of(rules->version, fine_in));
      }
    }
  }
}

TEST_CASE("an event of versions 1 and 2 carries an id of a server") {
  for (const char* version : {"1", "2"}) {
    Json pdu = message(version);
    for (const Json& id : {Json("$x"), Json("x:alpha.test"), Json("$x:"), Json("$x:a b"), Json(1)}) {
      pdu["event_id"] = id;
      CHECK_FALSE(check_format(rules_of(version), pdu));
    }
    pdu.erase("event_id");
    CHECK_FALSE(check_format(rules_of(version), pdu));
  }
}

TEST_CASE("an event cites its parents with their reference hashes in versions 1 and 2") {
  RoomBuilder room("1");
  RoomBuilder::Tip tip = room.at_create();
  const Json join = room.pdu(tip, {alice, "m.room.member", alice.str(), R"({"membership":"join"})", 0, {}});
  const Sha256 hash = reference_hash(room.rules(), room.create()->pdu()).value();
  const std::string encoded = base64_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
  CHECK(join["prev_events"] == Json::array({Json::array({room.create()->id().str(), {{"sha256", encoded}}})}));
  const EventPtr event = Event::make(room.rules(), join).value();
  CHECK(event->prev_events() == std::vector{room.create()->id()});
  CHECK(event->auth_events() == std::vector{room.create()->id()});
  const EventPtr stored = Event::from_stored(event->id(), event->canonical_text()).value();
  CHECK(stored->prev_events() == event->prev_events());
}

TEST_CASE("numbers without a canonical form stand in versions before 6 only") {
  for (const RoomRules* rules : all_room_rules()) {
    const bool is_old = is_one_of(rules->version, {"1", "2", "3", "4", "5"});
    for (const char* number : {"1.5", "1e3", "9007199254740992", "-9007199254740992", "-0", "0.0"}) {
      INFO(rules->version << " " << number);
      Json pdu = message(rules->version);
      pdu["content"]["n"] = parse_untrusted(number, JsonNumbers::any).value();
      CHECK(check_format(*rules, pdu).has_value() == is_old);
      CHECK(Event::make(*rules, pdu).has_value() == is_old);
    }
    for (const std::int64_t depth : {limits::max_depth, limits::max_depth + 1, INT64_MAX}) {
      Json pdu = message(rules->version);
      pdu["depth"] = depth;
      CHECK(check_format(*rules, pdu).has_value() == (is_old || depth == limits::max_depth));
    }
    for (const Json& time : {Json(1.5), Json(UINT64_MAX)}) {
      Json pdu = message(rules->version);
      pdu["origin_server_ts"] = time;
      CHECK_FALSE(check_format(*rules, pdu));
    }
  }
}

TEST_CASE("events with floats keep their signature and their text") {
  for (const char* version : {"1", "5"}) {
    RoomBuilder room(version);
    const Json pdu = room.pdu(room.created(), {alice, "x", std::nullopt, R"({"a":50.57,"b":1e3,"c":1e22})", 0, {}});
    CHECK(verify_event(room.rules(), pdu, all_keys()).integrity == EventIntegrity::good);
    const EventPtr event = Event::make(room.rules(), pdu).value();
    CHECK(event->canonical_text().find(R"({"a":50.57,"b":1000.0,"c":1e+22})") != std::string::npos);
    CHECK(verify_event(room.rules(), event->pdu(), all_keys()).integrity == EventIntegrity::good);
  }
}

TEST_CASE("a key that was no longer valid counts before version 5") {
  for (const RoomRules* rules : all_room_rules()) {
    const KeyLookup expired = [](const ServerName& server, const KeyId&) {
      return KnownKey{key_of(server).public_key(), 1};
    };
    const bool counts = is_one_of(rules->version, {"1", "2", "3", "4"});
    CHECK(verify_event(*rules, message(rules->version), expired).integrity ==
          (counts ? EventIntegrity::good : EventIntegrity::missing_key));
  }
}

TEST_CASE("the server of the event id signs in versions 1 and 2") {
  for (const RoomRules* rules : all_room_rules()) {
    const bool counts = is_one_of(rules->version, {"1", "2"});
    const Json pdu = message(rules->version, {{"event_id", R"("$x:other.test")"}});
    const std::vector<ServerName> both{server("alpha.test"), server("other.test")};
    CHECK(required_signers(*rules, pdu) == (counts ? both : std::vector{server("alpha.test")}));
    CHECK(verify_event(*rules, pdu, all_keys()).integrity ==
          (counts ? EventIntegrity::bad_signature : EventIntegrity::good));
    Json signed_by_both = pdu;
    REQUIRE(hash_and_sign_event(*rules, signed_by_both, server("other.test"), key_of(server("other.test"))));
    CHECK(verify_event(*rules, signed_by_both, all_keys()).integrity == EventIntegrity::good);
  }
}

TEST_CASE("redaction spares what each version added") {
  struct Spared {
    const char* type;
    Json content;
    const char* spared_key;
    Versions in;
  };
  const std::vector<Spared> cases{{"m.room.aliases", {{"aliases", {"#a:b"}}}, "aliases", {"1", "2", "3", "4", "5"}},
                                  {"m.room.join_rules", {{"allow", {1}}}, "allow", {"8", "9", "10", "11", "12"}},
                                  {"m.room.member",
                                   {{"join_authorised_via_users_server", "@a:b"}},
                                   "join_authorised_via_users_server",
                                   {"9", "10", "11", "12"}},
                                  {"m.room.power_levels", {{"invite", 1}}, "invite", {"11", "12"}},
                                  {"m.room.create", {{"x", 1}}, "x", {"11", "12"}},
                                  {"m.room.redaction", {{"redacts", "$a"}}, "redacts", {"11", "12"}}};
  for (const RoomRules* rules : all_room_rules()) {
    for (const Spared& c : cases) {
      INFO(rules->version << " " << c.type);
      const std::string left = content_after_redaction(rules->version, c.type, c.content);
      CHECK(left == (is_one_of(rules->version, c.in) ? dump(c.content) : "{}"));
    }
  }
}

// What is refused by the same thought everywhere, with the numbers that the texts of versions 1, 6, 7, 8, 10 and 12
// give it. 3 to 5 number as 1 does, 9 as 8, 11 as 10.
TEST_CASE("refusals carry the numbers of the version's own text") {
  struct Numbers {
    const char* version;
    const char *banned_join, *uninvited_join, *unknown_rule, *not_in_room, *kick, *strange_membership;
    const char *no_power, *foreign_key, *users, *single_level, *event_level, *own_power;
  };
  const std::vector<Numbers> table{
      {"1", "5.2.3", "5.2.4", "5.2.6", "6", "5.4.5", "5.6", "8", "9", "10.1", "10.3.2", "10.5.1", "10.7.1"},
      {"2", "5.2.3", "5.2.4", "5.2.6", "6", "5.4.5", "5.6", "8", "9", "10.1", "10.3.2", "10.5.1", "10.7.1"},
      {"3", "5.2.3", "5.2.4", "5.2.6", "6", "5.4.5", "5.6", "8", "9", "10.1", "10.3.2", "10.5.1", "10.7.1"},
      {"4", "5.2.3", "5.2.4", "5.2.6", "6", "5.4.5", "5.6", "8", "9", "10.1", "10.3.2", "10.5.1", "10.7.1"},
      {"5", "5.2.3", "5.2.4", "5.2.6", "6", "5.4.5", "5.6", "8", "9", "10.1", "10.3.2", "10.5.1", "10.7.1"},
      {"6", "4.2.3", "4.2.4", "4.2.6", "5", "4.4.5", "4.6", "7", "8", "9.1", "9.3.2", "9.5.1", "9.7.1"},
      {"7", "4.2.3", "4.2.4", "4.2.6", "5", "4.4.5", "4.7", "7", "8", "9.1", "9.3.2", "9.5.1", "9.7.1"},
      {"8", "4.3.3", "4.3.4", "4.3.7", "5", "4.5.5", "4.8", "7", "8", "9.1", "9.3.2", "9.5.1", "9.7.1"},
      {"9", "4.3.3", "4.3.4", "4.3.7", "5", "4.5.5", "4.8", "7", "8", "9.1", "9.3.2", "9.5.1", "9.7.1"},
      {"10", "4.3.3", "4.3.4", "4.3.7", "5", "4.5.5", "4.8", "7", "8", "9.3", "9.5.2", "9.7.1", "9.9.1"},
      {"11", "4.3.3", "4.3.4", "4.3.7", "5", "4.5.5", "4.8", "7", "8", "9.3", "9.5.2", "9.7.1", "9.9.1"},
      {"12", "5.3.3", "5.3.4", "5.3.7", "6", "5.5.5", "5.8", "8", "9", "10.3", "10.6.2", "10.8.1", "10.10.1"}};
  for (const Numbers& n : table) {
    INFO(n.version);
    PeopledRoom open(n.version);
    CHECK(open.member_refusal(mallory, mallory, "join") == n.banned_join);
    CHECK(PeopledRoom(n.version, "invite").member_refusal(dave, dave, "join") == n.uninvited_join);
    CHECK(PeopledRoom(n.version, "private").member_refusal(dave, dave, "join") == n.unknown_rule);
    CHECK(open.refusal({dave, "x", std::nullopt, "{}", 0, {}}) == n.not_in_room);
    CHECK(open.member_refusal(carol, bob, "leave") == n.kick);
    CHECK(open.member_refusal(carol, carol, "sleep") == n.strange_membership);
    CHECK(open.refusal({carol, "m.room.topic", "", "{}", 0, {}}) == n.no_power);
    CHECK(open.refusal({bob, "x", carol.str(), "{}", 0, {}}) == n.foreign_key);
    const auto levels = [&](Json content) {
      return open.refusal({bob, "m.room.power_levels", "", dump(content), 0, {}});
    };
    const Json same{{alice.str(), 100}, {bob.str(), 50}};
    const Json users = n.version == std::string("12") ? Json{{bob.str(), 50}} : same;
    Json too_much = users;
    too_much[bob.str()] = 51;
    CHECK(levels({{"users", {{"bob", 1}}}}) == n.users);
    CHECK(levels({{"users", users}, {"ban", 51}}) == n.single_level);
    CHECK(levels({{"users", users}, {"events", {{"x", 51}}}}) == n.event_level);
    CHECK(levels({{"users", too_much}}) == n.own_power);
    CHECK(levels({{"users", users}, {"ban", 50}}).empty());
  }
}

TEST_CASE("knocking and restricted joins exist from their versions on") {
  for (const RoomRules* rules : all_room_rules()) {
    INFO(rules->version);
    const std::string_view version = rules->version;
    const bool knocks = !is_one_of(version, {"1", "2", "3", "4", "5", "6"});
    const bool restricted = knocks && version != "7";
    const bool both = restricted && !is_one_of(version, {"8", "9"});
    const auto knock = [&](const char* rule) { return PeopledRoom(version, rule).member_refusal(dave, dave, "knock"); };
    CHECK(knock("knock").empty() == knocks);
    CHECK(knock("knock_restricted").empty() == both);
    const Json vouched{{"membership", "join"}, {"join_authorised_via_users_server", bob.str()}};
    const auto join = [&](const char* rule) { return PeopledRoom(version, rule).member_refusal(dave, dave, vouched); };
    CHECK(join("restricted").empty() == restricted);
    CHECK(join("knock_restricted").empty() == both);
    CHECK(PeopledRoom(version, "knock").member_refusal(dave, dave, "join") ==
          (restricted ? rules->version == "12" ? "5.3.4" : "4.3.4"
           : knocks   ? "4.2.4"
                      : (version == "6" ? "4.2.6" : "5.2.6")));
  }
}

TEST_CASE("power levels may be texts before version 10 and floats before version 6") {
  struct Level {
    const char* written;
    std::optional<int> before_6, before_10;
  };
  const std::vector<Level> cases{
      {"50", 50, 50},        {R"("50")", 50, 50}, {R"(" +0050 ")", 50, 50}, {R"("-50")", -50, -50},
      {R"("\t7\n")", 7, 7},  {"50.57", 50, {}},   {"5.1146E1", 51, {}},     {"-0.9", 0, {}},
      {R"("50.0")", {}, {}}, {R"("")", {}, {}},   {R"("+-1")", {}, {}},     {R"("5 0")", {}, {}},
      {R"("0x10")", {}, {}}, {"null", {}, {}},    {"true", {}, {}},         {"[50]", {}, {}}};
  for (const RoomRules* rules : all_room_rules()) {
    const bool floats = is_one_of(rules->version, {"1", "2", "3", "4", "5"});
    const bool texts = floats || is_one_of(rules->version, {"6", "7", "8", "9"});
    for (const Level& c : cases) {
      INFO(rules->version << " " << c.written);
      if (!floats && std::string_view(c.written).find_first_of(".E") != std::string_view::npos && c.written[0] != '"') {
        continue;  // no event of this version
      }
      const auto expected = floats ? c.before_6 : texts ? c.before_10 : std::optional<int>();
      const bool is_integer = c.written == std::string_view("50");
      PeopledRoom here(rules->version);
      Json users{{carol.str(), Json::parse(c.written)}};
      const Draft draft{alice, "m.room.power_levels", "", here.levels(users), 0, {}};
      CHECK(here.refusal(draft).empty() == (expected || is_integer));
      if (!expected) continue;
      const EventPtr levels = here.room.make(here.tip, draft);
      CHECK(power_of_user(*rules, carol, here.room.create(), levels) == *expected);
      CHECK(has_integer_levels(levels->content()) == is_integer);
    }
  }
}

TEST_CASE("levels beyond 64 bits stop at the end of the range") {
  RoomBuilder room("1");
  RoomBuilder::Tip tip = room.created();
  const EventPtr levels =
      room.state(tip, alice, "m.room.power_levels",
                 R"({"users":{"@a:a":1e300,"@b:a":-1e300,"@c:a":"99999999999999999999","@d:a":-9223372036854775808}})");
  const auto power = [&](const char* who) { return power_of_user(room.rules(), user(who), room.create(), levels); };
  CHECK(power("@a:a") == infinite_power - 1);
  CHECK(power("@b:a") == -(infinite_power - 1));
  CHECK(power("@c:a") == infinite_power - 1);
  CHECK(power("@d:a") == -(infinite_power - 1));
}

TEST_CASE("a level that is none can be set first but never changed to before version 10") {
  for (const char* version : {"1", "6", "9"}) {
    PeopledRoom here(version);
    const auto refusal = [&](Json more) {
      return here.refusal({alice, "m.room.power_levels", "", here.levels({{bob.str(), 50}}, std::move(more)), 0, {}});
    };
    const bool is_v1 = version == std::string_view("1");
    CHECK(refusal({{"ban", "many"}}) == (is_v1 ? "10.3" : "9.3"));
    CHECK(refusal({{"events", {{"x", "many"}}}}) == (is_v1 ? "10.4" : "9.4"));
    CHECK(refusal({{"notifications", {{"room", "many"}}}}) == (is_v1 ? "" : "9.4"));
    RoomBuilder fresh(version);
    RoomBuilder::Tip tip = fresh.at_create();
    fresh.join(tip, alice);
    const EventPtr first = fresh.make(tip, {alice, "m.room.power_levels", "", R"({"ban":"many"})", 0, {}});
    CHECK(fresh.refusing_rule(tip, first).empty());
    CHECK(power_for_action(fresh.rules(), "ban", first) == 50);
  }
}

TEST_CASE("notification levels are guarded from version 6 on") {
  for (const RoomRules* rules : all_room_rules()) {
    INFO(rules->version);
    PeopledRoom here(rules->version);
    const std::string content = here.levels({{bob.str(), 50}}, {{"notifications", {{"room", 51}}}});
    const std::string refusal = here.refusal({bob, "m.room.power_levels", "", content, 0, {}});
    CHECK(refusal.empty() == is_one_of(rules->version, {"1", "2", "3", "4", "5"}));
  }
}

TEST_CASE("aliases have a rule of their own before version 6") {
  for (const RoomRules* rules : all_room_rules()) {
    INFO(rules->version);
    PeopledRoom here(rules->version);
    const auto refusal = [&](const UserId& sender, std::optional<std::string> key) {
      return here.refusal({sender, "m.room.aliases", std::move(key), "{}", 0, {}});
    };
    if (is_one_of(rules->version, {"1", "2", "3", "4", "5"})) {
      CHECK(refusal(dave, std::nullopt) == "4.1");
      CHECK(refusal(dave, "alpha.test") == "4.2");
      CHECK(refusal(dave, "delta.test").empty());  // not even in the room
    } else {
      CHECK(refusal(dave, "delta.test") == (rules->version == "12" ? "6" : "5"));
      CHECK(refusal(alice, "delta.test").empty());
    }
  }
}

TEST_CASE("redactions need power or the same server in versions 1 and 2 and nothing later") {
  for (const RoomRules* rules : all_room_rules()) {
    INFO(rules->version);
    const bool has_rule = is_one_of(rules->version, {"1", "2"});
    PeopledRoom here(rules->version);
    const EventPtr alices = here.room.message(here.tip, alice);
    const EventPtr carols = here.room.message(here.tip, carol);
    const auto refusal = [&](const UserId& sender, const std::string& target) {
      const Draft draft{sender, "m.room.redaction", std::nullopt, "{}", 0, {{"redacts", dump(Json(target))}}};
      return here.refusal(draft);
    };
    CHECK(refusal(carol, carols->id().str()).empty());
    CHECK(refusal(bob, alices->id().str()).empty());
    CHECK(refusal(carol, alices->id().str()) == (has_rule ? "11.3" : ""));
    CHECK(refusal(carol, "no id") == (has_rule ? "11.3" : ""));
  }
}

TEST_CASE("a create event of version 1 needs a creator but no version") {
  RoomBuilder room("1");
  Json pdu = room.create()->pdu();
  pdu["content"].erase("room_version");
  const EventPtr create = Event::make(room.rules(), pdu).value();
  CHECK(room.refusing_rule({}, create).empty());
  pdu["content"].erase("creator");
  CHECK(room.refusing_rule({}, Event::make(room.rules(), pdu).value()) == "1.4");
}

}  // namespace
}  // namespace skerry::test
