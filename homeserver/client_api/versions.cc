// GET /versions       the versions of the specification that this server follows
// GET /capabilities   what clients may do here: room versions, passwords, profiles
// Client-server API, 'API standards', 'Capabilities negotiation'.
#include <nlohmann/json.hpp>

#include "core/room_rules.h"
#include "homeserver/client_api/handlers.h"

namespace skerry::homeserver::client_api {

void get_versions(Services&, Call, Reply reply) {
  // A version is named once nothing is missing that clients take for granted where they see its name.
  reply.json({{"versions",
               {"r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11",
                "v1.12", "v1.13", "v1.14", "v1.15", "v1.16"}},
              {"unstable_features", Json::object()}});
}

void get_capabilities(Services&, Call call, Reply reply) {
  Json available = Json::object();
  for (const RoomRules* rules : all_room_rules()) available[std::string(rules->version)] = "stable";
  const Json on = {{"enabled", true}};
  const Json off = {{"enabled", false}};
  Json capabilities = {{"m.room_versions", {{"default", default_room_version}, {"available", std::move(available)}}},
                       {"m.change_password", on},
                       {"m.profile_fields", on},
                       {"m.set_displayname", on},
                       {"m.set_avatar_url", on},
                       {"m.3pid_changes", off},
                       {"m.get_login_token", on}};
  if (call.caller->standing.admin) capabilities["m.account_moderation"] = {{"lock", true}, {"suspend", true}};
  reply.json({{"capabilities", std::move(capabilities)}});
}

}  // namespace skerry::homeserver::client_api
