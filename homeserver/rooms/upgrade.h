// The replacement of a room by one of another version (client-server API, 'Room Upgrades'). Promises that the new room,
// the aliases' move, the tombstone and what closes the old room are stored together or not at all.
#pragma once

#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

void upgrade_room(const std::shared_ptr<Engine>& engine, RoomUpgrade upgrade, std::function<void(Result<RoomId>)> done);

}  // namespace skerry::homeserver
