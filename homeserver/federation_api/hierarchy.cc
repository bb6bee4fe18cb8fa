// GET /hierarchy/{roomId}    a room of a space and its children, as far as the asking server may come in or look in.
// Server-server API, 'Spaces'.
#include <nlohmann/json.hpp>

#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"
#include "homeserver/rooms/room_summary.h"

namespace skerry::homeserver::federation_api {

namespace {

constexpr std::size_t described_children = 100;  // the others are asked for one by one

Result<Json> describe(Services& services, const RoomId& room, bool suggested_only, std::vector<SpaceChild>& children) {
  auto summary = room_summary(services.database.rooms(), services.reader, room);
  if (!summary) return summary;
  auto listed = space_children(services.database.rooms(), services.reader, room);
  if (!listed) return tl::make_unexpected(listed.error());
  children = std::move(*listed);
  if (suggested_only) std::erase_if(children, [](const SpaceChild& child) { return !child.suggested; });
  Json& state = (*summary)["children_state"] = Json::array();
  for (const SpaceChild& child : children) state.push_back(*child.stripped);
  return summary;
}

}  // namespace

void get_hierarchy(Services& services, Call call, Reply reply) {
  auto room = parse_id<RoomId>(call.parameters[0]);
  if (!room) return reply.error(room.error());
  const std::string* flag = call.query_value("suggested_only");
  const bool suggested_only = flag != nullptr && *flag == "true";
  auto allowed = may_preview(services.database.rooms(), services.reader, *room, call.origin);
  if (!allowed) return reply.error(allowed.error());
  if (!*allowed) return reply.error({ErrorCode::not_found, "there is no such room, or not for your server"});
  std::vector<SpaceChild> children;
  auto about = describe(services, *room, suggested_only, children);
  if (!about) return reply.error(about.error());
  Json described = Json::array(), inaccessible = Json::array();
  for (const SpaceChild& child : children) {
    auto here = services.reader.server_in_room(child.room, services.config.server_name);
    if (!here) return reply.error(here.error());
    if (!*here) continue;  // not ours to tell of
    auto open = may_preview(services.database.rooms(), services.reader, child.room, call.origin);
    if (!open) return reply.error(open.error());
    if (!*open) {
      inaccessible.push_back(child.room.str());
      continue;
    }
    if (described.size() >= described_children) continue;
    std::vector<SpaceChild> below;
    auto summary = describe(services, child.room, suggested_only, below);
    if (!summary) return reply.error(summary.error());
    described.push_back(std::move(*summary));
  }
  reply.json({{"room", std::move(*about)},
              {"children", std::move(described)},
              {"inaccessible_children", std::move(inaccessible)}});
}

}  // namespace skerry::homeserver::federation_api
