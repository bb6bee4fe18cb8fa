// Hashes, signatures and base64. The only file of core that knows OpenSSL. Pure: randomness is an argument.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"

namespace skerry {

using Sha256 = std::array<std::uint8_t, 32>;
using Ed25519PublicKey = std::array<std::uint8_t, 32>;
using Ed25519Signature = std::array<std::uint8_t, 64>;

Sha256 sha256(std::string_view bytes);
using Sha1 = std::array<std::uint8_t, 20>;
Sha1 sha1(std::string_view bytes);  // for the order of state resolution v1 only
// HMAC, for shared-secret registration. Lower-case hex of the SHA-1 MAC, as Synapse defines it.
std::string hmac_sha1_hex(std::string_view key, std::string_view message);

std::string base64_encode(std::string_view bytes);     // unpadded, standard alphabet (appendices, 'Unpadded Base64')
std::string base64url_encode(std::string_view bytes);  // unpadded, URL-safe alphabet
// Either alphabet, padded or not. Nothing on any other byte.
std::optional<std::string> base64_decode(std::string_view text);

// Takes the same time whatever differs; lengths may leak.
bool equal_constant_time(std::string_view a, std::string_view b);

// A server's signing key: an Ed25519 key pair with its key id. Copies share one key; its seed is wiped when the last
// goes. Thread-safe.
class SigningKey {
 public:
  // From 32 random bytes. REQUIRES: seed.size() == 32.
  static SigningKey from_seed(KeyId id, std::string_view seed);

  const KeyId& id() const;
  const Ed25519PublicKey& public_key() const;
  const std::string& seed() const;
  Ed25519Signature sign(std::string_view message) const;

 private:
  struct Pair;
  explicit SigningKey(std::shared_ptr<const Pair> pair);
  std::shared_ptr<const Pair> pair_;
};

bool ed25519_verify(const Ed25519PublicKey& key, std::string_view message, std::string_view signature);  // thread-safe

// Signing JSON (appendices, 'Signing JSON'): adds signatures[signer][key id] over the canonical text without
// `signatures` and `unsigned`. Errors: bad_json when it has no canonical text; then `object` is unchanged.
Result<void> sign_json(Json& object, std::string_view signer, const SigningKey& key,
                       JsonNumbers numbers = JsonNumbers::canonical);
// True when signatures[signer][key_id] holds over `object`.
bool verify_json(const Json& object, std::string_view signer, const KeyId& key_id, const Ed25519PublicKey& key,
                 JsonNumbers numbers = JsonNumbers::canonical);

}  // namespace skerry
