#include "homeserver/federation_api/common.h"

#include <algorithm>
#include <charconv>

namespace skerry::homeserver::federation_api {

std::vector<EventId> query_event_ids(const Call& call, const char* name, std::size_t most) {
  std::vector<EventId> ids;
  for (const std::string& text : call.query_values(name)) {
    auto id = EventId::parse(text);
    if (id && ids.size() < most) ids.push_back(std::move(*id));
  }
  return ids;
}

std::size_t query_limit(const Call& call, std::size_t otherwise, std::size_t most) {
  const std::string* text = call.query_value("limit");
  std::size_t limit = otherwise;
  if (text != nullptr) std::from_chars(text->data(), text->data() + text->size(), limit);
  return std::clamp<std::size_t>(limit, 1, most);
}

Result<RoomId> room_open_to_origin(Services& services, const Call& call, std::size_t parameter) {
  auto room = parse_id<RoomId>(call.parameters.at(parameter));
  if (!room) return room;
  auto info = services.reader.room(*room);
  if (!info) return tl::make_unexpected(info.error());
  auto allowed = services.reader.acl_allows(*room, call.origin);
  if (!allowed) return tl::make_unexpected(allowed.error());
  if (!*allowed) return fail(ErrorCode::forbidden, "this room's access list does not let your server take part");
  return room;
}

Result<RoomId> room_of_origin(Services& services, const Call& call, std::size_t parameter) {
  auto room = room_open_to_origin(services, call, parameter);
  if (!room) return room;
  auto is_in = services.reader.server_in_room(*room, call.origin);
  if (!is_in) return tl::make_unexpected(is_in.error());
  if (!*is_in) return fail(ErrorCode::forbidden, "your server is not in this room");
  return room;
}

}  // namespace skerry::homeserver::federation_api
