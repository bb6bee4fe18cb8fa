#include "tests/support/api.h"

#include <stdexcept>

#include "net/http_client.h"

namespace skerry::test {

namespace {

// One for all: connections are kept from call to call.
net::HttpClient& shared_client() {
  static net::Io io(1);
  static net::Resolver resolver(io, {});
  static net::HttpClient client(io, resolver, [] {
    net::HttpClientOptions options;
    options.trust.system_store = false;
    options.policy = net::AddressPolicy::allow_all();
    return options;
  }());
  return client;
}

}  // namespace

std::string Answer::errcode() const { return json.is_object() ? json.value("errcode", "") : ""; }

std::string Answer::header(std::string_view name) const { return net::find_header(headers, name).value_or(""); }

Api::Api(std::string base_url, std::string access_token)
    : base_url_(std::move(base_url)), access_token_(std::move(access_token)) {}

Answer Api::request(const std::string& method, const std::string& target, const std::string& body,
                    net::Headers headers) const {
  auto url = net::parse_url(base_url_);
  if (!url) throw std::runtime_error(url.error().text);
  net::OutgoingRequest request;
  request.endpoint = url->endpoint;
  request.method = method;
  request.target = url->base_path + target;
  request.headers = std::move(headers);
  if (!access_token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + access_token_);
  request.body = body;
  request.timeout = std::chrono::seconds(60);
  request.max_response_bytes = 64 * 1'048'576;
  auto response = shared_client().call(std::move(request));
  Answer answer;
  if (!response) {
    answer.text = response.error().text;
    return answer;
  }
  answer.status = response->status;
  answer.headers = std::move(response->headers);
  answer.text = std::move(response->body);
  answer.json = Json::parse(answer.text, nullptr, false);
  if (answer.json.is_discarded()) answer.json = nullptr;
  return answer;
}

Answer Api::get(const std::string& target) const { return request("GET", target, ""); }

Answer Api::post(const std::string& target, const Json& body) const { return request("POST", target, body.dump()); }

Answer Api::put(const std::string& target, const Json& body) const { return request("PUT", target, body.dump()); }

Answer Api::del(const std::string& target, const std::optional<Json>& body) const {
  return request("DELETE", target, body ? body->dump() : "");
}

Api Api::session(const Answer& answer) const {
  if (answer.status != 200) throw std::runtime_error("no session: " + answer.text);
  Api made(base_url_, answer.json.at("access_token").get<std::string>());
  made.user_id = answer.json.at("user_id").get<std::string>();
  made.device_id = answer.json.at("device_id").get<std::string>();
  return made;
}

Api Api::register_user(const std::string& name, const std::string& password) const {
  return session(post(std::string(v3) + "/register",
                      {{"username", name}, {"password", password}, {"auth", {{"type", "m.login.dummy"}}}}));
}

Api Api::login(const std::string& name, const std::string& password) const {
  return session(post(
      std::string(v3) + "/login",
      {{"type", "m.login.password"}, {"identifier", {{"type", "m.id.user"}, {"user", name}}}, {"password", password}}));
}

}  // namespace skerry::test
