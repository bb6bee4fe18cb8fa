// GET, PUT, DELETE /directory/room/{roomAlias}   what an alias points to; ours are set and removed here
// GET /rooms/{roomId}/aliases                    this server's aliases of a room
// GET, PUT /directory/list/room/{roomId}         whether a room is in the published directory
// GET, POST /publicRooms                         the published directory, ours or (`server`) another's
// Client-server API, 'Room aliases', 'Published room directory'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/rooms/public_rooms.h"
#include "net/http.h"

namespace skerry::homeserver::client_api {

namespace {

Result<RoomAlias> own_alias(const Services& services, const Call& call) {
  auto alias = path_id<RoomAlias>(call, 0);
  if (!alias) return alias;
  if (alias->server() != services.config.server_name) {
    return fail(ErrorCode::invalid_param, "that alias belongs to another server");
  }
  return alias;
}

// May change aliases and directory entries of others: who may set the canonical alias.
Result<bool> may_manage(Services& services, const UserId& user, const RoomId& room) {
  auto levels = services.reader.state_event(room, "m.room.power_levels", "");
  if (!levels) return tl::make_unexpected(levels.error());
  auto rules = services.reader.rules(room);
  if (!rules) return tl::make_unexpected(rules.error());
  auto power = services.reader.power(room, user);
  if (!power) return tl::make_unexpected(power.error());
  return *power >= power_to_send(**rules, "m.room.canonical_alias", true, *levels);
}

}  // namespace

void get_alias(Services& services, Call call, Reply reply) {
  auto alias = path_id<RoomAlias>(call, 0);
  if (!alias) return reply.error(alias.error());
  if (!alias_was_looked_for(services, *alias, reply)) return;
  auto resolved = services.membership.resolve_alias(*alias);
  if (!resolved) {
    // The specification knows one failure only: 404, whether the alias or its server is not there.
    const ErrorCode code = resolved.error().code;
    const bool server_failed =
        code == ErrorCode::unreachable || code == ErrorCode::timeout || code == ErrorCode::remote_error;
    return reply.error({server_failed ? ErrorCode::not_found : code, resolved.error().text});
  }
  Json servers = Json::array();
  for (const ServerName& server : resolved->servers) servers.push_back(server.str());
  reply.json({{"room_id", resolved->room.str()}, {"servers", std::move(servers)}});
}

void put_alias(Services& services, Call call, Reply reply) {
  auto alias = own_alias(services, call);
  if (!alias) return reply.error(alias.error());
  if (auto may = may_name(services, *call.caller, *alias); !may) return reply.error(may.error());
  auto text = required_string(*call.body, "room_id");
  if (!text) return reply.error(text.error());
  auto room = RoomId::parse(*text);
  if (!room) return reply.error({ErrorCode::invalid_param, "room_id is not a room id"});
  auto membership = services.reader.membership(*room, call.caller->user);
  if (!membership) return reply.error(membership.error());
  if (*membership != "join") return reply.error({ErrorCode::forbidden, "you are not in that room"});
  auto added = services.database.rooms().add_alias(*alias, *room, call.caller->user);
  if (!added && added.error().code == ErrorCode::room_in_use) {
    return reply.error(409, {{"errcode", "M_UNKNOWN"}, {"error", "that alias is taken"}});
  }
  if (!added) return reply.error(added.error());
  reply.json(nothing());
}

void delete_alias(Services& services, Call call, Reply reply) {
  auto alias = own_alias(services, call);
  if (!alias) return reply.error(alias.error());
  auto room = services.database.rooms().resolve_alias(*alias);
  if (!room) return reply.error(room.error());
  if (!*room) return reply.error({ErrorCode::not_found, "no such alias"});
  if (auto may = may_name(services, *call.caller, *alias); !may) return reply.error(may.error());
  auto aliases = services.database.rooms().aliases(**room);
  if (!aliases) return reply.error(aliases.error());
  const bool own = std::any_of(aliases->begin(), aliases->end(), [&](const auto& entry) {
    return entry.alias == *alias && entry.creator == call.caller->user;
  });
  if (!own && !call.caller->standing.admin && call.caller->appservice == nullptr) {
    auto allowed = may_manage(services, call.caller->user, **room);
    if (!allowed || !*allowed) return reply.error({ErrorCode::forbidden, "that alias is not yours to remove"});
  }
  if (auto removed = services.database.rooms().remove_alias(*alias); !removed) return reply.error(removed.error());
  reply.json(nothing());
}

void get_room_aliases(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  auto membership = services.reader.membership(*room, call.caller->user);
  if (!membership) return reply.error(membership.error());
  if (*membership != "join") {
    auto visibility = services.reader.state_event(*room, "m.room.history_visibility", "");
    const std::string* value =
        visibility && *visibility ? find_string((*visibility)->content(), "history_visibility") : nullptr;
    if (value == nullptr || *value != "world_readable")
      return reply.error({ErrorCode::forbidden, "you are not in this room"});
  }
  auto aliases = services.database.rooms().aliases(*room);
  if (!aliases) return reply.error(aliases.error());
  Json list = Json::array();
  for (const auto& entry : *aliases) list.push_back(entry.alias.str());
  reply.json({{"aliases", std::move(list)}});
}

void get_published(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  auto info = services.reader.room(*room);
  if (!info) return reply.error(info.error());
  reply.json({{"visibility", info->published ? "public" : "private"}});
}

void put_published(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  auto visibility = optional_string(*call.body, "visibility");
  if (!visibility) return reply.error(visibility.error());
  const std::string wanted = visibility->value_or("public");
  if (wanted != "public" && wanted != "private")
    return reply.error({ErrorCode::invalid_param, "visibility must be public or private"});
  auto info = services.reader.room(*room);
  if (!info) return reply.error(info.error());
  auto allowed = may_manage(services, call.caller->user, *room);
  if (!allowed) return reply.error(allowed.error());
  auto membership = services.reader.membership(*room, call.caller->user);
  if (!membership) return reply.error(membership.error());
  if (!*allowed || *membership != "join") return reply.error({ErrorCode::forbidden, "your power does not suffice"});
  auto done = services.database.rooms().set_published(*room, wanted == "public");
  if (!done) return reply.error(done.error());
  reply.json(nothing());
}

namespace {

// Asks another server for its directory, passing the request on.
void remote_public_rooms(Services& services, const ServerName& server, const PublicRoomsQuery& query, Reply reply) {
  federation::FederationRequest request;
  request.destination = server;
  request.method = "POST";
  request.target = "/_matrix/federation/v1/publicRooms";
  request.body = dump(query.json());
  auto answer = services.federation.call(std::move(request));
  if (!answer) return reply.error(answer.error());
  if (find_array(*answer, "chunk") == nullptr) {
    return reply.error({ErrorCode::remote_error, server.str() + " answered without a list of rooms"});
  }
  reply.json(*answer);
}

void answer_public_rooms(Services& services, const Call& call, const PublicRoomsQuery& query, Reply reply) {
  if (const std::string* name = call.query_value("server");
      name != nullptr && *name != services.config.server_name.str()) {
    auto server = ServerName::parse(*name);
    if (!server) return reply.error({ErrorCode::invalid_param, "server is not a server name"});
    return remote_public_rooms(services, *server, query, std::move(reply));
  }
  reply.result(list_public_rooms(services.database, services.reader, query));
}

}  // namespace

void get_public_rooms(Services& services, Call call, Reply reply) {
  PublicRoomsQuery query;
  auto limit = query_number(call, "limit");
  if (!limit) return reply.error(limit.error());
  if (*limit) query.limit = static_cast<std::size_t>(**limit);
  if (const std::string* since = call.query_value("since")) query.since = *since;
  answer_public_rooms(services, call, query, std::move(reply));
}

void post_public_rooms(Services& services, Call call, Reply reply) {
  auto query = PublicRoomsQuery::parse(*call.body);
  if (!query) return reply.error(query.error());
  answer_public_rooms(services, call, *query, std::move(reply));
}

}  // namespace skerry::homeserver::client_api
