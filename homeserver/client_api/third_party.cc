// GET /thirdparty/protocols, /thirdparty/protocol/{protocol}           the networks that application services bridge
// GET /thirdparty/user/{protocol}, /thirdparty/location/{protocol}     who and what is there, by fields of the network
// GET /thirdparty/user?userid=, /thirdparty/location?alias=            the way back
// Passed on to the application services that list the protocol. Client-server API, 'Third-party Networks'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/appservices/client.h"
#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::chrono::milliseconds lookup_time{10'000};
constexpr std::size_t lookup_bytes = 1'048'576;
constexpr std::size_t results_at_most = 1'000;

// Null when it does not answer with JSON of status 200. Waits.
Json ask(Services& services, const Appservice& appservice, const std::string& path, const std::string& query) {
  AppserviceRequest request;
  request.path = "/thirdparty" + path;
  request.legacy_path = "/_matrix/app/unstable/thirdparty" + path;
  request.query = query;
  request.timeout = lookup_time;
  request.max_response_bytes = lookup_bytes;
  const auto answer = services.appservice_client.call(appservice, std::move(request));
  if (!answer || answer->status != 200) return nullptr;
  auto body = parse_untrusted(answer->body, JsonNumbers::any);
  return body ? std::move(*body) : Json();
}

bool lists(const Appservice& appservice, const std::string& protocol) {
  const auto& protocols = appservice.registration().protocols;
  return std::find(protocols.begin(), protocols.end(), protocol) != protocols.end();
}

// The protocol as clients see it: each instance with an instance_id, unique here, by which the directory is asked.
// Where several application services have it, the first describes it. Null when nobody does.
Json protocol_json(Services& services, const std::string& protocol) {
  Json described;
  for (const auto& appservice : services.appservices.all()) {
    if (!lists(*appservice, protocol)) continue;
    Json one = ask(services, *appservice, "/protocol/" + net::percent_encode(protocol), "");
    if (!one.is_object()) continue;
    Json instances = Json::array();
    if (const Json* given = find_array(one, "instances")) {
      for (const Json& instance : *given) {
        const std::string* network = instance.is_object() ? find_string(instance, "network_id") : nullptr;
        if (network == nullptr) continue;
        instances.push_back(instance);
        instances.back()["instance_id"] = appservice->id() + "|" + *network;
      }
    }
    if (described.is_null()) {
      described = std::move(one);
      described["instances"] = Json::array();
    }
    for (Json& instance : instances) described["instances"].push_back(std::move(instance));
  }
  return described;
}

// All that those who list the protocol (empty: any) answer.
void answer_list(Services& services, const std::string& protocol, const std::string& path, const std::string& query,
                 Reply reply) {
  Json found = Json::array();
  for (const auto& appservice : services.appservices.all()) {
    const bool asked = protocol.empty() ? !appservice->registration().protocols.empty() : lists(*appservice, protocol);
    if (!asked) continue;
    const Json list = ask(services, *appservice, path, query);
    if (!list.is_array()) continue;
    for (const Json& entry : list) {
      if (entry.is_object() && found.size() < results_at_most) found.push_back(entry);
    }
  }
  if (found.empty()) return reply.error({ErrorCode::not_found, "nothing was found"});
  reply.json(found);
}

// The network's own fields of the query.
std::string fields_of(const Call& call) {
  std::string query;
  for (const auto& [name, value] : call.query) {
    if (name == "access_token" || name == "user_id" || name == "device_id") continue;
    query += (query.empty() ? "" : "&") + net::percent_encode(name) + "=" + net::percent_encode(value);
  }
  return query;
}

void look_up(Services& services, const Call& call, const std::string& kind, Reply reply) {
  const std::string& protocol = call.parameters[0];
  answer_list(services, protocol, "/" + kind + "/" + net::percent_encode(protocol), fields_of(call), std::move(reply));
}

void look_back(Services& services, const Call& call, const std::string& kind, const char* name, Reply reply) {
  const std::string* id = call.query_value(name);
  if (id == nullptr) return reply.error({ErrorCode::missing_param, std::string(name) + " is required"});
  answer_list(services, "", "/" + kind, std::string(name) + "=" + net::percent_encode(*id), std::move(reply));
}

}  // namespace

void get_protocols(Services& services, Call, Reply reply) {
  Json all = Json::object();
  for (const auto& appservice : services.appservices.all()) {
    for (const std::string& protocol : appservice->registration().protocols) {
      if (all.contains(protocol)) continue;
      if (Json one = protocol_json(services, protocol); !one.is_null()) all[protocol] = std::move(one);
    }
  }
  reply.json(all);
}

void get_protocol(Services& services, Call call, Reply reply) {
  const Json one = protocol_json(services, call.parameters[0]);
  if (one.is_null()) return reply.error({ErrorCode::not_found, "nobody here speaks that protocol"});
  reply.json(one);
}

void get_third_party_users(Services& services, Call call, Reply reply) {
  look_up(services, call, "user", std::move(reply));
}

void get_third_party_locations(Services& services, Call call, Reply reply) {
  look_up(services, call, "location", std::move(reply));
}

void find_third_party_users(Services& services, Call call, Reply reply) {
  look_back(services, call, "user", "userid", std::move(reply));
}

void find_third_party_locations(Services& services, Call call, Reply reply) {
  look_back(services, call, "location", "alias", std::move(reply));
}

}  // namespace skerry::homeserver::client_api
