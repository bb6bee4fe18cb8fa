// GET  /_matrix/federation/v1/version           what this server runs
// GET  /_matrix/key/v2/server                   this server's signing keys, signed by them
// GET  /_matrix/key/v2/query/{serverName}, POST /_matrix/key/v2/query   other servers' keys, with our word for them
// Server-server API, 'Server discovery', 'Retrieving server keys'.
#include <algorithm>
#include <charconv>
#include <mutex>

#include <nlohmann/json.hpp>

#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"

namespace skerry::homeserver::federation_api {

namespace {

constexpr std::size_t max_queried_servers = 100;
constexpr std::size_t max_queried_keys = 32;  // of one server

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

struct Queried {
  ServerName server;
  std::vector<KeyId> keys;
  std::int64_t minimum_valid_until_ms = 0;
};

void answer(Services& services, const std::vector<Queried>& queried, Reply reply) {
  if (queried.empty()) return reply.json({{"server_keys", Json::array()}});
  auto collected = std::make_shared<Collected>(std::move(reply), queried.size());
  for (const Queried& one : queried) {
    services.keys.notary_answer(one.server, one.keys, one.minimum_valid_until_ms,
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
  std::int64_t minimum_ms = 0;
  if (const std::string* text = call.query_value("minimum_valid_until_ts"))
    std::from_chars(text->data(), text->data() + text->size(), minimum_ms);
  answer(services, {{*server, {}, minimum_ms}}, std::move(reply));
}

void query_keys(Services& services, Call call, Reply reply) {
  const Json* wanted = find_object(*call.body, "server_keys");
  if (wanted == nullptr) return reply.error({ErrorCode::bad_json, "server_keys must be an object"});
  std::vector<Queried> queried;
  for (const auto& [name, keys] : wanted->items()) {
    const auto server = ServerName::parse(name);
    if (!server || !keys.is_object() || queried.size() >= max_queried_servers) continue;
    Queried one{*server, {}, 0};
    for (const auto& [key, criteria] : keys.items()) {
      if (const auto id = KeyId::parse(key); id && one.keys.size() < max_queried_keys) one.keys.push_back(*id);
      const Json* until = criteria.is_object() ? find_member(criteria, "minimum_valid_until_ts") : nullptr;
      if (until == nullptr || !until->is_number_integer()) continue;
      one.minimum_valid_until_ms = std::max(one.minimum_valid_until_ms, until->get<std::int64_t>());
    }
    queried.push_back(std::move(one));
  }
  answer(services, queried, std::move(reply));
}

}  // namespace skerry::homeserver::federation_api
