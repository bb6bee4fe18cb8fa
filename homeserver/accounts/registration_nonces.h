// The one-time texts of shared-secret registration: each may be used once, within a minute.
#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>

#include "net/runtime.h"

namespace skerry::homeserver {

// Thread-safe; bounded: the oldest make room.
class RegistrationNonces {
 public:
  RegistrationNonces(net::Clock& clock, net::Random& random) : clock_(clock), random_(random) {}

  std::string issue();
  // True once for each nonce issued within the last minute.
  bool use(const std::string& nonce);

 private:
  struct Nonce {
    std::string text;
    std::int64_t issued_ms;
  };
  void drop_old();

  net::Clock& clock_;
  net::Random& random_;
  std::mutex mutex_;
  std::list<Nonce> nonces_;  // oldest first
};

}  // namespace skerry::homeserver
