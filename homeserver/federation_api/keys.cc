// GET  /_matrix/federation/v1/version           what this server runs
// GET  /_matrix/key/v2/server                   this server's signing keys, signed by them
// GET  /_matrix/key/v2/query/{serverName}, POST /_matrix/key/v2/query   other servers' keys, with our word for them
// Server-server API, 'Server discovery', 'Retrieving server keys'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"

namespace skerry::homeserver::federation_api {

namespace {

constexpr std::size_t max_queried_servers = 100;

// Collects the answers for several servers, which come in any order.
class Collected {
 public:
  Collected(Reply reply, std::size_t open) : reply_(std::move(reply)), open_(open) {}

  void add(std::optional<Json> response) {
    std::scoped_lock lock(mutex_);
    if (response) responses_.push_back(std::move(*response));
    if (--open_ == 0) reply_.json({{"server_keys", std::move(responses_)}});
  }

 private:
  std::mutex mutex_;
  Reply reply_;
  std::size_t open_;
  Json responses_ = Json::array();
};

void answer(Services& services, const std::vector<std::pair<ServerName, std::int64_t>>& queried, Reply reply) {
  if (queried.empty()) return reply.json({{"server_keys", Json::array()}});
  auto collected = std::make_shared<Collected>(std::move(reply), queried.size());
  for (const auto& [server, minimum_ms] : queried) {
    services.keys.notary_answer(server, minimum_ms,
                                [collected](std::optional<Json> response) { collected->add(std::move(response)); });
  }
}

}  // namespace

void get_version(Services&, Call, Reply reply) {
  reply.json({{"server", {{"name", "Skerry"}, {"version", SKERRY_VERSION}}}});
}

void get_own_keys(Services& services, Call, Reply reply) { reply.json(services.keys.own_keys()); }

void query_keys_of_server(Services& services, Call call, Reply reply) {
  auto server = parse_id<ServerName>(call.parameters[0]);
  if (!server) return reply.error(server.error());
  answer(services, {{*server, 0}}, std::move(reply));
}

void query_keys(Services& services, Call call, Reply reply) {
  const Json* wanted = find_object(*call.body, "server_keys");
  if (wanted == nullptr) return reply.error({ErrorCode::bad_json, "server_keys must be an object"});
  std::vector<std::pair<ServerName, std::int64_t>> queried;
  for (const auto& [name, keys] : wanted->items()) {
    const auto server = ServerName::parse(name);
    if (!server || !keys.is_object() || queried.size() >= max_queried_servers) continue;
    std::int64_t minimum_ms = 0;
    for (const auto& [key, criteria] : keys.items()) {
      const Json* until = criteria.is_object() ? find_member(criteria, "minimum_valid_until_ts") : nullptr;
      if (until != nullptr && until->is_number_integer()) minimum_ms = std::max(minimum_ms, until->get<std::int64_t>());
    }
    queried.emplace_back(*server, minimum_ms);
  }
  answer(services, queried, std::move(reply));
}

}  // namespace skerry::homeserver::federation_api
