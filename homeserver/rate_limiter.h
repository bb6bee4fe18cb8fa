// Token buckets for what clients and other servers do too often. Client-server API, 'Rate limiting'.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "core/ids.h"
#include "homeserver/accounts/accounts.h"
#include "homeserver/config.h"
#include "net/runtime.h"

namespace skerry::homeserver {

// Thread-safe; bounded in the number of buckets. Each call takes one token; nothing means go on, else how long to wait.
class RateLimiter {
 public:
  using Wait = std::optional<std::chrono::milliseconds>;

  RateLimiter(net::Clock& clock, Config::RateLimits limits);
  ~RateLimiter();

  Wait login(const std::string& peer_address, const std::string& user);
  Wait registration(const std::string& peer_address);
  Wait message(const Caller& caller);
  Wait join(const Caller& caller);
  Wait media(const UserId& user);
  Wait federation(const ServerName& origin);
  Wait invite(const ServerName& origin, const UserId& invited);

  // Counts a request of the caller's user in, until what comes back is dropped. Null when the user waits for 100
  // answers already.
  std::shared_ptr<void> begin_request(const Caller& caller);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
