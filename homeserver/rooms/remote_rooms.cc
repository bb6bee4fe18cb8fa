// The questions of RemoteRooms as requests of the server-server API, one function per endpoint.
#include "homeserver/rooms/remote_rooms.h"

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "net/http.h"

namespace skerry::homeserver {

namespace {

using federation::FederationRequest;
using federation::RemoteFailure;

constexpr std::string_view v1 = "/_matrix/federation/v1/";
constexpr std::string_view v2 = "/_matrix/federation/v2/";

// What the other server said, in our words, where it says more than that the request failed.
Error translated(Error error, const RemoteFailure& failure) {
  static const std::vector<std::pair<std::string_view, ErrorCode>> codes = {
      {"M_FORBIDDEN", ErrorCode::forbidden},
      {"M_NOT_FOUND", ErrorCode::not_found},
      {"M_INCOMPATIBLE_ROOM_VERSION", ErrorCode::incompatible_room_version},
      {"M_UNABLE_TO_AUTHORISE_JOIN", ErrorCode::unable_to_authorise_join},
      {"M_UNABLE_TO_GRANT_JOIN", ErrorCode::unable_to_grant_join}};
  if (error.code != ErrorCode::remote_error) return error;
  for (const auto& [errcode, code] : codes) {
    if (failure.errcode == errcode) return Error{code, failure.error};
  }
  return error;
}

Error malformed(std::string_view what) {
  return Error{ErrorCode::remote_error, "the other server's answer has no " + std::string(what)};
}

// An array of objects, moved out of an answer.
Result<std::vector<Json>> take_pdus(Json& answer, std::string_view name) {
  const auto found = answer.is_object() ? answer.find(name) : answer.end();
  if (!answer.is_object() || found == answer.end() || !found->is_array()) return tl::make_unexpected(malformed(name));
  std::vector<Json> pdus;
  for (auto& pdu : *found) {
    if (pdu.is_object()) pdus.push_back(std::move(pdu));
  }
  return pdus;
}

template <class Id>
Result<std::vector<Id>> parse_ids(const Json& answer, std::string_view name) {
  const Json* list = answer.is_object() ? find_array(answer, name) : nullptr;
  if (list == nullptr) return tl::make_unexpected(malformed(name));
  std::vector<Id> ids;
  for (const auto& entry : *list) {
    if (!entry.is_string()) continue;
    if (auto id = Id::parse(entry.get_ref<const std::string&>())) ids.push_back(std::move(*id));
  }
  return ids;
}

Json id_list(const std::vector<EventId>& ids) {
  Json list = Json::array();
  for (const auto& id : ids) list.push_back(id.str());
  return list;
}

template <class Id>
std::string segment(const Id& id) {
  return "/" + net::percent_encode(id.str());
}

class FederatedRooms : public RemoteRooms {
 public:
  FederatedRooms(federation::FederationClient& client, federation::KeyRing& keys)
      : client_(client), keys_(keys), lookup_(keys.lookup()) {}

  std::optional<KnownKey> known_key(const ServerName& server, const KeyId& key) override {
    return lookup_(server, key);
  }

  void fetch_keys(std::vector<std::pair<ServerName, KeyId>> keys, std::vector<ServerName> notaries,
                  std::function<void()> done) override {
    keys_.fetch(std::move(keys), notaries, std::move(done));
  }

  Result<std::vector<Json>> get_missing_events(const ServerName& server, const RoomId& room,
                                               const std::vector<EventId>& earliest, const std::vector<EventId>& latest,
                                               std::size_t limit, std::int64_t min_depth) override {
    const Json body = {{"earliest_events", id_list(earliest)},
                       {"latest_events", id_list(latest)},
                       {"limit", limit},
                       {"min_depth", min_depth}};
    auto answer = call(server, "POST", std::string(v1) + "get_missing_events" + segment(room), &body,
                       limits::send_join_response_bytes);
    if (!answer) return tl::make_unexpected(answer.error());
    return take_pdus(*answer, "events");
  }

