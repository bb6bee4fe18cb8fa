#include "core/room_rules.h"

#include <array>

namespace skerry {
namespace {

const RedactionRules redaction_v9{
    .top_level = {"event_id", "type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth",
                  "prev_events", "prev_state", "auth_events", "origin", "origin_server_ts", "membership"},
    .content =
        {
            {"m.room.member", false, {"membership", "join_authorised_via_users_server"}},
            {"m.room.create", false, {"creator"}},
            {"m.room.join_rules", false, {"join_rule", "allow"}},
            {"m.room.power_levels",
             false,
             {"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"}},
            {"m.room.history_visibility", false, {"history_visibility"}},
        },
};

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

const std::array table{
    RoomRules{
        .version = "10",
        .state_resolution = RoomRules::StateResolution::v2,
        .rule_numbers = RoomRules::RuleNumbers::v10,
        .room_id_is_create_hash = false,
        .creators_are_privileged = false,
        .create_has_creator = true,
        .integer_power_levels = true,
        .restricted_joins = true,
        .knocking = true,
        .knock_restricted = true,
        .redacts_in_content = false,
        .redaction = &redaction_v9,
    },
    RoomRules{
        .version = "11",
        .state_resolution = RoomRules::StateResolution::v2,
        .rule_numbers = RoomRules::RuleNumbers::v10,
        .room_id_is_create_hash = false,
        .creators_are_privileged = false,
        .create_has_creator = false,
        .integer_power_levels = true,
        .restricted_joins = true,
        .knocking = true,
        .knock_restricted = true,
        .redacts_in_content = true,
        .redaction = &redaction_v11,
    },
    RoomRules{
        .version = "12",
        .state_resolution = RoomRules::StateResolution::v2_1,
        .rule_numbers = RoomRules::RuleNumbers::v12,
        .room_id_is_create_hash = true,
        .creators_are_privileged = true,
        .create_has_creator = false,
        .integer_power_levels = true,
        .restricted_joins = true,
        .knocking = true,
        .knock_restricted = true,
        .redacts_in_content = true,
        .redaction = &redaction_v11,
    },
};

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
