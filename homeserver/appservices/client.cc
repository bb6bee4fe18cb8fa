#include "homeserver/appservices/client.h"

#include <mutex>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "homeserver/rooms/once.h"

namespace skerry::homeserver {

namespace {

constexpr std::int64_t legacy_kept_ms = 3'600'000;  // then the newer paths are tried again

// That there is no such path, and not that what the path names is not there.
bool is_unknown_path(const net::HttpResponse& response) {
  if (response.status != 404 && response.status != 405 && response.status != 501) return false;
  const auto body = parse_untrusted(response.body, JsonNumbers::any);
  const std::string* errcode = body && body->is_object() ? find_string(*body, "errcode") : nullptr;
  return errcode == nullptr || *errcode == "M_UNRECOGNIZED";
}

}  // namespace

struct AppserviceClient::Impl : std::enable_shared_from_this<Impl> {
  Impl(net::HttpClient& client, net::Clock& time) : http(client), clock(time) {}

  net::OutgoingRequest outgoing(const Appservice& appservice, const AppserviceRequest& request, bool legacy) {
    net::OutgoingRequest out;
    auto url = net::parse_url(appservice.registration().url);  // good: it was checked when it was read
    out.endpoint = std::move(url->endpoint);
    out.method = request.method;
    std::string query = request.query;
    // Only legacy paths get the token in the query, where it may end up in a log ('Authorisation').
    if (legacy) {
      query += (query.empty() ? "access_token=" : "&access_token=") +
               net::percent_encode(appservice.registration().hs_token);
    }
    out.target = url->base_path + (legacy ? request.legacy_path : "/_matrix/app/v1" + request.path) +
                 (query.empty() ? "" : "?" + query);
    out.headers = {{"Authorization", "Bearer " + appservice.registration().hs_token}};
    if (!request.body.empty()) out.headers.emplace_back("Content-Type", "application/json");
    out.body = request.body;
    out.timeout = request.timeout;
    out.max_response_bytes = request.max_response_bytes;
    return out;
  }

  bool is_legacy(const Appservice& appservice) {
    const std::lock_guard lock(mutex);
    const auto found = legacy_until_ms.find(appservice.id());
    return found != legacy_until_ms.end() && found->second > clock.now_ms();
  }

  void send(const Appservice& appservice, AppserviceRequest request,
            std::function<void(Result<net::HttpResponse>)> done) {
    const bool legacy = !request.legacy_path.empty() && is_legacy(appservice);
    auto out = outgoing(appservice, request, legacy);
    if (legacy || request.legacy_path.empty()) return http.send(std::move(out), std::move(done));
    http.send(std::move(out), [self = shared_from_this(), &appservice, request = std::move(request),
                               done = std::move(done)](Result<net::HttpResponse> answer) {
      if (!answer || !is_unknown_path(*answer)) return done(std::move(answer));
      self->http.send(self->outgoing(appservice, request, true),
                      [self, id = appservice.id(), done](Result<net::HttpResponse> second) {
                        if (second && second->status / 100 == 2) {
                          const std::lock_guard lock(self->mutex);
                          self->legacy_until_ms[id] = self->clock.now_ms() + legacy_kept_ms;
                        }
                        done(std::move(second));
                      });
    });
  }

  net::HttpClient& http;
  net::Clock& clock;
  std::mutex mutex;
  std::unordered_map<std::string, std::int64_t> legacy_until_ms;  // by id
};

AppserviceClient::AppserviceClient(net::HttpClient& http, net::Clock& clock)
    : impl_(std::make_shared<Impl>(http, clock)) {}

void AppserviceClient::send(const Appservice& appservice, AppserviceRequest request,
                            std::function<void(Result<net::HttpResponse>)> done) {
  if (appservice.registration().url.empty())
    return done(fail(ErrorCode::unreachable, "the application service has no url"));
  impl_->send(appservice, std::move(request), std::move(done));
}

Result<net::HttpResponse> AppserviceClient::call(const Appservice& appservice, AppserviceRequest request) {
  Answer<net::HttpResponse> answer;
  send(appservice, std::move(request),
       [give = answer.giver()](Result<net::HttpResponse> response) { give(std::move(response)); });
  return answer.wait();
}

}  // namespace skerry::homeserver
