#include "homeserver/accounts/registration_nonces.h"

#include <algorithm>

#include "core/crypto.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t nonces_at_most = 1'000;
constexpr std::int64_t nonce_ms = 60'000;

}  // namespace

// REQUIRES: mutex_ is held.
void RegistrationNonces::drop_old() {
  const std::int64_t now_ms = clock_.now_ms();
  while (!nonces_.empty() && (nonces_.size() >= nonces_at_most || now_ms - nonces_.front().issued_ms >= nonce_ms)) {
    nonces_.pop_front();
  }
}

std::string RegistrationNonces::issue() {
  std::scoped_lock lock(mutex_);
  drop_old();
  nonces_.push_back({base64url_encode(random_.bytes(32)), clock_.now_ms()});
  return nonces_.back().text;
}

bool RegistrationNonces::use(const std::string& nonce) {
  std::scoped_lock lock(mutex_);
  const auto found = std::find_if(nonces_.begin(), nonces_.end(), [&](const Nonce& one) { return one.text == nonce; });
  if (found == nonces_.end()) return false;
  const bool fresh = clock_.now_ms() - found->issued_ms < nonce_ms;
  nonces_.erase(found);
  return fresh;
}

}  // namespace skerry::homeserver