  Result<StateIds> state_ids(const ServerName& server, const RoomId& room, const EventId& event) override {
    auto answer = call(server, "GET", std::string(v1) + "state_ids" + segment(room) + at(event), nullptr,
                       limits::send_join_response_bytes);
    if (!answer) return tl::make_unexpected(answer.error());
    auto state = parse_ids<EventId>(*answer, "pdu_ids");
    if (!state) return tl::make_unexpected(state.error());
    auto auth_chain = parse_ids<EventId>(*answer, "auth_chain_ids");
    if (!auth_chain) return tl::make_unexpected(auth_chain.error());
    return StateIds{std::move(*state), std::move(*auth_chain)};
  }

  Result<State> state(const ServerName& server, const RoomId& room, const EventId& event) override {
    auto answer = call(server, "GET", std::string(v1) + "state" + segment(room) + at(event), nullptr,
                       limits::send_join_response_bytes);
    if (!answer) return tl::make_unexpected(answer.error());
    auto pdus = take_pdus(*answer, "pdus");
    if (!pdus) return tl::make_unexpected(pdus.error());
    auto auth_chain = take_pdus(*answer, "auth_chain");
    if (!auth_chain) return tl::make_unexpected(auth_chain.error());
    return State{std::move(*pdus), std::move(*auth_chain)};
  }

  Result<Json> event(const ServerName& server, const EventId& event) override {
    auto answer = call(server, "GET", std::string(v1) + "event" + segment(event));
    if (!answer) return tl::make_unexpected(answer.error());
    auto pdus = take_pdus(*answer, "pdus");
    if (!pdus) return tl::make_unexpected(pdus.error());
    if (pdus->empty()) return tl::make_unexpected(malformed("event"));
    return std::move(pdus->front());
  }

  Result<std::vector<Json>> event_auth(const ServerName& server, const RoomId& room, const EventId& event) override {
    auto answer = call(server, "GET", std::string(v1) + "event_auth" + segment(room) + segment(event), nullptr,
                       limits::send_join_response_bytes);
    if (!answer) return tl::make_unexpected(answer.error());
    return take_pdus(*answer, "auth_chain");
  }

  Result<std::vector<Json>> backfill(const ServerName& server, const RoomId& room, const std::vector<EventId>& from,
                                     std::size_t limit) override {
    std::string target = std::string(v1) + "backfill" + segment(room) + "?limit=" + std::to_string(limit);
    for (const auto& id : from) target += "&v=" + net::percent_encode(id.str());
    auto answer = call(server, "GET", std::move(target), nullptr, limits::send_join_response_bytes);
    if (!answer) return tl::make_unexpected(answer.error());
    return take_pdus(*answer, "pdus");
  }

  Result<Template> make_membership(const ServerName& server, const RoomId& room, const UserId& user,
                                   const std::string& membership, const std::vector<std::string>& versions) override {
    std::string target = std::string(v1) + "make_" + membership + segment(room) + segment(user);
    char separator = '?';
    for (const auto& version : membership == "leave" ? std::vector<std::string>() : versions) {
      target += std::string(1, separator) + "ver=" + net::percent_encode(version);
      separator = '&';
    }
    auto answer = call(server, "GET", std::move(target));
    if (!answer) return tl::make_unexpected(answer.error());
    const std::string* version = answer->is_object() ? find_string(*answer, "room_version") : nullptr;
    const Json* event = answer->is_object() ? find_object(*answer, "event") : nullptr;
    if (event == nullptr) return tl::make_unexpected(malformed("event"));
    return Template{version == nullptr ? std::string(unnamed_room_version) : *version,
                    std::make_shared<const Json>(*event)};
  }

