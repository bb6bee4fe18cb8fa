// The founding of a room: the create event and what follows it, each event built on the one before, none stored until
// all of them are. Promises to commit all or none.
#pragma once

#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

// A room that is built and not stored yet.
struct NewRoom {
  std::shared_ptr<Room> room;
  std::vector<Engine::Prepared> events;
};

// An id for a room of a version whose ids are no hashes; nothing for the others, whose id comes with the create event.
std::optional<RoomId> choose_room_id(const PipelineContext& context, const RoomRules& rules);

// The create event, by `creator`, and then `rest` in order; their rooms are filled in. `id` is from choose_room_id().
// Errors: bad_json, too_large, invalid_room_state (what is not allowed after what comes before it), storage.
Result<NewRoom> build_room(Engine& engine, const RoomRules& rules, const std::optional<RoomId>& id,
                           const UserId& creator, const std::string& create_content_json, std::vector<EventDraft> rest);

void create_local_room(const std::shared_ptr<Engine>& engine, const std::string& version, const UserId& creator,
                       const std::string& create_content_json, std::vector<EventDraft> rest,
                       std::function<void(Result<RoomId>)> done);

}  // namespace skerry::homeserver
