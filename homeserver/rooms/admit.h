// What becomes of an event that is offered to a room: one decision, the same for what this server's users send and for
// what other servers send ('Checks performed on receipt of a PDU', steps 4 to 6). Promises to fetch, store and change
// nothing.
#pragma once

#include <optional>
#include <variant>

#include "core/result.h"
#include "homeserver/rooms/room.h"

namespace skerry::homeserver {

struct Admission {
  Judgement judgement;              // accepted, soft_failed or rejected
  std::optional<RoomState> before;  // absent when rejected by its own auth events while events before it are missing
};

// Step 6 asks whether somebody evades the present. What others build on already is the past: of it that is not asked.
enum class JudgedBy { past_and_present, past };

// The decision, or what it needs. `before` is given when the state before the event is known from elsewhere than its
// prev_events. Errors: storage. In the room's turn only.
Result<std::variant<Admission, Needs>> admit(Room& room, const EventPtr& event, std::optional<RoomState> before = {},
                                             JudgedBy judged_by = JudgedBy::past_and_present);

// Step 4 alone, for outliers. Errors: storage.
Result<std::variant<Judgement, Needs>> judge_by_auth_events(const RoomRules& rules, const Event& event,
                                                            const EventPtr& create, const EventLookup& events,
                                                            const std::function<bool(const EventId&)>& rejected);

// The events that a new event with these fields must cite, from a state.
std::vector<EventId> select_auth_events(Room& room, const RoomState& state, std::string_view type, const UserId& sender,
                                        const std::optional<std::string>& state_key, const Json& content);

// 'Handling redactions': the sender may redact, or the redacted event came from the same server. `target` is null when
// it is not there. `state` is the one before the redaction.
bool redaction_applies(Room& room, const Event& redaction, const Event* target, const RoomState& state);

}  // namespace skerry::homeserver
