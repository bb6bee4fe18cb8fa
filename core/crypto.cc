#include "core/crypto.h"

#include <memory>
#include <stdexcept>

#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sodium.h>

namespace skerry {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// These primitives fail only when a library lacks memory or its default provider: nothing that a caller could mend.
void demand(bool ok) {
  if (!ok) throw std::runtime_error("a basic operation of OpenSSL or libsodium failed");
}

// libsodium's Ed25519 is more than twice as fast as OpenSSL's; it wants to be asked once before the first use.
void start_sodium() {
  static const int started = sodium_init();
  demand(started >= 0);
}

}  // namespace

Sha256 sha256(std::string_view bytes) {
  // A fetched algorithm and a reused context are three times as fast as EVP_Digest. Never freed: needed until the end.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const Context context(EVP_MD_CTX_new());
  demand(algorithm != nullptr && context != nullptr);
  Sha256 digest{};
  demand(EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
         EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
         EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

Sha1 sha1(std::string_view bytes) {
  Sha1 digest{};
  demand(EVP_Q_digest(nullptr, "SHA1", nullptr, bytes.data(), bytes.size(), digest.data(), nullptr) == 1);
  return digest;
}

std::string hmac_sha1_hex(std::string_view key, std::string_view message) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  std::size_t length = 0;
  demand(EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA1", nullptr, key.data(), key.size(), bytes_of(message), message.size(),
                   mac.data(), mac.size(), &length) != nullptr);
  std::string hex;
  for (std::size_t i = 0; i < length; ++i) {
    hex += "0123456789abcdef"[mac[i] >> 4];
    hex += "0123456789abcdef"[mac[i] & 0xF];
  }
  return hex;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

struct SigningKey::Pair {
  Pair(KeyId key_id, std::string_view key_seed) : id(std::move(key_id)), seed(key_seed) {
    start_sodium();
    demand(seed.size() == crypto_sign_SEEDBYTES &&
           crypto_sign_seed_keypair(public_key.data(), secret_key.data(), bytes_of(seed)) == 0);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    sodium_memzero(seed.data(), seed.size());
    sodium_memzero(secret_key.data(), secret_key.size());
  }

  KeyId id;
  std::string seed;
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> secret_key{};
  Ed25519PublicKey public_key{};
};

SigningKey::SigningKey(std::shared_ptr<const Pair> pair) : pair_(std::move(pair)) {}

SigningKey SigningKey::from_seed(KeyId id, std::string_view seed) {
  return SigningKey(std::make_shared<const Pair>(std::move(id), seed));
}

const KeyId& SigningKey::id() const { return pair_->id; }
const Ed25519PublicKey& SigningKey::public_key() const { return pair_->public_key; }
const std::string& SigningKey::seed() const { return pair_->seed; }

Ed25519Signature SigningKey::sign(std::string_view message) const {
  Ed25519Signature signature{};
  demand(crypto_sign_detached(signature.data(), nullptr, bytes_of(message), message.size(), pair_->secret_key.data()) ==
         0);
  return signature;
}

bool ed25519_verify(const Ed25519PublicKey& key, std::string_view message, std::string_view signature) {
  start_sodium();
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(bytes_of(signature), bytes_of(message), message.size(), key.data()) == 0;
}

Result<void> sign_json(Json& object, std::string_view signer, const SigningKey& key, JsonNumbers numbers) {
  const auto text = canonical_json_without(object, {"signatures", "unsigned"}, numbers);
  if (!text) return tl::make_unexpected(text.error());
  const Json* signatures = find_member(object, "signatures");
  const Json* of_signer = signatures == nullptr ? nullptr : find_member(*signatures, signer);
  if ((signatures != nullptr && !signatures->is_object()) || (of_signer != nullptr && !of_signer->is_object())) {
    return fail(ErrorCode::bad_json, "signatures is not an object of objects");
  }
  const Ed25519Signature signature = key.sign(*text);
  const std::string_view bytes(reinterpret_cast<const char*>(signature.data()), signature.size());
  object["signatures"][std::string(signer)][key.id().str()] = base64_encode(bytes);
  return {};
}

bool verify_json(const Json& object, std::string_view signer, const KeyId& key_id, const Ed25519PublicKey& key,
                 JsonNumbers numbers) {
  const Json* signatures = find_object(object, "signatures");
  const Json* of_signer = signatures == nullptr ? nullptr : find_object(*signatures, signer);
  const std::string* encoded = of_signer == nullptr ? nullptr : find_string(*of_signer, key_id.str());
  if (encoded == nullptr || key_id.algorithm() != "ed25519") return false;
  const auto signature = base64_decode(*encoded);
  const auto text = canonical_json_without(object, {"signatures", "unsigned"}, numbers);
  return signature && text && ed25519_verify(key, *text, *signature);
}

}  // namespace skerry
