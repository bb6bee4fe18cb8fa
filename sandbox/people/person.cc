#include "sandbox/people/person.h"

#include <algorithm>
#include <atomic>

#include <nlohmann/json.hpp>

#include "sandbox/people/passwords.h"

namespace skerry::sandbox {

namespace {

constexpr std::size_t page_events = 100;
constexpr std::size_t most_pages = 100;

std::string new_transaction() {
  static std::atomic<std::uint64_t> last{0};
  return "t" + std::to_string(++last);
}

Result<std::string> member(const Result<Json>& answer, const char* key) {
  if (!answer) return tl::make_unexpected(answer.error());
  const std::string* value = find_string(*answer, key);
  if (value == nullptr) return fail(ErrorCode::remote_error, std::string("the server's answer has no ") + key);
  return *value;
}

Result<void> nothing(const Result<Json>& answer) {
  if (!answer) return tl::make_unexpected(answer.error());
  return {};
}

}  // namespace

Person::Person(Web& web, const std::string& client_url, Registered account)
    : http_(&web.client()),
      account_(std::move(account)),
      api_(*http_, client_url, account_.access_token),
      listener_(std::make_unique<Listener>(web, client_url, account_.access_token)) {}

Result<Person> Person::register_at(Web& web, const std::string& client_url, const std::string& localpart) {
  auto account = register_account(ClientApi(web.client(), client_url), localpart, make_password());
  if (!account) return tl::make_unexpected(account.error());
  return Person(web, client_url, std::move(*account));
}

ClientApi Person::api_at(const std::string& client_url) const {
  return ClientApi(*http_, client_url, account_.access_token);
}

Result<std::string> Person::create_room(const Json& body) const {
  return member(api_.post("/createRoom", body), "room_id");
}

Result<std::string> Person::join(const std::string& room_or_alias, const std::vector<std::string>& via) const {
  std::string path = "/join/" + net::percent_encode(room_or_alias);
  for (std::size_t i = 0; i < via.size(); ++i) path += (i == 0 ? "?via=" : "&via=") + net::percent_encode(via[i]);
  return member(api_.post(path, Json::object()), "room_id");
}

Result<void> Person::invite(const std::string& room_id, const std::string& user_id) const {
  return nothing(api_.post(in_room(room_id) + "/invite", {{"user_id", user_id}}));
}

Result<void> Person::leave(const std::string& room_id) const {
  return nothing(api_.post(in_room(room_id) + "/leave", Json::object()));
}

Result<std::string> Person::say(const std::string& room_id, const std::string& text) const {
  return member(
      api_.put(in_room(room_id) + "/send/m.room.message/" + new_transaction(), {{"msgtype", "m.text"}, {"body", text}}),
      "event_id");
}

Result<std::string> Person::set_state(const std::string& room_id, const std::string& type, const std::string& state_key,
                                      const Json& content) const {
  return member(
      api_.put(in_room(room_id) + "/state/" + net::percent_encode(type) + "/" + net::percent_encode(state_key),
               content),
      "event_id");
}

Result<std::string> Person::redact(const std::string& room_id, const std::string& event_id) const {
  return member(
      api_.put(in_room(room_id) + "/redact/" + net::percent_encode(event_id) + "/" + new_transaction(), Json::object()),
      "event_id");
}

Result<Json> Person::state(const std::string& room_id) const {
  const auto answer = api_.get(in_room(room_id) + "/state");
  if (!answer) return answer;
  Json state = Json::object();
  for (const Json& event : *answer) {
    const std::string* type = find_string(event, "type");
    const std::string* state_key = find_string(event, "state_key");
    const std::string* id = find_string(event, "event_id");
    if (type == nullptr || state_key == nullptr || id == nullptr) {
      return fail(ErrorCode::remote_error, "/state with something that is no state event");
    }
    state[*type + "|" + *state_key] = *id;
  }
  return state;
}

Result<std::vector<std::string>> Person::event_ids(const std::string& room_id) const {
  std::vector<std::string> ids;
  std::string from;
  for (std::size_t page = 0; page < most_pages; ++page) {
    const auto answer = api_.get(in_room(room_id) + "/messages?dir=b&limit=" + std::to_string(page_events) +
                                 (from.empty() ? "" : "&from=" + net::percent_encode(from)));
    if (!answer) return tl::make_unexpected(answer.error());
    const Json* chunk = find_array(*answer, "chunk");
    if (chunk == nullptr) return fail(ErrorCode::remote_error, "/messages without a chunk");
    for (const Json& event : *chunk) {
      if (const std::string* id = find_string(event, "event_id")) ids.push_back(*id);
    }
    const std::string* end = find_string(*answer, "end");
    if (end == nullptr || chunk->empty()) {
      std::reverse(ids.begin(), ids.end());
      return ids;
    }
    from = *end;
  }
  return fail(ErrorCode::remote_error, "/messages has no end");
}

}  // namespace skerry::sandbox
