// What a user's own settings do when a room is replaced.
#pragma once

#include "homeserver/services.h"

namespace skerry::homeserver::client_api {

// To be called when a user came into a room: when it replaces another one, what the user set for that one is set here
// too, as far as the user has not set it already: tags, push rules for the room, its place in m.direct. What fails is
// logged and left. 'When a user joins the new room, the server should automatically transfer ...'.
void carry_settings(Services& services, const UserId& user, const RoomId& room);

}  // namespace skerry::homeserver::client_api
