// The authorization rules of a room version. Pure: what is absent comes back as Missing, nothing is fetched.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "core/event.h"
#include "core/state.h"

namespace skerry {

// Events that are needed and were not at hand. Never empty.
struct Missing {
  std::vector<EventId> ids;
};

struct Allowed {};

// Refused, with the rule's number in the version's list ("5.3.4") and a sentence.
struct Refused {
  std::string rule;
  std::string reason;
};

using AuthVerdict = std::variant<Allowed, Refused, Missing>;

// The event of that state key, or null when the state has none. Must not fetch.
using StateLookup = std::function<EventPtr(std::string_view type, std::string_view state_key)>;
// An event by id: null when not at hand.
using EventLookup = std::function<EventPtr(const EventId&)>;

// 'Auth events selection': the state keys whose events must be cited for an event with these fields.
std::vector<StateKey> auth_event_keys(const RoomRules& rules, std::string_view type, const UserId& sender,
                                      const std::optional<std::string>& state_key, const Json& content);

// Rules that look at the event's own auth_events: duplicates, entries that should not be there, rejected ones, another
// room's. `auth_events` are the events cited, in order, null for those not at hand; `rejected` says whether one was
// rejected.
AuthVerdict check_auth_events(const RoomRules& rules, const Event& event, const std::vector<EventPtr>& auth_events,
                              const std::function<bool(const EventId&)>& rejected);

// All other rules, against a state (that of the auth events, that before the event, or the current one).
// `create` is the room's create event: null only when `event` is it.
AuthVerdict authorize(const RoomRules& rules, const Event& event, const EventPtr& create, const StateLookup& state);

// The create event that a room of version 12 is named after: `$` and the hash in the room id. Empty when the id is of
// another form.
EventId create_event_id(const RoomId& room);

// Power as the rules see it. infinite_power for a version-12 creator.
inline constexpr std::int64_t infinite_power = INT64_MAX;
std::int64_t power_of_user(const RoomRules& rules, const UserId& user, const EventPtr& create,
                           const EventPtr& power_levels);
// Level needed to send this type.
std::int64_t power_to_send(const RoomRules& rules, std::string_view type, bool is_state, const EventPtr& power_levels);
// Level of `ban`, `kick`, `redact` (50 by default) or `invite` (0 by default).
std::int64_t power_for_action(const RoomRules& rules, std::string_view action, const EventPtr& power_levels);
// Whether a power_levels content gives all levels as integers, as versions from 10 on demand and as this server's users
// shall in all.
bool has_integer_levels(const Json& power_levels_content);
// The creators: the sender of the create event (content.creator where the version has it) first, then
// additional_creators where the version has them. Never empty.
std::vector<UserId> room_creators(const RoomRules& rules, const Event& create);

}  // namespace skerry
