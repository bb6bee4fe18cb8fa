// Takes over a room that one of our users joined through another server. Promises that every event of it was verified
// and authorized, and that all of it is stored, or nothing.
#pragma once

#include "homeserver/rooms/missing.h"

namespace skerry::homeserver {

// Waits for keys: on `outbound` threads only.
void install_joined_room(const std::shared_ptr<Engine>& engine, const std::shared_ptr<MissingEvents>& missing,
                         const RemoteRoom& room, std::function<void(Result<EventId>)> done);

}  // namespace skerry::homeserver
