// Rooms as those see them who are not in them: what users of this server know of rooms that they are invited to or
// knock on through other servers, and how that ends.
#pragma once

#include <optional>
#include <vector>

#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

// A state event as clients see it of a room that they are not in ('Stripped state'), made from a PDU or from what is
// stripped already. Nothing when it is neither.
std::optional<Json> stripped(const Json& event);

// What another server says of its room (`knock_room_state`), for clients: PDUs that are not validly signed or of
// another room are left out. In versions whose room ids prove nothing, what comes stripped is taken as it is: older
// servers know no other form. Bounded. Waits: on `outbound` threads only.
Json stripped_state_of(RemoteRooms& remote, const RoomRules& rules, const RoomId& room, std::vector<Json> entries,
                       const ServerName& from);

// The user's invitation or knock that stands in a room seen from outside.
std::optional<storage::StrippedInvite> stripped_invite(storage::RoomStore& store, const UserId& user,
                                                       const RoomId& room);

// What `pdu` may be the end of: it says that a user of this server was turned down in a room that the server is not in.
std::optional<storage::StrippedInvite> turned_down(Engine& engine, const RoomId& room, const Json& pdu);
// Ends it by a verified event, if that cites it: nobody outside the room knows its id. Others are dropped. Waits for
// the disk: on `outbound` threads only.
RemoteOutcome turn_down(Engine& engine, storage::StrippedInvite standing, const Event& event);

}  // namespace skerry::homeserver
