// GET /make_join, /make_leave, /make_knock/{roomId}/{userId}          an event for the other server to sign
// PUT /send_join, /send_leave (v2 and v1), /send_knock (v1)/{roomId}/{eventId}   takes the signed event into the room
// Server-server API, 'Joining Rooms', 'Leaving Rooms', 'Knocking upon a room'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"

namespace skerry::homeserver::federation_api {

namespace {

using SharedReply = std::shared_ptr<Reply>;

// The user of the path, who must be of the asking server.
Result<UserId> user_of_origin(const Call& call) {
  auto user = parse_id<UserId>(call.parameters[1]);
  if (!user) return user;
  if (user->server() != call.origin) return fail(ErrorCode::forbidden, "that user is not of your server");
  return user;
}

// `ver` of make_join and make_knock names what the other server understands.
Result<void> check_version(Services& services, const Call& call, const RoomId& room) {
  auto info = services.reader.room(room);
  if (!info) return tl::make_unexpected(info.error());
  const auto versions = call.query_values("ver");
  if (std::find(versions.begin(), versions.end(), info->version) != versions.end()) return {};
  return fail(ErrorCode::incompatible_room_version, info->version);
}

void make_membership(Services& services, Call call, Reply reply, const char* membership, bool needs_version) {
  auto user = user_of_origin(call);
  if (!user) return reply.error(user.error());
  auto room = room_open_to_origin(services, call, 0);
  if (!room) return reply.error(room.error());
  if (needs_version) {
    if (auto known = check_version(services, call, *room); !known) {
      if (known.error().code != ErrorCode::incompatible_room_version) return reply.error(known.error());
      return reply.error(400, {{"errcode", "M_INCOMPATIBLE_ROOM_VERSION"},
                               {"error", "your server does not know this room's version"},
                               {"room_version", known.error().text}});
    }
  }
  EventDraft draft;
  draft.room = *room;
  draft.sender = *user;
  draft.type = "m.room.member";
  draft.state_key = user->str();
  draft.content_json = dump(Json{{"membership", membership}});
  auto shared = std::make_shared<Reply>(std::move(reply));
  services.pipeline.make_template(std::move(draft), [shared](Result<EventTemplate> made) {
    if (!made) return shared->error(made.error());
    shared->json({{"event", *made->pdu}, {"room_version", made->room_version}});
  });
}

// The event of the body, which must be a membership of the asking server's user in the room of the path.
Result<Json> signed_membership(const Call& call, const RoomId& room, const char* membership) {
  const Json& pdu = *call.body;
  const Json* content = find_object(pdu, "content");
  const std::string* type = find_string(pdu, "type");
  const std::string* room_id = find_string(pdu, "room_id");
  const std::string* sender = find_string(pdu, "sender");
  const std::string* state_key = find_string(pdu, "state_key");
  const std::string* is = content == nullptr ? nullptr : find_string(*content, "membership");
  if (type == nullptr || room_id == nullptr || sender == nullptr || state_key == nullptr || is == nullptr ||
      *type != "m.room.member" || *room_id != room.str() || *sender != *state_key || *is != membership) {
    return fail(ErrorCode::invalid_param, std::string("not a ") + membership + " of this room");
  }
  const auto user = UserId::parse(*sender);
  if (!user || user->server() != call.origin) return fail(ErrorCode::forbidden, "that user is not of your server");
  return pdu;
}

void send_membership(Services& services, Call call, Reply reply, const char* membership,
                     std::function<void(Reply&, const RoomAtEvent&, const RoomId&)> answer) {
  auto room = room_open_to_origin(services, call, 0);
  if (!room) return reply.error(room.error());
  auto pdu = signed_membership(call, *room, membership);
  if (!pdu) return reply.error(pdu.error());
  auto rules = services.reader.rules(*room);
  if (!rules) return reply.error(rules.error());
  auto id = event_id_of(**rules, *pdu);
  if (!id) return reply.error(id.error());
  if (id->str() != call.parameters[1]) return reply.error({ErrorCode::invalid_param, "the event has another id"});
  auto shared = std::make_shared<Reply>(std::move(reply));
  services.pipeline.submit_signed_membership(
      call.origin, std::move(*pdu),
      [&services, shared, answer = std::move(answer), room = *room](const Result<RoomAtEvent>& at) {
        if (!at) return shared->error(at.error());
        answer(*shared, *at, room);
        if (at->event->membership() == "join")
          services.presence_news.joined(services.presence, room, at->event->sender());
      });
}

// Spliced from the stored texts: a room of 10,000 members is 10 MB that need no parsing.
std::string join_answer(const RoomAtEvent& at, const ServerName& us) {
  JsonArrayText state, auth_chain, servers;
  for (const EventPtr& event : at.state) state.add(event->canonical_text());
  for (const EventPtr& event : at.auth_chain) auth_chain.add(event->canonical_text());
  for (const ServerName& server : at.servers_in_room) servers.add(dump(Json(server.str())));
  return R"({"auth_chain":)" + std::move(auth_chain).take() + R"(,"event":)" + at.event->canonical_text() +
         R"(,"members_omitted":false,"origin":)" + dump(Json(us.str())) + R"(,"servers_in_room":)" +
         std::move(servers).take() + R"(,"state":)" + std::move(state).take() + "}";
}

}  // namespace

void make_join(Services& services, Call call, Reply reply) {
  make_membership(services, std::move(call), std::move(reply), "join", true);
}

void make_leave(Services& services, Call call, Reply reply) {
  make_membership(services, std::move(call), std::move(reply), "leave", false);
}

void make_knock(Services& services, Call call, Reply reply) {
  make_membership(services, std::move(call), std::move(reply), "knock", true);
}

void send_join(Services& services, Call call, Reply reply) {
  const ServerName us = services.config.server_name;
  send_membership(services, std::move(call), std::move(reply), "join",
                  [us](Reply& answer, const RoomAtEvent& at, const RoomId&) { answer.text(join_answer(at, us)); });
}

// Version 1 answers an array whose second element is the object.
void send_join_v1(Services& services, Call call, Reply reply) {
  const ServerName us = services.config.server_name;
  send_membership(
      services, std::move(call), std::move(reply), "join",
      [us](Reply& answer, const RoomAtEvent& at, const RoomId&) { answer.text("[200," + join_answer(at, us) + "]"); });
}

void send_leave_v1(Services& services, Call call, Reply reply) {
  send_membership(services, std::move(call), std::move(reply), "leave",
                  [](Reply& answer, const RoomAtEvent&, const RoomId&) { answer.text("[200,{}]"); });
}

void send_leave(Services& services, Call call, Reply reply) {
  send_membership(services, std::move(call), std::move(reply), "leave",
                  [](Reply& answer, const RoomAtEvent&, const RoomId&) { answer.json(Json::object()); });
}

void send_knock(Services& services, Call call, Reply reply) {
  send_membership(services, std::move(call), std::move(reply), "knock",
                  [&services](Reply& answer, const RoomAtEvent&, const RoomId& room) {
                    auto state = services.reader.stripped_state(room, true);
                    if (!state) return answer.error(state.error());
                    answer.json({{"knock_room_state", std::move(*state)}});
                  });
}

}  // namespace skerry::homeserver::federation_api
