// Makes the events of this server's users: on the room's heads, citing what its state demands, hashed and signed.
// Promises to store and change nothing.
#pragma once

#include "core/json.h"
#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

// A draft's content as an object. Errors: bad_json.
Result<Json> parse_content(const std::string& content_json);

// The heads that a new event takes up as its prev_events, at most 20, and the state after them. Errors: storage.
struct Foundation {
  std::vector<EventId> prev_events;
  RoomState state;
  std::int64_t depth = 0;  // of the new event
};
Result<Foundation> choose_foundation(Room& room);

// The PDU without hashes and signatures. For joins under restricted rules, join_authorised_via_users_server is filled
// in. Errors: bad_json, forbidden, unable_to_authorise_join, unable_to_grant_join, storage.
Result<Json> build_pdu(Engine& engine, Room& room, const EventDraft& draft, const Foundation& foundation);

// 18 random letters, for ids.
std::string random_letters(net::Random& random);
// Gives the PDU an id of this server, where the version has it in the event.
void name_event(const PipelineContext& context, const RoomRules& rules, Json& pdu);

// Named, hashed, signed and within the limits of format and size. Errors: bad_json, too_large.
Result<EventPtr> sign_pdu(Engine& engine, const RoomRules& rules, Json pdu);

// The whole of it, admitted: the event with the states before and after it. Errors: as above, forbidden with the rule.
Result<Placed> build_event(Engine& engine, Room& room, const EventDraft& draft);

// The same decision for an event that is already complete. `state` absent: from its prev_events. Errors: forbidden with
// the rule; not_found when events before it are not known here; storage.
Result<Placed> place_own(Room& room, const EventPtr& event, std::optional<RoomState> state = {});

}  // namespace skerry::homeserver
