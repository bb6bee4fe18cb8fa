// GET /rooms/{roomId}/state                               the state: now for members, at their leave for those who left
// GET /rooms/{roomId}/state/{eventType}[/{stateKey}]      one state event's content (or `?format=event`)
// GET /rooms/{roomId}/members, /joined_members            who is in the room
// Client-server API, 'Getting events for a room'.
#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/sync/tokens.h"

namespace skerry::homeserver::client_api {

namespace {

// The state that the caller may see: the current one for members, else that after their leave or ban.
Result<StatePtr> visible_state(Services& services, const SeenRoom& seen) {
  if (seen.membership.membership == "join") return services.reader.current_state(seen.room);
  auto last = services.database.rooms().event(seen.membership.event);
  if (!last) return tl::make_unexpected(last.error());
  if (!*last || (*last)->outlier) return fail(ErrorCode::forbidden, "you are not in this room");
  return services.database.rooms().state((*last)->state_after);
}

// The state after the last event before a token, where the caller may see that event. 'GET /rooms/{roomId}/members',
// at.
Result<StatePtr> state_before(Services& services, const Call& call, const SeenRoom& seen, const std::string& token) {
  storage::RoomStore& rooms = services.database.rooms();
  const auto place = parse_history_token(token, seen.room, rooms);
  if (!place) return tl::make_unexpected(place.error());
  const auto last = rooms.history(seen.room, *place, true, 1);
  if (!last) return tl::make_unexpected(last.error());
  if (last->empty()) return fail(ErrorCode::invalid_param, "the token is from before this room's history");
  const auto visible = services.reader.may_see(call.caller->user, last->front());
  if (!visible) return tl::make_unexpected(visible.error());
  if (!*visible) return fail(ErrorCode::forbidden, "you may not see the room at that time");
  return rooms.state(last->front().state_after);
}

Result<Json> events_json(Services& services, const Call& call, const std::vector<EventId>& ids) {
  auto events = services.database.rooms().events(ids);
  if (!events) return tl::make_unexpected(events.error());
  const std::int64_t now_ms = services.clock.now_ms();
  Json list = Json::array();
  for (const storage::StoredEvent& stored : *events) {
    list.push_back(
        client_event(stored, services.database.rooms(), now_ms, call.caller->user, call.caller->device, true));
  }
  return list;
}

}  // namespace

void get_state(Services& services, Call call, Reply reply) {
  auto seen = seen_room(services, call, 0);
  if (!seen) return reply.error(seen.error());
  auto state = visible_state(services, *seen);
  if (!state) return reply.error(state.error());
  std::vector<EventId> ids;
  for (const auto& [key, id] : **state) ids.push_back(id);
  reply.result(events_json(services, call, ids));
}

void get_state_event(Services& services, Call call, Reply reply) {
  auto seen = seen_room(services, call, 0);
  if (!seen) return reply.error(seen.error());
  auto state = visible_state(services, *seen);
  if (!state) return reply.error(state.error());
  const std::string key = call.parameters.size() > 2 ? call.parameters[2] : "";
  const auto found = (*state)->find({call.parameters[1], key});
  if (found == (*state)->end()) return reply.error({ErrorCode::not_found, "no such state"});
  auto events = events_json(services, call, {found->second});
  if (!events) return reply.error(events.error());
  if (events->empty()) return reply.error({ErrorCode::not_found, "no such state"});
  const std::string* format = call.query_value("format");
  const bool whole = format != nullptr && *format == "event";
  reply.json(whole ? events->front() : events->front().at("content"));
}

void get_members(Services& services, Call call, Reply reply) {
  auto seen = seen_room(services, call, 0);
  if (!seen) return reply.error(seen.error());
  const std::string* wanted = call.query_value("membership");
  const std::string* unwanted = call.query_value("not_membership");
  const std::string* token = call.query_value("at");
  auto state = token != nullptr ? state_before(services, call, *seen, *token) : visible_state(services, *seen);
  if (!state) return reply.error(state.error());
  std::vector<EventId> ids;
  for (auto it = (*state)->lower_bound({"m.room.member", ""});
       it != (*state)->end() && it->first.type == "m.room.member"; ++it) {
    ids.push_back(it->second);
  }
  auto events = events_json(services, call, ids);
  if (!events) return reply.error(events.error());
  Json chunk = Json::array();
  for (Json& event : *events) {
    const std::string* membership = find_string(event["content"], "membership");
    if (membership == nullptr) continue;
    if (wanted != nullptr && *wanted != *membership) continue;
    if (unwanted != nullptr && *unwanted == *membership) continue;
    chunk.push_back(std::move(event));
  }
  reply.json({{"chunk", std::move(chunk)}});
}

void get_joined_members(Services& services, Call call, Reply reply) {
  auto room = joined_room(services, call, 0);
  if (!room) return reply.error(room.error());
  auto members = services.database.rooms().members(*room);
  if (!members) return reply.error(members.error());
  std::vector<EventId> ids;
  for (const storage::Membership& member : *members) {
    if (member.membership == "join") ids.push_back(member.event);
  }
  auto events = services.database.rooms().events(ids);
  if (!events) return reply.error(events.error());
  Json joined = Json::object();
  for (const storage::StoredEvent& stored : *events) {
    Json profile = Json::object();
    const Json& content = stored.event->content();
    if (const std::string* name = find_string(content, "displayname")) profile["display_name"] = *name;
    if (const std::string* avatar = find_string(content, "avatar_url")) profile["avatar_url"] = *avatar;
    joined[stored.event->state_key().value_or("")] = std::move(profile);
  }
  reply.json({{"joined", std::move(joined)}});
}

}  // namespace skerry::homeserver::client_api
