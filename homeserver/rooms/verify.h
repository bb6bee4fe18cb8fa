// From another server's JSON to an event that can be trusted to be what its sender's server signed: 'Checks performed
// on receipt of a PDU', steps 1 to 3. Promises that nothing else of it is believed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/event.h"
#include "homeserver/rooms/remote_rooms.h"
#include "homeserver/rooms/room.h"

namespace skerry::homeserver {

struct Verification {
  EventPtr event;  // null: dropped, or keys are missing
  std::vector<std::pair<ServerName, KeyId>> missing_keys;
  Error error;  // why it is dropped: bad_json, too_large, bad_signature
};
// One PDU of a room. Pure but for `keys`; fetches nothing.
Verification verify_pdu(const RoomRules& rules, const RoomId& room, const Json& pdu, const KeyLookup& keys);

// The room that a PDU says it belongs to; for create events without room_id the one that they create. Errors: bad_json.
Result<RoomId> room_id_of(const Json& pdu);

KeyLookup known_keys(RemoteRooms& remote);

// Many PDUs of a room, on all cores; keys that are missing are fetched in one go. Those that fail are left out.
// Waits: on `outbound` threads only.
std::vector<EventPtr> verify_all(RemoteRooms& remote, const RoomRules& rules, const RoomId& room,
                                 const std::vector<Json>& pdus, const std::vector<ServerName>& notaries);

// Whether another event is known under this one's id: ids that are no hashes (room versions 1 and 2) can be given
// twice, and the event that came first keeps its own. In the room's turn only.
bool has_anothers_id(Room& room, const Event& event);

}  // namespace skerry::homeserver
