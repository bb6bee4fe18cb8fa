// What a room tells about itself to those who are not in it: summaries, who may have them, and the rooms of a space.
// Client-server API, 'RoomSummary', 'Spaces'.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "homeserver/rooms/reader.h"
#include "storage/database.h"

namespace skerry::homeserver {

// What the list of public rooms says of a room that is known here, and nothing more, since clients stumble over members
// that the specification's PublicRoomsChunk does not have. Errors: not_found, storage.
Result<Json> public_rooms_chunk(storage::RoomStore& store, const RoomReader& reader, const RoomId& room);

// That, and the rest of a RoomSummary. Errors: not_found, storage.
Result<Json> room_summary(storage::RoomStore& store, const RoomReader& reader, const RoomId& room);

// Whether anyone may join the room, or read it. Errors: not_found, storage.
Result<bool> is_public(const RoomReader& reader, const RoomId& room);

// Whether a user, or some user of a server, is in the room, may join or knock, or may read it from outside. Errors:
// not_found, storage.
Result<bool> may_preview(storage::RoomStore& store, const RoomReader& reader, const RoomId& room, const UserId& user);
Result<bool> may_preview(storage::RoomStore& store, const RoomReader& reader, const RoomId& room,
                         const ServerName& server);

// An m.space.child event that names a room and servers by which it is reached.
struct SpaceChild {
  static constexpr std::size_t most = 1'000;  // children of one space that are looked at
  static constexpr std::size_t most_via = 10;

  RoomId room;
  std::vector<ServerName> via;
  bool suggested = false;
  std::string order;  // empty: none that is valid
  std::int64_t ts_ms = 0;
  std::shared_ptr<const Json> stripped;  // with origin_server_ts

  // Nothing for what is no such event.
  static std::optional<SpaceChild> parse(const Json& event);
};
// In the order of 'Ordering of children within a space'.
void sort_children(std::vector<SpaceChild>& children);
// Of a room that is known here; none when it is no space. Errors: not_found, storage.
Result<std::vector<SpaceChild>> space_children(storage::RoomStore& store, const RoomReader& reader, const RoomId& room);

// Another server's summary of this room: known members of the right kind only. Nothing when it is none.
std::optional<Json> parse_summary(const Json& untrusted, const RoomId& room);

}  // namespace skerry::homeserver
