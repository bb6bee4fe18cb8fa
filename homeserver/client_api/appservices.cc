// POST /appservice/{appserviceId}/ping                       asks the application service whether it hears this server
// PUT  /directory/list/appservice/{networkId}/{roomId}       lists a room for a network of the application service
// Application service API, 'Client-Server API Extensions'.
#include <nlohmann/json.hpp>

#include "core/utf8.h"
#include "homeserver/appservices/client.h"
#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "storage/appservice_store.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::chrono::milliseconds ping_time{30'000};
constexpr std::size_t shown_bytes = 1'024;  // of what it answered, where that was no good

void answer_ping(const Result<net::HttpResponse>& pong, std::int64_t duration_ms, Reply reply) {
  if (!pong && pong.error().code == ErrorCode::timeout) {
    return reply.error(504, {{"errcode", "M_CONNECTION_TIMEOUT"}, {"error", pong.error().text}});
  }
  if (!pong) return reply.error(502, {{"errcode", "M_CONNECTION_FAILED"}, {"error", pong.error().text}});
  if (pong->status / 100 != 2) {
    const std::string body = pong->body.substr(0, shown_bytes);
    Json refused = {{"errcode", "M_BAD_STATUS"},
                    {"error", "the application service answered " + std::to_string(pong->status)},
                    {"status", pong->status}};
    if (is_valid_utf8(body)) refused["body"] = body;
    return reply.error(502, refused);
  }
  reply.json({{"duration_ms", duration_ms}});
}

}  // namespace

void ping_appservice(Services& services, Call call, Reply reply) {
  const Appservice& appservice = *call.caller->appservice;
  if (call.parameters[0] != appservice.id())
    return reply.error({ErrorCode::forbidden, "that is another application service"});
  if (appservice.registration().url.empty()) {
    return reply.error(400, {{"errcode", "M_URL_NOT_SET"}, {"error", "the application service has no url"}});
  }
  auto id = optional_string(*call.body, "transaction_id");
  if (!id) return reply.error(id.error());
  AppserviceRequest request;
  request.method = "POST";
  request.path = "/ping";
  request.body = dump(*id ? Json{{"transaction_id", **id}} : Json::object());
  request.timeout = ping_time;
  const std::int64_t began_ms = services.clock.now_ms();
  services.appservice_client.send(
      appservice, std::move(request),
      [&services, began_ms, shared = share(std::move(reply))](const Result<net::HttpResponse>& pong) {
        answer_ping(pong, services.clock.now_ms() - began_ms, std::move(*shared));
      });
}

void put_appservice_listed(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 1);
  if (!room) return reply.error(room.error());
  auto visibility = required_string(*call.body, "visibility");
  if (!visibility) return reply.error(visibility.error());
  if (*visibility != "public" && *visibility != "private")
    return reply.error({ErrorCode::invalid_param, "visibility must be public or private"});
  auto info = services.reader.room(*room);
  if (!info) return reply.error(info.error());
  auto set = services.database.appservices().set_listed(call.caller->appservice->id(), call.parameters[0], *room,
                                                        *visibility == "public");
  if (!set) return reply.error(set.error());
  reply.json(nothing());
}

}  // namespace skerry::homeserver::client_api
