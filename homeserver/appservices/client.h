// Requests to application services. Application service API, 'Homeserver -> Application Service API'.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "homeserver/appservices/appservices.h"
#include "net/http_client.h"
#include "net/runtime.h"

namespace skerry::homeserver {

struct AppserviceRequest {
  std::string method = "GET";
  std::string path;         // below /_matrix/app/v1, encoded: "/users/%40a%3Ab.org"
  std::string legacy_path;  // the same of before, from the URL's root ('Legacy routes'); empty: there was none
  std::string query;        // without "?"
  std::string body;         // JSON text
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_response_bytes = 65'536;
};

// Thread-safe.
class AppserviceClient {
 public:
  // `http` must outlive it, and may call any address: the operator configured where application services are.
  AppserviceClient(net::HttpClient& http, net::Clock& clock);

  // `done` runs on an Io thread (at once, without a url) and must not block. Any HTTP status is a value. Errors:
  // unreachable (also: it has no url), timeout, too_large, cancelled.
  void send(const Appservice& appservice, AppserviceRequest request,
            std::function<void(Result<net::HttpResponse>)> done);
  // The same, waiting: on `outbound` only.
  Result<net::HttpResponse> call(const Appservice& appservice, AppserviceRequest request);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
