// How requests leave the SDK: HTTP in the program, a script in tests.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "core/result.h"
#include "net/http.h"

namespace skerry::client {

struct ApiRequest {
  std::string method = "GET";
  std::string target;        // "/_matrix/client/v3/..." with query, below the homeserver's base URL
  std::string access_token;  // empty: none is sent
  std::string body;          // JSON
  std::chrono::milliseconds timeout{30'000};
  std::size_t max_response_bytes = 16 * 1'048'576;
};

// Thread-safe.
class Transport {
 public:
  using Done = std::function<void(Result<net::HttpResponse>)>;
  virtual ~Transport() = default;
  // `done` runs once, on any thread (perhaps at once on this one), and must not block.
  virtual void send(ApiRequest request, Done done) = 0;
};

}  // namespace skerry::client
