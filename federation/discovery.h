// From a server's name to the place to connect to. Server-server API, 'Resolving server names'.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "net/http_client.h"
#include "net/resolver.h"
#include "net/runtime.h"

namespace skerry::federation {

// One thing that was asked on the way, for those who want to know why it ends where it does.
struct DiscoveryStep {
  enum Kind { well_known, srv, deprecated_srv };
  Kind kind = well_known;
  std::string asked;  // a URL, or a name in DNS
  Result<std::string>
      found;  // what it says, "" for no records; errors: unreachable, timeout, not_found (404), bad_json
};

struct DiscoveryOptions {
  std::uint16_t https_port = 443;             // where .well-known is asked; another where 443 cannot be bound
  std::chrono::milliseconds timeout{10'000};  // for .well-known with its redirects
  std::chrono::milliseconds well_known_failure_time{60'000};  // how long a .well-known that failed is not asked again
  std::function<void(const DiscoveryStep&)> on_step = {};     // on an Io thread; what is cached takes no steps
};

// Thread-safe. Results are cached: .well-known by its Cache-Control (at least 1 minute, at most 48 hours), failures for
// well_known_failure_time.
class Discovery {
 public:
  Discovery(net::HttpClient& http, net::Resolver& resolver, net::Clock& clock, DiscoveryOptions options);
  ~Discovery();
  // Places to try in order, never empty. `done` runs on an Io thread, or at once on the caller's when the
  // name itself says where. Errors: unreachable, timeout.
  void find(const ServerName& server, std::function<void(Result<std::vector<net::Endpoint>>)> done);
  // After a failure at a place that .well-known named: the next find() asks anew.
  void forget(const ServerName& server);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::federation
