// What differs between room versions, as data. A version is a row of this table, never an `if (version == ...)`.
#pragma once

#include <string_view>
#include <vector>

namespace skerry {

// What redaction leaves of an event ('Redactions' of a room version).
struct RedactionRules {
  struct Content {
    std::string_view type;
    bool everything;                     // all of the content stays
    std::vector<std::string_view> keys;  // else these; `a.b` is member b of object a
  };
  std::vector<std::string_view> top_level;
  std::vector<Content> content;  // of types not listed, nothing stays
};

struct RoomRules {
  std::string_view version;

  enum class StateResolution { v2, v2_1 } state_resolution;
  // The version's text numbers its authorization rules like this version does.
  enum class RuleNumbers { v10, v12 } rule_numbers;
  bool room_id_is_create_hash;      // 12: `!` + create event's hash, create event without room_id, never in auth_events
  bool creators_are_privileged;     // 12: creators' power is infinite and not in power_levels.users
  bool create_has_creator;          // up to 10: content.creator is required
  bool integer_power_levels;        // 10: strings are refused
  bool restricted_joins;            // 8
  bool knocking;                    // 7
  bool knock_restricted;            // 10
  bool redacts_in_content;          // 11
  const RedactionRules* redaction;  // never null
};

// The row of a version, or null when this server does not know it.
const RoomRules* find_room_rules(std::string_view version);
// All known versions, oldest first.
const std::vector<const RoomRules*>& all_room_rules();
inline constexpr std::string_view default_room_version = "12";

}  // namespace skerry
