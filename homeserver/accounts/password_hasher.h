// Argon2id, by libsodium.
#pragma once

#include <semaphore>
#include <string>

#include "core/result.h"
#include "homeserver/config.h"

namespace skerry::homeserver {

// Thread-safe. Both calls block: at most Passwords::at_once run at a time, the rest wait.
class PasswordHasher {
 public:
  explicit PasswordHasher(Config::Passwords parameters);

  // "$argon2id$v=19$m=...", with a salt of its own. Errors: internal (no memory).
  Result<std::string> hash(const std::string& password);
  // Whatever parameters the hash was made with.
  bool verify(const std::string& password_hash, const std::string& password);

 private:
  const Config::Passwords parameters_;
  std::counting_semaphore<> free_;
};

}  // namespace skerry::homeserver
