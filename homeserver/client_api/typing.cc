// PUT /rooms/{roomId}/typing/{userId}: tells the room, on all its servers, that the caller types. 'Typing
// Notifications'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::int64_t default_timeout_ms = 30'000;
constexpr std::int64_t max_timeout_ms = 120'000;

}  // namespace

void put_typing(Services& services, Call call, Reply reply) {
  const UserId user = call.caller->user;
  if (call.parameters[1] != user.str()) return reply.error({ErrorCode::forbidden, "you type for yourself only"});
  auto room = joined_room(services, call, 0);
  if (!room) return reply.error(room.error());
  const Json* flag = find_member(*call.body, "typing");
  if (flag == nullptr || !flag->is_boolean()) return reply.error({ErrorCode::bad_json, "typing must be true or false"});
  const bool typing = flag->get<bool>();
  std::int64_t timeout_ms = default_timeout_ms;
  if (const Json* timeout = find_member(*call.body, "timeout"); timeout != nullptr && timeout->is_number_integer()) {
    timeout_ms = std::clamp<std::int64_t>(timeout->get<std::int64_t>(), 1, max_timeout_ms);
  }
  services.presence.is_active(user);
  services.typing.set(*room, user, typing, std::chrono::milliseconds(timeout_ms));
  auto servers = services.database.rooms().joined_servers(*room);
  if (!servers) return reply.error(servers.error());
  std::erase(*servers, services.config.server_name);
  services.outbox.send_ephemeral_edu(
      *servers, "m.typing " + room->str() + " " + user.str(),
      {{"edu_type", "m.typing"}, {"content", {{"room_id", room->str()}, {"user_id", user.str()}, {"typing", typing}}}});
  reply.json(nothing());
}

}  // namespace skerry::homeserver::client_api
