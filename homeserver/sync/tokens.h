// The tokens that clients hand back: `s<position>` names a place in the stream, `t<depth>_<order>` one in a room's
// history.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "storage/room_store.h"

namespace skerry::homeserver {

std::string stream_token(storage::StreamPosition position);
// Nothing for any text that stream_token() does not write.
std::optional<storage::StreamPosition> parse_stream_token(std::string_view token);

std::string topological_token(storage::TopologicalPosition position);
// Either kind: a stream token means the room's history at that position. Errors: invalid_param, storage.
Result<storage::TopologicalPosition> parse_history_token(std::string_view token, const RoomId& room,
                                                         storage::RoomStore& store);

}  // namespace skerry::homeserver
