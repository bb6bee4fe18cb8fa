// What differs between room versions, as data. A version is a row of this table, never an `if (version == ...)`.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/json.h"

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

// How a version's text numbers the authorization rules, told by the numbers of version 12. The entry with the longest
// prefix of a number decides; a number without entry stays.
struct RuleNumber {
  std::string_view in_v12;
  std::string_view here;
};
using RuleNumbers = std::vector<RuleNumber>;

struct RoomRules {
  std::string_view version;

  // The event format.
  enum class EventIds {
    in_event,        // 1, 2: `$opaque:server` in event_id; parents are cited as [id, {"sha256": reference hash}]
    hash_base64,     // 3: the reference hash, standard base64
    hash_base64url,  // 4: URL-safe
  } event_ids;
  JsonNumbers numbers;     // 6: canonical JSON is enforced
  std::int64_t max_depth;  // 6: that of canonical JSON; before, that of 64 bits

  bool key_validity;             // 5: a key must have been valid at origin_server_ts
  bool room_id_is_create_hash;   // 12: `!` + create event's hash, create event without room_id, never in auth_events
  bool creators_are_privileged;  // 12: creators' power is infinite and not in power_levels.users
  bool create_has_creator;       // up to 10: content.creator is required

  // The authorization rules.
  const RuleNumbers* rule_numbers;  // never null
  bool aliases_rule;                // up to 5: m.room.aliases has a rule of its own
  bool redaction_rule;              // 1, 2: redactions are authorized by rule 11, later only when applied
  bool string_power_levels;         // up to 9: "50" is 50
  bool float_power_levels;          // up to 5: 50.9 is 50
  bool notification_levels;         // 6: changes to power_levels.notifications are checked
  bool knocking;                    // 7
  bool restricted_joins;            // 8
  bool knock_restricted;            // 10

  enum class StateResolution { v1, v2, v2_1 } state_resolution;
  bool redacts_in_content;          // 11
  const RedactionRules* redaction;  // never null
};

// The row of a version, or null when this server does not know it.
const RoomRules* find_room_rules(std::string_view version);
// All known versions, oldest first.
const std::vector<const RoomRules*>& all_room_rules();
inline constexpr std::string_view default_room_version = "12";
// That of create events and of other servers' templates which name none.
inline constexpr std::string_view unnamed_room_version = "1";

}  // namespace skerry
