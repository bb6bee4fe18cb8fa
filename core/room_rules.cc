#include "core/room_rules.h"

#include <array>

#include "core/limits.h"

namespace skerry {
namespace {

// -- Redactions

using Keys = std::vector<std::string_view>;

const Keys top_level_v1{
    "event_id", "type",        "room_id",    "sender",      "state_key", "content",          "hashes",    "signatures",
    "depth",    "prev_events", "prev_state", "auth_events", "origin",    "origin_server_ts", "membership"};
const Keys power_levels_v1{"ban",    "events",        "events_default", "kick",
                           "redact", "state_default", "users",          "users_default"};

RedactionRules redaction_before_v11(Keys member, Keys join_rules) {
  return {.top_level = top_level_v1,
          .content = {{"m.room.member", false, std::move(member)},
                      {"m.room.create", false, {"creator"}},
                      {"m.room.join_rules", false, std::move(join_rules)},
                      {"m.room.power_levels", false, power_levels_v1},
                      {"m.room.history_visibility", false, {"history_visibility"}}}};
}

const RedactionRules redaction_v1 = [] {
  RedactionRules rules = redaction_before_v11({"membership"}, {"join_rule"});
  rules.content.push_back({"m.room.aliases", false, {"aliases"}});
  return rules;
}();
const RedactionRules redaction_v6 = redaction_before_v11({"membership"}, {"join_rule"});
const RedactionRules redaction_v8 = redaction_before_v11({"membership"}, {"join_rule", "allow"});
const RedactionRules redaction_v9 =
    redaction_before_v11({"membership", "join_authorised_via_users_server"}, {"join_rule", "allow"});

const RedactionRules redaction_v11{
    .top_level = {"event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth",
                  "prev_events", "auth_events", "origin_server_ts"},
    .content =
        {
            {"m.room.member", false, {"membership", "join_authorised_via_users_server", "third_party_invite.signed"}},
            {"m.room.create", true, {}},
            {"m.room.join_rules", false, {"join_rule", "allow"}},
            {"m.room.power_levels",
             false,
             {"ban", "events", "events_default", "invite", "kick", "redact", "state_default", "users",
              "users_default"}},
            {"m.room.history_visibility", false, {"history_visibility"}},
            {"m.room.redaction", false, {"redacts"}},
        },
};

// -- Numbers of authorization rules

RuleNumbers joined(RuleNumbers first, const RuleNumbers& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// Before 12 there is no rule on room ids (2), so that all from 3 on stand one earlier.
const RuleNumbers without_room_id_rule{{"3", "2"}, {"4", "3"}, {"5", "4"}, {"6", "5"},
                                       {"7", "6"}, {"8", "7"}, {"9", "8"}, {"10", "9"}};
// Nor is there one on creators in power levels (10.4) ...
const RuleNumbers power_levels_v10{{"10.5", "9.4"}, {"10.6", "9.5"}, {"10.7", "9.6"},
                                   {"10.8", "9.7"}, {"10.9", "9.8"}, {"10.10", "9.9"}};
// ... and before 10 none on integers (10.1, 10.2): what stands for no level is found where levels are compared.
const RuleNumbers power_levels_v6{{"10.1", "9.3"}, {"10.2", "9.4"}, {"10.3", "9.1"}, {"10.5", "9.2"}, {"10.6", "9.3"},
                                  {"10.7", "9.4"}, {"10.8", "9.5"}, {"10.9", "9.6"}, {"10.10", "9.7"}};
// Before 8 nobody vouches for joins (5.2, 5.3.5).
const RuleNumbers members_v7{{"5.3", "4.2"}, {"5.3.6", "4.2.5"}, {"5.3.7", "4.2.6"}, {"5.4", "4.3"},
                             {"5.5", "4.4"}, {"5.6", "4.5"},     {"5.7", "4.6"},     {"5.8", "4.7"}};
// Before 7 nobody knocks (5.7).
const RuleNumbers members_v6{{"5.3", "4.2"}, {"5.3.6", "4.2.5"}, {"5.3.7", "4.2.6"}, {"5.4", "4.3"},
                             {"5.5", "4.4"}, {"5.6", "4.5"},     {"5.8", "4.6"}};

const RuleNumbers numbers_v12{};
const RuleNumbers numbers_v10 = joined(without_room_id_rule, power_levels_v10);
const RuleNumbers numbers_v8 = joined(without_room_id_rule, power_levels_v6);
const RuleNumbers numbers_v7 = joined(numbers_v8, members_v7);
const RuleNumbers numbers_v6 = joined(numbers_v8, members_v6);
// Up to 5 the rule on aliases stands fourth.
const RuleNumbers numbers_v1{
    {"3", "2"},       {"4", "3"},       {"5.3", "5.2"},   {"5.3.6", "5.2.5"}, {"5.3.7", "5.2.6"}, {"5.4", "5.3"},
    {"5.5", "5.4"},   {"5.6", "5.5"},   {"5.8", "5.6"},   {"10.1", "10.3"},   {"10.2", "10.4"},   {"10.3", "10.1"},
    {"10.5", "10.2"}, {"10.6", "10.3"}, {"10.7", "10.4"}, {"10.8", "10.5"},   {"10.9", "10.6"},   {"10.10", "10.7"}};

// -- The table: the first version, and what each later one changes

constexpr std::int64_t depth_of_64_bits = INT64_MAX;

constexpr RoomRules v1{
    .version = "1",
    .event_ids = RoomRules::EventIds::in_event,
    .numbers = JsonNumbers::any,
    .max_depth = depth_of_64_bits,
    .key_validity = false,
    .room_id_is_create_hash = false,
    .creators_are_privileged = false,
    .create_has_creator = true,
    .rule_numbers = &numbers_v1,
    .aliases_rule = true,
    .redaction_rule = true,
    .string_power_levels = true,
    .float_power_levels = true,
    .notification_levels = false,
    .knocking = false,
    .restricted_joins = false,
    .knock_restricted = false,
    .state_resolution = RoomRules::StateResolution::v1,
    .redacts_in_content = false,
    .redaction = &redaction_v1,
};

template <class Change>
constexpr RoomRules next(RoomRules rules, std::string_view version, Change change) {
  rules.version = version;
  change(rules);
  return rules;
}

constexpr RoomRules v2 = next(v1, "2", [](RoomRules& r) { r.state_resolution = RoomRules::StateResolution::v2; });

constexpr RoomRules v3 = next(v2, "3", [](RoomRules& r) {
  r.event_ids = RoomRules::EventIds::hash_base64;
  r.redaction_rule = false;
});

constexpr RoomRules v4 = next(v3, "4", [](RoomRules& r) { r.event_ids = RoomRules::EventIds::hash_base64url; });

constexpr RoomRules v5 = next(v4, "5", [](RoomRules& r) { r.key_validity = true; });

constexpr RoomRules v6 = next(v5, "6", [](RoomRules& r) {
  r.numbers = JsonNumbers::canonical;
  r.max_depth = limits::max_depth;
  r.rule_numbers = &numbers_v6;
  r.aliases_rule = false;
  r.float_power_levels = false;
  r.notification_levels = true;
  r.redaction = &redaction_v6;
});

constexpr RoomRules v7 = next(v6, "7", [](RoomRules& r) {
  r.rule_numbers = &numbers_v7;
  r.knocking = true;
});

constexpr RoomRules v8 = next(v7, "8", [](RoomRules& r) {
  r.rule_numbers = &numbers_v8;
  r.restricted_joins = true;
  r.redaction = &redaction_v8;
});

constexpr RoomRules v9 = next(v8, "9", [](RoomRules& r) { r.redaction = &redaction_v9; });

constexpr RoomRules v10 = next(v9, "10", [](RoomRules& r) {
  r.rule_numbers = &numbers_v10;
  r.string_power_levels = false;
  r.knock_restricted = true;
});

constexpr RoomRules v11 = next(v10, "11", [](RoomRules& r) {
  r.create_has_creator = false;
  r.redacts_in_content = true;
  r.redaction = &redaction_v11;
});

constexpr RoomRules v12 = next(v11, "12", [](RoomRules& r) {
  r.rule_numbers = &numbers_v12;
  r.room_id_is_create_hash = true;
  r.creators_are_privileged = true;
  r.state_resolution = RoomRules::StateResolution::v2_1;
});

constexpr std::array table{v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12};

}  // namespace

const RoomRules* find_room_rules(std::string_view version) {
  for (const RoomRules& rules : table) {
    if (rules.version == version) return &rules;
  }
  return nullptr;
}

const std::vector<const RoomRules*>& all_room_rules() {
  static const std::vector<const RoomRules*> all = [] {
    std::vector<const RoomRules*> rows;
    for (const RoomRules& rules : table) rows.push_back(&rules);
    return rows;
  }();
  return all;
}

}  // namespace skerry
