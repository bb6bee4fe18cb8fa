// GET /.well-known/matrix/client    where clients of this server go
// GET /.well-known/matrix/server    where other servers go
// GET /.well-known/matrix/support   whom to ask
// 404 where the configuration does not say. Client-server API, 'Server Discovery'; server-server API, 'Server
// discovery'.
#include <nlohmann/json.hpp>

#include "homeserver/client_api/handlers.h"
#include "homeserver/services.h"

namespace skerry::homeserver::client_api {

void well_known_client(Services& services, Call, Reply reply) {
  const std::string& url = services.config.public_client_url;
  if (url.empty()) return reply.error({ErrorCode::not_found, "this server does not say where its clients go"});
  reply.json({{"m.homeserver", {{"base_url", url}}}});
}

void well_known_server(Services& services, Call, Reply reply) {
  const std::string& place = services.config.well_known_server;
  if (place.empty()) return reply.error({ErrorCode::not_found, "this server is reached by its name"});
  reply.json({{"m.server", place}});
}

void well_known_support(Services& services, Call, Reply reply) {
  const Config::Support& support = services.config.support;
  Json body = Json::object();
  for (const auto& contact : support.contacts) {
    Json entry = {{"role", contact.role}};
    if (!contact.matrix_id.empty()) entry["matrix_id"] = contact.matrix_id;
    if (!contact.email_address.empty()) entry["email_address"] = contact.email_address;
    body["contacts"].push_back(std::move(entry));
  }
  if (!support.page.empty()) body["support_page"] = support.page;
  if (body.empty()) return reply.error({ErrorCode::not_found, "this server does not say whom to ask"});
  reply.json(body);
}

}  // namespace skerry::homeserver::client_api
