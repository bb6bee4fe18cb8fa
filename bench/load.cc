#include "bench/load.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/json.h"

namespace skerry::bench {

namespace {

constexpr std::size_t connections = 20'000;
constexpr std::size_t seeding_lanes = 32;
constexpr std::chrono::seconds request_time{120};
// Whoever waits is to wait for a message, not to be told that the others came online.
const std::string unseen = "&set_presence=offline";

net::ResolverOptions no_names() { return {}; }

net::HttpClientOptions client_options(const std::string& ca_file) {
  net::HttpClientOptions options;
  options.trust.system_store = false;
  if (!ca_file.empty()) options.trust.ca_files = {ca_file};
  options.policy = *net::AddressPolicy::make({"127.0.0.0/8", "::1/128"});
  options.idle_connections_per_endpoint = connections;
  options.idle_connections = connections;
  return options;
}

std::string unique_id() {
  static std::atomic<std::uint64_t> last = 0;
  return "b" + std::to_string(::getpid()) + "." + std::to_string(++last);
}

Result<Json> body_of(const Result<net::HttpResponse>& response, const std::string& what) {
  if (!response) return tl::make_unexpected(response.error());
  auto json = parse_untrusted(response->body, JsonNumbers::any);
  if (response->status == 200 && json && json->is_object()) return json;
  return fail(ErrorCode::remote_error,
              what + ": " + std::to_string(response->status) + " " + response->body.substr(0, 200));
}

Result<void> check(const LoadResult& result, std::size_t wanted, const std::string& what) {
  if (result.seconds.size() == wanted) return {};
  return fail(ErrorCode::remote_error, what + ": " + result.first_failure);
}

}  // namespace

Load::Load(const std::string& ca_file)
    : io_(1),
      resolver_(io_, no_names()),
      client_(std::make_unique<net::HttpClient>(io_, resolver_, client_options(ca_file))) {}

Load::~Load() { client_->close(); }

LoadResult Load::run(std::size_t lanes, const Next& next, const Answered& answered) {
  struct State {
    std::mutex mutex;
    std::condition_variable ended;
    std::size_t open = 0;
    LoadResult result;
  } state;
  state.open = lanes;
  const auto begin = std::chrono::steady_clock::now();
  std::function<void(std::size_t)> step = [&](std::size_t lane) {
    auto request = next(lane);
    if (!request) {
      std::scoped_lock lock(state.mutex);
      if (--state.open == 0) state.ended.notify_all();
      return;
    }
    request->timeout = request_time;
    const auto sent = std::chrono::steady_clock::now();
    client_->send(std::move(*request), [&, lane, sent](const Result<net::HttpResponse>& response) {
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - sent;
      if (response && response->status == 200) {
        if (answered) answered(lane, *response);
        {
          std::scoped_lock lock(state.mutex);
          state.result.seconds.push_back(took.count());
        }
        return step(lane);
      }
      std::scoped_lock lock(state.mutex);
      if (state.result.failures++ == 0) {
        state.result.first_failure =
            response ? std::to_string(response->status) + " " + response->body.substr(0, 200) : response.error().text;
      }
      if (--state.open == 0) state.ended.notify_all();
    });
  };
  for (std::size_t lane = 0; lane < lanes; ++lane) step(lane);
  std::unique_lock lock(state.mutex);
  state.ended.wait(lock, [&] { return state.open == 0; });
  state.result.took_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return std::move(state.result);
}

Result<Target> Target::at(const std::string& url) {
  auto parsed = net::parse_url(url);
  if (!parsed) return tl::make_unexpected(parsed.error());
  const std::string& host = parsed->endpoint.connect_host;
  if (!host.starts_with("127.") && host != "::1" && host != "localhost") {
    return fail(ErrorCode::invalid_param, url + " is not on this machine (127.0.0.0/8, ::1): other places get no load");
  }
  Target target;
  target.url_ = url;
  target.endpoint_ = parsed->endpoint;
  return target;
}

net::OutgoingRequest Target::request(const std::string& method, const std::string& path, const std::string& token,
                                     const std::string& body) const {
  net::OutgoingRequest request;
  request.endpoint = endpoint_;
  request.method = method;
  request.target = "/_matrix/client/v3" + path;
  if (!token.empty()) request.headers.emplace_back("Authorization", "Bearer " + token);
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = body;
  return request;
}

Result<std::vector<Account>> make_accounts(Load& load, const Target& target, const std::string& prefix,
                                           std::size_t count) {
  // The stage's session, where a server insists on it: asked for once for each account.
  const auto registration = [&](std::size_t i, const std::string& session) {
    Json body = {
        {"username", prefix + std::to_string(i)}, {"password", "correct horse"}, {"auth", {{"type", "m.login.dummy"}}}};
    if (!session.empty()) body["auth"]["session"] = session;
    return target.request("POST", "/register", {}, dump(body));
  };
  std::vector<Account> accounts(count);
  const auto take = [](Account& account, const Json& json) {
    account.user_id = json.value("user_id", "");
    account.token = json.value("access_token", "");
  };
  std::atomic<std::size_t> last = 0;
  std::vector<std::size_t> at(seeding_lanes, 0);
  const LoadResult made = load.run(
      std::min(seeding_lanes, count),
      [&](std::size_t lane) -> std::optional<net::OutgoingRequest> {
        at[lane] = last++;
        if (at[lane] >= count) return std::nullopt;
        return registration(at[lane], {});
      },
      [&](std::size_t lane, const net::HttpResponse& response) {
        const auto json = parse_untrusted(response.body, JsonNumbers::any);
        if (json && json->is_object()) take(accounts[at[lane]], *json);
      });
  if (made.failures == 0) return accounts;
  for (std::size_t i = 0; i < count; ++i) {
    if (!accounts[i].token.empty()) continue;
    const auto asked = load.http().call(
        target.request("POST", "/register", {}, R"({"username":")" + prefix + std::to_string(i) + "\"}"));
    const auto flows = asked ? parse_untrusted(asked->body, JsonNumbers::any) : Result<Json>(Json::object());
    const std::string session = flows && flows->is_object() ? flows->value("session", "") : "";
    const auto json = body_of(load.http().call(registration(i, session)), "registration");
    if (!json) return tl::make_unexpected(json.error());
    take(accounts[i], *json);
  }
  return accounts;
}

