#include "sandbox/people/client_api.h"

#include <algorithm>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "sandbox/world/interrupt.h"

namespace skerry::sandbox {

namespace {

constexpr const char* prefix = "/_matrix/client/v3";
constexpr int unauthorized = 401;
constexpr int too_many_requests = 429;
constexpr std::chrono::milliseconds usual_rest{1'000};
constexpr std::chrono::milliseconds interrupt_step{20};

// The names of a body's fields, those of objects within it as "outer.inner".
void collect_fields(const Json& body, const std::string& before, std::set<std::string>& fields) {
  for (const auto& [key, value] : body.items()) {
    if (value.is_object()) {
      collect_fields(value, before + key + ".", fields);
    } else {
      fields.insert(before + key);
    }
  }
}

// How long a server that has its rate limits wants to be left alone (section "Rate limiting").
std::chrono::milliseconds rest_of(const net::HttpResponse& response) {
  const auto json = parse_untrusted(response.body, JsonNumbers::any);
  const Json* asked = json && json->is_object() ? find_member(*json, "retry_after_ms") : nullptr;
  if (asked == nullptr || !asked->is_number_integer()) return usual_rest;
  const std::int64_t longest_ms = std::chrono::milliseconds(longest_rest).count();
  return std::chrono::milliseconds(std::clamp<std::int64_t>(asked->get<std::int64_t>(), 1, longest_ms + 1));
}

void rest(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end && !interrupted()) std::this_thread::sleep_for(interrupt_step);
}

}  // namespace

ClientApi::ClientApi(net::HttpClient& http, const std::string& base_url, std::string access_token)
    : http_(&http), endpoint_(net::parse_url(base_url)->endpoint), access_token_(std::move(access_token)) {}

Result<Json> ClientApi::get(const std::string& path, std::chrono::milliseconds timeout) const {
  return call("GET", path, {}, timeout);
}

Result<Json> ClientApi::post(const std::string& path, const Json& body) const {
  return call("POST", path, dump(body), api_time);
}

Result<Json> ClientApi::put(const std::string& path, const Json& body) const {
  return call("PUT", path, dump(body), api_time);
}

Result<Json> ClientApi::call(const std::string& method, const std::string& path, const std::string& body,
                             std::chrono::milliseconds timeout) const {
  net::OutgoingRequest request;
  request.endpoint = endpoint_;
  request.method = method;
  request.target = prefix + path;
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  if (!access_token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + access_token_);
  request.body = body;
  request.timeout = timeout;
  auto response = http_->call(request);
  std::chrono::milliseconds rested{0};
  while (response && response->status == too_many_requests && !interrupted()) {
    const auto time = rest_of(*response);
    if ((rested += time) > longest_rest) break;
    rest(time);
    response = http_->call(request);
  }
  if (!response) return tl::make_unexpected(response.error());
  auto json = parse_untrusted(response->body, JsonNumbers::any);
  const std::string what = method + " " + path.substr(0, path.find('?')) + ": ";
  if (!json || !(json->is_object() || json->is_array())) {
    return fail(ErrorCode::remote_error, what + "status " + std::to_string(response->status) + " without JSON");
  }
  if (response->status == 200) return json;
  // The first answer of user-interactive auth is a question, and as such what was asked for.
  if (response->status == unauthorized && find_member(*json, "flows") != nullptr) return json;
  const std::string* errcode = find_string(*json, "errcode");
  const std::string* text = find_string(*json, "error");
  return fail(ErrorCode::remote_error, (errcode != nullptr ? *errcode : "status " + std::to_string(response->status)) +
                                           ": " + what + (text != nullptr ? *text : ""));
}

std::string in_room(const std::string& room_id) { return "/rooms/" + net::percent_encode(room_id); }

bool refused_with(const Error& error, std::string_view errcode) {
  return error.code == ErrorCode::remote_error && error.text.starts_with(std::string(errcode) + ":");
}

Result<Registered> register_account(const ClientApi& nobody, const std::string& localpart,
                                    const std::string& password) {
  std::set<std::string> fields;
  Json body = {{"username", localpart}, {"password", password}};
  auto answer = nobody.post("/register", body);
  collect_fields(body, "", fields);
  if (answer && find_member(*answer, "flows") != nullptr) {
    const std::string* session = find_string(*answer, "session");
    body["auth"] = {{"type", "m.login.dummy"}};
    if (session != nullptr) body["auth"]["session"] = *session;
    answer = nobody.post("/register", body);
    collect_fields(body, "", fields);
  }
  if (!answer) return tl::make_unexpected(answer.error());
  const std::string* user_id = find_string(*answer, "user_id");
  const std::string* token = find_string(*answer, "access_token");
  const std::string* device = find_string(*answer, "device_id");
  if (user_id == nullptr || token == nullptr || device == nullptr) {
    return fail(ErrorCode::remote_error, "the server asks for more than a user name and a password");
  }
  Registered registered{*user_id, *token, *device, {}};
  for (const std::string& field : fields)
    registered.fields_sent += (registered.fields_sent.empty() ? "" : ", ") + field;
  return registered;
}

Result<bool> name_is_free(const ClientApi& nobody, const std::string& localpart) {
  const auto answer = nobody.get("/register/available?username=" + net::percent_encode(localpart));
  if (answer) return true;
  if (refused_with(answer.error(), "M_USER_IN_USE")) return false;
  return tl::make_unexpected(answer.error());
}

}  // namespace skerry::sandbox
