// PUT /presence/{userId}/status    says of the caller that they are online, unavailable or offline, and a few words
// GET /presence/{userId}/status    what is known of somebody in a room with the caller
// Client-server API, 'Presence'.
#include "homeserver/sync/presence.h"

#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "storage/people_store.h"

namespace skerry::homeserver::client_api {

namespace {

const Error switched_off{ErrorCode::unrecognized, "presence is switched off on this server"};

}  // namespace

void put_presence(Services& services, Call call, Reply reply) {
  if (!services.presence.enabled()) return reply.error(switched_off);
  if (auto own = own_user(call, 0); !own) return reply.error(own.error());
  auto name = required_string(*call.body, "presence");
  if (!name) return reply.error(name.error());
  auto state = parse_presence(*name);
  if (!state) return reply.error(state.error());
  std::string message;
  if (const Json* given = find_member(*call.body, "status_msg"); given != nullptr && !given->is_null()) {
    if (!given->is_string()) return reply.error({ErrorCode::bad_json, "status_msg must be a string"});
    message = given->get<std::string>();
  }
  if (message.size() > Presence::message_bytes) {
    return reply.error(
        {ErrorCode::invalid_param, "status_msg is longer than " + std::to_string(Presence::message_bytes) + " bytes"});
  }
  services.presence.set(call.caller->user, call.caller->device, *state, std::move(message));
  reply.json(nothing());
}

void get_presence(Services& services, Call call, Reply reply) {
  if (!services.presence.enabled()) return reply.error(switched_off);
  auto user = path_id<UserId>(call, 0);
  if (!user) return reply.error(user.error());
  if (*user != call.caller->user) {
    auto sharing = services.database.people().sharing_a_room(call.caller->user, {*user});
    if (!sharing) return reply.error(sharing.error());
    if (sharing->empty()) return reply.error({ErrorCode::forbidden, "you are in no room with that user"});
  }
  reply.json(services.presence.of(*user).content(services.clock.now_ms()));
}

}  // namespace skerry::homeserver::client_api