Result<std::string> make_room(Load& load, const Target& target, const Account& account, const Json& body) {
  const auto json =
      body_of(load.http().call(target.request("POST", "/createRoom", account.token, dump(body))), "createRoom");
  if (!json) return tl::make_unexpected(json.error());
  return json->value("room_id", "");
}

Result<void> join_all(Load& load, const Target& target, const std::vector<Account>& accounts, const std::string& room) {
  std::atomic<std::size_t> last = 0;
  const LoadResult joined =
      load.run(std::min(seeding_lanes, accounts.size()), [&](std::size_t) -> std::optional<net::OutgoingRequest> {
        const std::size_t i = last++;
        if (i >= accounts.size()) return std::nullopt;
        return target.request("POST", "/join/" + net::percent_encode(room), accounts[i].token, "{}");
      });
  return check(joined, accounts.size(), "join");
}

net::OutgoingRequest message_request(const Target& target, const std::string& token, const std::string& room) {
  return target.request("PUT", "/rooms/" + net::percent_encode(room) + "/send/m.room.message/" + unique_id(), token,
                        R"({"body":"The quick brown fox jumps over the lazy dog.","msgtype":"m.text"})");
}

Result<std::string> sync_token(Load& load, const Target& target, const std::string& token) {
  const std::string filter =
      net::percent_encode(R"({"room":{"state":{"lazy_load_members":true},"timeline":{"limit":1}}})");
  const auto json =
      body_of(load.http().call(target.request("GET", "/sync?timeout=0" + unseen + "&filter=" + filter, token)), "sync");
  if (!json) return tl::make_unexpected(json.error());
  return json->value("next_batch", "");
}

net::OutgoingRequest sync_request(const Target& target, const std::string& token, const std::string& since,
                                  std::chrono::milliseconds timeout) {
  auto request = target.request(
      "GET", "/sync?timeout=" + std::to_string(timeout.count()) + unseen + "&since=" + net::percent_encode(since),
      token);
  request.timeout = timeout + request_time;
  return request;
}

}  // namespace skerry::bench