  Result<Joined> send_join(const ServerName& server, const RoomId& room, const EventId& event,
                           const Json& pdu) override {
    auto answer = call(server, "PUT", std::string(v2) + "send_join" + segment(room) + segment(event), &pdu,
                       limits::send_join_response_bytes);
    if (!answer) return tl::make_unexpected(answer.error());
    auto state = take_pdus(*answer, "state");
    if (!state) return tl::make_unexpected(state.error());
    auto auth_chain = take_pdus(*answer, "auth_chain");
    if (!auth_chain) return tl::make_unexpected(auth_chain.error());
    Joined joined{std::move(*state), std::move(*auth_chain), nullptr, {}};
    if (const Json* signed_event = find_object(*answer, "event"))
      joined.event = std::make_shared<const Json>(*signed_event);
    if (auto servers = parse_ids<ServerName>(*answer, "servers_in_room")) joined.servers_in_room = std::move(*servers);
    return joined;
  }

  Result<void> send_leave(const ServerName& server, const RoomId& room, const EventId& event,
                          const Json& pdu) override {
    const auto answer = call(server, "PUT", std::string(v2) + "send_leave" + segment(room) + segment(event), &pdu);
    if (!answer) return tl::make_unexpected(answer.error());
    return {};
  }

  Result<std::vector<Json>> send_knock(const ServerName& server, const RoomId& room, const EventId& event,
                                       const Json& pdu) override {
    auto answer = call(server, "PUT", std::string(v1) + "send_knock" + segment(room) + segment(event), &pdu);
    if (!answer) return tl::make_unexpected(answer.error());
    auto state = take_pdus(*answer, "knock_room_state");
    if (!state) return std::vector<Json>();  // the knock was taken all the same
    return state;
  }

  Result<Json> invite(const ServerName& server, const RoomId& room, const EventId& event,
                      const std::string& room_version, const Json& pdu, const Json& invite_room_state) override {
    const Json body = {{"room_version", room_version}, {"event", pdu}, {"invite_room_state", invite_room_state}};
    auto answer = call(server, "PUT", std::string(v2) + "invite" + segment(room) + segment(event), &body);
    if (!answer) return answer;
    const Json* signed_event = answer->is_object() ? find_object(*answer, "event") : nullptr;
    if (signed_event == nullptr) return tl::make_unexpected(malformed("event"));
    return *signed_event;
  }

  Result<Directory> directory(const RoomAlias& alias) override {
    auto answer =
        call(alias.server(), "GET", std::string(v1) + "query/directory?room_alias=" + net::percent_encode(alias.str()));
    if (!answer) return tl::make_unexpected(answer.error());
    const std::string* room_id = answer->is_object() ? find_string(*answer, "room_id") : nullptr;
    if (room_id == nullptr) return tl::make_unexpected(malformed("room_id"));
    auto room = RoomId::parse(*room_id);
    if (!room) return tl::make_unexpected(malformed("valid room_id"));
    auto servers = parse_ids<ServerName>(*answer, "servers");
    if (!servers) return tl::make_unexpected(servers.error());
    return Directory{std::move(*room), std::move(*servers)};
  }

 private:
  static std::string at(const EventId& event) { return "?event_id=" + net::percent_encode(event.str()); }

  Result<Json> call(const ServerName& server, std::string method, std::string target, const Json* body = nullptr,
                    std::size_t max_response_bytes = limits::response_bytes) {
    FederationRequest request;
    request.destination = server;
    request.method = std::move(method);
    request.target = std::move(target);
    if (body != nullptr) request.body = dump(*body);
    request.max_response_bytes = max_response_bytes;
    RemoteFailure failure;
    auto answer = client_.call(std::move(request), &failure);
    if (!answer) return tl::make_unexpected(translated(std::move(answer.error()), failure));
    return answer;
  }

  federation::FederationClient& client_;
  federation::KeyRing& keys_;
  const KeyLookup lookup_;
};

}  // namespace

std::unique_ptr<RemoteRooms> make_remote_rooms(federation::FederationClient& client, federation::KeyRing& keys) {
  return std::make_unique<FederatedRooms>(client, keys);
}

}  // namespace skerry::homeserver
