// POST /join/{roomIdOrAlias}, /rooms/{roomId}/join    joins, through other servers (`via`) where this one is not in the
//                                                     room
// POST /knock/{roomIdOrAlias}                         asks to be let in, likewise
// POST /rooms/{roomId}/leave, /forget                 leaves, rejects an invitation, takes a knock back; hides a room
//                                                     that was left
// POST /rooms/{roomId}/invite, /kick, /ban, /unban    changes another user's membership
// GET  /joined_rooms                                  the caller's rooms
// Client-server API, 'Room membership'.
#include <optional>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/room_upgrades.h"
#include "homeserver/rate_limiter.h"

namespace skerry::homeserver::client_api {

namespace {

// The members of a request body that belong into the membership event.
Result<Json> extra_content(const Json& body) {
  auto reason = optional_string(body, "reason");
  if (!reason) return tl::make_unexpected(reason.error());
  return *reason ? Json{{"reason", **reason}} : Json::object();
}

std::vector<ServerName> via_servers(const Call& call) {
  std::vector<ServerName> servers;
  for (const char* name : {"via", "server_name"}) {  // server_name: before v1.12
    for (const std::string& text : call.query_values(name)) {
      if (auto server = ServerName::parse(text)) servers.push_back(*server);
    }
  }
  return servers;
}

// The room of the path, and servers that may know it. Nothing when the request was answered.
std::optional<MembershipService::Resolved> room_and_servers(Services& services, const Call& call, Reply& reply) {
  std::vector<ServerName> via = via_servers(call);
  if (!call.parameters[0].starts_with('#')) {
    auto room = path_id<RoomId>(call, 0);
    if (room) return MembershipService::Resolved{std::move(*room), std::move(via)};
    reply.error(room.error());
    return std::nullopt;
  }
  auto alias = path_id<RoomAlias>(call, 0);
  if (!alias) {
    reply.error(alias.error());
    return std::nullopt;
  }
  if (!alias_was_looked_for(services, *alias, reply)) return std::nullopt;
  auto resolved = services.membership.resolve_alias(*alias);
  if (!resolved) {
    reply.error(resolved.error());
    return std::nullopt;
  }
  resolved->servers.insert(resolved->servers.begin(), via.begin(), via.end());
  return std::move(*resolved);
}

void join(Services& services, const Call& call, const RoomId& room, std::vector<ServerName> via, Reply reply) {
  auto extra = extra_content(*call.body);
  if (!extra) return reply.error(extra.error());
  if (auto wait = services.rate_limiter.join(*call.caller)) return reply.limited(*wait);
  auto joined = services.membership.join(call.caller->user, room, std::move(via), dump(*extra));
  if (!joined) return reply.error(joined.error());
  carry_settings(services, call.caller->user, *joined);
  services.presence_news.joined(services.presence, *joined, call.caller->user);
  reply.json({{"room_id", joined->str()}});
}

Result<UserId> body_user(const Json& body) {
  auto text = required_string(body, "user_id");
  if (!text) return tl::make_unexpected(text.error());
  auto user = UserId::parse(*text);
  if (!user) return fail(ErrorCode::invalid_param, "user_id is not a user id");
  return user;
}

// Kick, ban and unban: the member event of somebody else, when the present membership is one of `from` (empty: any).
void change_membership(Services& services, const Call& call, const std::string& membership,
                       std::initializer_list<std::string_view> from, const std::string& otherwise, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  auto target = body_user(*call.body);
  if (!target) return reply.error(target.error());
  auto content = extra_content(*call.body);
  if (!content) return reply.error(content.error());
  auto present = services.reader.membership(*room, *target);
  if (!present) return reply.error(present.error());
  if (from.size() > 0 && std::find(from.begin(), from.end(), *present) == from.end()) {
    return reply.error({ErrorCode::forbidden, otherwise});
  }
  (*content)["membership"] = membership;
  EventDraft draft;
  draft.room = *room;
  draft.sender = call.caller->user;
  draft.type = "m.room.member";
  draft.state_key = target->str();
  draft.content_json = dump(*content);
  auto shared = share(std::move(reply));
  services.pipeline.submit_local(std::move(draft), [shared](Result<EventId> sent) {
    if (!sent) return shared->error(sent.error());
    shared->json(nothing());
  });
}

}  // namespace

void join_room(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  join(services, call, *room, via_servers(call), std::move(reply));
}

void join_room_or_alias(Services& services, Call call, Reply reply) {
  auto resolved = room_and_servers(services, call, reply);
  if (!resolved) return;
  join(services, call, resolved->room, std::move(resolved->servers), std::move(reply));
}

void knock_room_or_alias(Services& services, Call call, Reply reply) {
  auto extra = extra_content(*call.body);
  if (!extra) return reply.error(extra.error());
  if (auto wait = services.rate_limiter.join(*call.caller)) return reply.limited(*wait);
  auto resolved = room_and_servers(services, call, reply);
  if (!resolved) return;
  auto knocked = services.membership.knock(call.caller->user, resolved->room, resolved->servers, dump(*extra));
  if (!knocked) return reply.error(knocked.error());
  reply.json({{"room_id", knocked->str()}});
}

void leave_room(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  auto extra = extra_content(*call.body);
  if (!extra) return reply.error(extra.error());
  auto left = services.membership.leave(call.caller->user, *room, dump(*extra));
  if (!left) return reply.error(left.error());
  reply.json(nothing());
}

void forget_room(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  auto membership = services.database.rooms().membership(*room, call.caller->user);
  if (!membership) return reply.error(membership.error());
  if (!*membership) return reply.json(nothing());  // nothing to forget
  const std::string& present = (*membership)->membership;
  if (present == "join" || present == "invite" || present == "knock") {
    return reply.error(400, {{"errcode", "M_UNKNOWN"}, {"error", "leave the room before you forget it"}});
  }
  auto forgotten = services.database.rooms().forget(*room, call.caller->user);
  if (!forgotten) return reply.error(forgotten.error());
  reply.json(nothing());
}

void invite_user(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  auto target = body_user(*call.body);
  if (!target) return reply.error(target.error());
  auto extra = extra_content(*call.body);
  if (!extra) return reply.error(extra.error());
  if (auto wait = services.rate_limiter.message(*call.caller)) return reply.limited(*wait);
  (void)services.appservice_queries.look_for(*target);
  auto invited = services.membership.invite(call.caller->user, *target, *room, dump(*extra));
  if (!invited) return reply.error(invited.error());
  reply.json(nothing());
}

void kick_user(Services& services, Call call, Reply reply) {
  change_membership(services, call, "leave", {"join", "invite", "knock"}, "that user is not in the room",
                    std::move(reply));
}

void ban_user(Services& services, Call call, Reply reply) {
  change_membership(services, call, "ban", {}, "", std::move(reply));
}

void unban_user(Services& services, Call call, Reply reply) {
  change_membership(services, call, "leave", {"ban"}, "that user is not banned", std::move(reply));
}

void joined_rooms(Services& services, Call call, Reply reply) {
  auto memberships = services.database.rooms().memberships_of(call.caller->user);
  if (!memberships) return reply.error(memberships.error());
  Json rooms = Json::array();
  for (const storage::Membership& membership : *memberships) {
    if (membership.membership == "join") rooms.push_back(membership.room.str());
  }
  reply.json({{"joined_rooms", std::move(rooms)}});
}

}  // namespace skerry::homeserver::client_api
