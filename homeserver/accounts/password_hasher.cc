#include "homeserver/accounts/password_hasher.h"

#include <array>

#include <sodium.h>

namespace skerry::homeserver {

namespace {

class Turn {
 public:
  explicit Turn(std::counting_semaphore<>& free) : free_(free) { free_.acquire(); }
  ~Turn() { free_.release(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::counting_semaphore<>& free_;
};

}  // namespace

PasswordHasher::PasswordHasher(Config::Passwords parameters) : parameters_(parameters), free_(parameters.at_once) {}

Result<std::string> PasswordHasher::hash(const std::string& password) {
  if (sodium_init() < 0) return fail(ErrorCode::internal, "libsodium does not start");
  const Turn turn(free_);
  std::array<char, crypto_pwhash_STRBYTES> text{};
  if (crypto_pwhash_str_alg(text.data(), password.data(), password.size(), parameters_.passes, parameters_.memory_bytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail(ErrorCode::internal, "not enough memory to hash a password");
  }
  return std::string(text.data());
}

bool PasswordHasher::verify(const std::string& password_hash, const std::string& password) {
  if (sodium_init() < 0 || password_hash.size() >= crypto_pwhash_STRBYTES) return false;
  const Turn turn(free_);
  return crypto_pwhash_str_verify(password_hash.c_str(), password.data(), password.size()) == 0;
}

}  // namespace skerry::homeserver
