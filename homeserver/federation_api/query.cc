// GET /query/profile, /query/directory     what other servers may know of our users and aliases
// GET, POST /publicRooms                   our published rooms
// GET /openid/userinfo                     whose an OpenID token is
// Server-server API, 'Querying for information', 'Published Room Directory'.
#include <charconv>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"
#include "homeserver/rooms/public_rooms.h"

namespace skerry::homeserver::federation_api {

namespace {

void answer_profile(Services& services, const Call& call, const UserId& user, Reply reply) {
  auto profile = services.database.accounts().profile(user);
  if (!profile) return reply.error(profile.error());
  auto fields = parse_stored(profile->fields_json);
  Json body = fields && fields->is_object() ? std::move(*fields) : Json::object();
  if (!profile->display_name.empty()) body["displayname"] = profile->display_name;
  if (!profile->avatar_url.empty()) body["avatar_url"] = profile->avatar_url;
  const std::string* field = call.query_value("field");
  if (field == nullptr) return reply.json(body);
  const Json* value = find_member(body, *field);
  reply.json(value == nullptr ? Json::object() : Json{{*field, *value}});
}

void answer_directory(Services& services, const RoomAlias& alias, Reply reply) {
  auto room = services.database.rooms().resolve_alias(alias);
  if (!room) return reply.error(room.error());
  if (!*room) return reply.error({ErrorCode::not_found, "no such alias"});
  auto in_room = services.database.rooms().joined_servers(**room);
  if (!in_room) return reply.error(in_room.error());
  Json servers = Json::array();
  for (const ServerName& server : *in_room) servers.push_back(server.str());
  if (servers.empty()) servers.push_back(services.config.server_name.str());
  reply.json({{"room_id", (*room)->str()}, {"servers", std::move(servers)}});
}

}  // namespace

void query_profile(Services& services, Call call, Reply reply) {
  auto user = query_id<UserId>(call, "user_id");
  if (!user) return reply.error(user.error());
  if (user->server() != services.config.server_name)
    return reply.error({ErrorCode::not_found, "that user is not of this server"});
  auto asked = std::make_shared<std::pair<Call, Reply>>(std::move(call), std::move(reply));
  after_looking_for(services, *user, [&services, user = *user, asked] {
    answer_profile(services, asked->first, user, std::move(asked->second));
  });
}

void query_directory(Services& services, Call call, Reply reply) {
  auto alias = query_id<RoomAlias>(call, "room_alias");
  if (!alias) return reply.error(alias.error());
  auto asked = std::make_shared<Reply>(std::move(reply));
  after_looking_for(services, *alias,
                    [&services, alias = *alias, asked] { answer_directory(services, alias, std::move(*asked)); });
}

void get_public_rooms(Services& services, Call call, Reply reply) {
  PublicRoomsQuery query;
  query.limit = query_limit(call, query.limit, limits::page_events);
  if (const std::string* since = call.query_value("since")) query.since = *since;
  reply.result(list_public_rooms(services.database, services.reader, query));
}

void post_public_rooms(Services& services, Call call, Reply reply) {
  auto query = PublicRoomsQuery::parse(*call.body);
  if (!query) return reply.error(query.error());
  reply.result(list_public_rooms(services.database, services.reader, *query));
}

void get_openid_userinfo(Services& services, Call call, Reply reply) {
  const std::string* token = call.query_value("access_token");
  if (token == nullptr) return reply.error({ErrorCode::missing_token, "access_token is required"});
  auto user = services.accounts.openid_user(*token);
  if (!user) return reply.error(user.error());
  reply.json({{"sub", user->str()}});
}

}  // namespace skerry::homeserver::federation_api
