// Keeps a room's heads few. Every event that comes is resolved with all of them, and each that another server puts
// elsewhere in the past is one more: what nobody of this server answers would be dearer with every event.
#pragma once

#include <memory>

#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

// Where the heads have become many: sends an event of one of our users, who may, onto as many as an event can name. Its
// type is one that clients know to hide ('org.matrix.dummy_event'). In the room's turn only.
void merge_heads(Engine& engine, const std::shared_ptr<Room>& room);

}  // namespace skerry::homeserver
