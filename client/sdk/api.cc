#include "client/sdk/api.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "net/http.h"

namespace skerry::client::api {
namespace {

using net::percent_encode;

const std::string prefix = "/_matrix/client/v3";
constexpr int typing_ms = 20'000;
// The answer may come this much later than the wait that was asked for.
constexpr std::chrono::milliseconds sync_slack{30'000};
// Without a token the server sends every room at once.
constexpr std::size_t sync_bytes = 256 * 1'048'576;

std::string room_path(const std::string& room_id) { return prefix + "/rooms/" + percent_encode(room_id); }

ApiResult<Nothing> parse_nothing(const Json&) { return Nothing{}; }

// Reads one string that the answer must hold.
std::function<ApiResult<std::string>(const Json&)> string_member(std::string key) {
  return [key = std::move(key)](const Json& answer) -> ApiResult<std::string> {
    const std::string* value = find_string(answer, key);
    if (!value || value->empty()) return bad_answer(key);
    return *value;
  };
}

ApiResult<SignedIn> parse_signed_in(const Json& answer) {
  const std::string* user = find_string(answer, "user_id");
  const std::string* device = find_string(answer, "device_id");
  const std::string* token = find_string(answer, "access_token");
  if (!user || !device || !token || token->empty()) return bad_answer("user_id, device_id and access_token");
  return SignedIn{*user, *device, *token};
}

std::vector<RoomEvent> parse_events(const Json& answer, std::string_view key) {
  std::vector<RoomEvent> out;
  const Json* events = find_array(answer, key);
  if (!events) return out;
  for (const Json& event : *events) {
    if (auto parsed = parse_room_event(event)) out.push_back(std::move(*parsed));
  }
  return out;
}

template <class T, class Parse>
Call<T> make(std::string method, std::string target, const Json* body, Parse parse) {
  Call<T> out;
  out.method = std::move(method);
  out.target = std::move(target);
  if (body) out.body = dump(*body);
  out.parse = std::move(parse);
  return out;
}

template <class T, class Parse>
Call<T> get(std::string target, Parse parse) {
  return make<T>("GET", std::move(target), nullptr, std::move(parse));
}

template <class T, class Parse>
Call<T> post(std::string target, const Json& body, Parse parse) {
  return make<T>("POST", std::move(target), &body, std::move(parse));
}

template <class T, class Parse>
Call<T> put(std::string target, const Json& body, Parse parse) {
  return make<T>("PUT", std::move(target), &body, std::move(parse));
}

// What this client shows needs no presence and no account data; members come with the messages they wrote.
Json sync_filter(const SyncRequest& request) {
  const Json none = {{"not_types", {"*"}}};
  Json room = {{"timeline", {{"limit", request.timeline_limit}, {"lazy_load_members", true}}},
               {"state", {{"lazy_load_members", true}}},
               {"ephemeral", {{"types", {"m.typing"}}}},
               {"account_data", none}};
  if (!request.only_room.empty()) room["rooms"] = Json::array({request.only_room});
  return {{"presence", none}, {"account_data", none}, {"room", std::move(room)}};
}

}  // namespace

Call<std::vector<std::string>> versions() {
  return get<std::vector<std::string>>("/_matrix/client/versions",
                                       [](const Json& answer) -> ApiResult<std::vector<std::string>> {
                                         const Json* list = find_array(answer, "versions");
                                         if (!list) return bad_answer("versions");
                                         std::vector<std::string> out;
                                         for (const Json& version : *list) {
                                           if (version.is_string()) out.push_back(version.get<std::string>());
                                         }
                                         return out;
                                       });
}

Call<SignedIn> login(const std::string& user, const std::string& password) {
  const Json body = {{"type", "m.login.password"},
                     {"identifier", {{"type", "m.id.user"}, {"user", user}}},
                     {"password", password},
                     {"initial_device_display_name", "skerry-client"}};
  return post<SignedIn>(prefix + "/login", body, parse_signed_in);
}

Call<SignedIn> register_account(const Json& body) {
  return post<SignedIn>(prefix + "/register", body, parse_signed_in);
}

Call<Nothing> logout() { return post<Nothing>(prefix + "/logout", Json::object(), parse_nothing); }

Call<WhoAmI> whoami() {
  return get<WhoAmI>(prefix + "/account/whoami", [](const Json& answer) -> ApiResult<WhoAmI> {
    const std::string* user = find_string(answer, "user_id");
    if (!user) return bad_answer("user_id");
    const std::string* device = find_string(answer, "device_id");
    return WhoAmI{*user, device ? *device : std::string()};
  });
}

Call<std::string> display_name(const std::string& user_id) {
  return get<std::string>(prefix + "/profile/" + percent_encode(user_id) + "/displayname",
                          [](const Json& answer) -> ApiResult<std::string> {
                            const std::string* name = find_string(answer, "displayname");
                            return name ? *name : std::string();
                          });
}

Call<Nothing> set_display_name(const std::string& user_id, const std::string& name) {
  return put<Nothing>(prefix + "/profile/" + percent_encode(user_id) + "/displayname", Json{{"displayname", name}},
                      parse_nothing);
}

Call<std::string> create_room(const CreateRoom& room) {
  Json body = {{"preset", room.is_public ? "public_chat" : "private_chat"},
               {"visibility", room.is_public ? "public" : "private"}};
  if (!room.name.empty()) body["name"] = room.name;
  if (!room.topic.empty()) body["topic"] = room.topic;
  if (!room.alias_localpart.empty()) body["room_alias_name"] = room.alias_localpart;
  if (!room.invite.empty()) body["invite"] = room.invite;
  auto out = post<std::string>(prefix + "/createRoom", body, string_member("room_id"));
  out.timeout = std::chrono::milliseconds(60'000);
  return out;
}

namespace {

// join and knock.
Call<std::string> enter(const std::string& how, const std::string& room_id_or_alias,
                        const std::vector<std::string>& via, Json body) {
  std::string target = prefix + how + percent_encode(room_id_or_alias);
  char separator = '?';
  for (const std::string& server : via) {
    // Servers older than Matrix 1.12 know the parameter by its first name.
    target += separator + ("via=" + percent_encode(server)) + "&server_name=" + percent_encode(server);
    separator = '&';
  }
  auto out = post<std::string>(std::move(target), std::move(body), string_member("room_id"));
  out.timeout = std::chrono::milliseconds(180'000);  // joining a big room through other servers takes its time
  return out;
}

}  // namespace

Call<std::string> join(const std::string& room_id_or_alias, const std::vector<std::string>& via) {
  return enter("/join/", room_id_or_alias, via, Json::object());
}

Call<std::string> knock(const std::string& room_id_or_alias, const std::vector<std::string>& via,
                        const std::string& reason) {
  return enter("/knock/", room_id_or_alias, via, reason.empty() ? Json::object() : Json{{"reason", reason}});
}

Call<Nothing> invite(const std::string& room_id, const std::string& user_id) {
  auto out = post<Nothing>(room_path(room_id) + "/invite", Json{{"user_id", user_id}}, parse_nothing);
  out.timeout = std::chrono::milliseconds(60'000);
  return out;
}

Call<Nothing> leave(const std::string& room_id) {
  auto out = post<Nothing>(room_path(room_id) + "/leave", Json::object(), parse_nothing);
  out.timeout = std::chrono::milliseconds(60'000);
  return out;
}

Call<std::string> resolve_alias(const std::string& alias) {
  return get<std::string>(prefix + "/directory/room/" + percent_encode(alias), string_member("room_id"));
}

Call<std::vector<std::string>> joined_rooms() {
  return get<std::vector<std::string>>(prefix + "/joined_rooms",
                                       [](const Json& answer) -> ApiResult<std::vector<std::string>> {
                                         const Json* list = find_array(answer, "joined_rooms");
                                         if (!list) return bad_answer("joined_rooms");
                                         std::vector<std::string> out;
                                         for (const Json& room : *list) {
                                           if (room.is_string()) out.push_back(room.get<std::string>());
                                         }
                                         return out;
                                       });
}

Call<std::vector<RoomEvent>> members(const std::string& room_id, bool present) {
  auto out = get<std::vector<RoomEvent>>(
      room_path(room_id) + "/members" + (present ? "?not_membership=leave" : ""),
      [](const Json& answer) -> ApiResult<std::vector<RoomEvent>> { return parse_events(answer, "chunk"); });
  out.max_response_bytes = sync_bytes;
  return out;
}

Call<Nothing> encryption_state(const std::string& room_id) {
  return get<Nothing>(room_path(room_id) + "/state/m.room.encryption/", parse_nothing);
}

Call<Nothing> set_topic(const std::string& room_id, const std::string& topic) {
  return put<Nothing>(room_path(room_id) + "/state/m.room.topic/", Json{{"topic", topic}}, parse_nothing);
}

Call<std::string> send_message(const std::string& room_id, const std::string& transaction_id, const std::string& kind,
                               const std::string& body) {
  return put<std::string>(room_path(room_id) + "/send/m.room.message/" + percent_encode(transaction_id),
                          Json{{"msgtype", kind}, {"body", body}}, string_member("event_id"));
}

Call<Messages> messages(const std::string& room_id, const std::string& from, int limit) {
  std::string target = room_path(room_id) + "/messages?dir=b&limit=" + std::to_string(limit) +
                       "&filter=" + percent_encode(R"({"lazy_load_members":true})");
  if (!from.empty()) target += "&from=" + percent_encode(from);
  return get<Messages>(std::move(target), [](const Json& answer) -> ApiResult<Messages> {
    if (!find_array(answer, "chunk")) return bad_answer("chunk");
    const std::string* end = find_string(answer, "end");
    return Messages{parse_events(answer, "chunk"), parse_events(answer, "state"), end ? *end : std::string()};
  });
}

Call<std::string> token_before(const std::string& room_id, const std::string& event_id) {
  return get<std::string>(room_path(room_id) + "/context/" + percent_encode(event_id) + "?limit=0",
                          string_member("start"));
}

Call<Nothing> read_receipt(const std::string& room_id, const std::string& event_id) {
  return post<Nothing>(room_path(room_id) + "/receipt/m.read/" + percent_encode(event_id), Json::object(),
                       parse_nothing);
}

Call<Nothing> typing(const std::string& room_id, const std::string& user_id, bool typing) {
  Json body = {{"typing", typing}};
  if (typing) body["timeout"] = typing_ms;
  return put<Nothing>(room_path(room_id) + "/typing/" + percent_encode(user_id), body, parse_nothing);
}

Call<SyncResponse> sync(const SyncRequest& request) {
  std::string target = prefix + "/sync?set_presence=offline&timeout=" + std::to_string(request.wait_ms) +
                       "&filter=" + percent_encode(dump(sync_filter(request)));
  if (!request.since.empty()) target += "&since=" + percent_encode(request.since);
  auto out = get<SyncResponse>(std::move(target), [](const Json& answer) -> ApiResult<SyncResponse> {
    auto parsed = parse_sync_response(answer);
    if (!parsed) return bad_answer("next_batch");
    return std::move(*parsed);
  });
  out.timeout = std::chrono::milliseconds(request.wait_ms) + sync_slack;
  if (request.since.empty()) out.timeout = std::chrono::minutes(3);
  out.max_response_bytes = sync_bytes;
  return out;
}

}  // namespace skerry::client::api
