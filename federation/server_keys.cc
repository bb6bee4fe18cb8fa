#include "federation/server_keys.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/crypto.h"

namespace skerry::federation {

namespace {

constexpr std::int64_t longest_validity_ms = 7 * 24 * 3'600'000;  // room version 5: keys are believed at most so long
constexpr std::size_t keys_per_answer = 32;

// One entry of verify_keys or old_verify_keys; nothing for what is not understood, or too many.
std::optional<storage::StoredServerKey> parse_key(const std::string& id, const Json& entry, std::int64_t valid_until_ms,
                                                  bool old) {
  const auto key_id = KeyId::parse(id);
  const std::string* text = entry.is_object() ? find_string(entry, "key") : nullptr;
  if (!key_id || key_id->algorithm() != "ed25519" || text == nullptr) return std::nullopt;
  const auto bytes = base64_decode(*text);
  storage::StoredServerKey key{*key_id, {}, valid_until_ms, old};
  if (!bytes || bytes->size() != key.key.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), key.key.begin());
  if (old) {
    const Json* expired = find_member(entry, "expired_ts");
    if (expired == nullptr || !expired->is_number_integer()) return std::nullopt;
    key.valid_until_ms = expired->get<std::int64_t>();
  }
  return key;
}

}  // namespace

Result<ServerKeys> parse_server_keys(const Json& answer_untrusted, const ServerName& server, std::int64_t now_ms) {
  if (!answer_untrusted.is_object()) return fail(ErrorCode::bad_json, "not an object");
  const std::string* name = find_string(answer_untrusted, "server_name");
  const Json* current = find_object(answer_untrusted, "verify_keys");
  const Json* until = find_member(answer_untrusted, "valid_until_ts");
  if (name == nullptr || *name != server.str()) return fail(ErrorCode::bad_json, "they are not said to be its own");
  if (current == nullptr) return fail(ErrorCode::bad_json, "there are no verify_keys");
  if (until == nullptr || !until->is_number_integer()) return fail(ErrorCode::bad_json, "there is no valid_until_ts");
  ServerKeys read;
  read.valid_until_ms = until->get<std::int64_t>();
  const std::int64_t valid_until_ms = std::min(read.valid_until_ms, now_ms + longest_validity_ms);
  bool proven = false;
  const auto take = [&](const Json& list, bool old) {
    for (const auto& [id, entry] : list.items()) {
      if (read.keys.size() >= keys_per_answer) return;
      const auto key = parse_key(id, entry, valid_until_ms, old);
      if (!key) continue;
      proven = proven || (!old && verify_json(answer_untrusted, server.str(), key->key_id, key->key));
      read.keys.push_back(*key);
    }
  };
  take(*current, false);
  if (read.keys.empty()) return fail(ErrorCode::bad_json, "there is no ed25519 key among verify_keys");
  if (const Json* old = find_object(answer_untrusted, "old_verify_keys")) take(*old, true);
  if (!proven) return fail(ErrorCode::bad_signature, "none of the keys listed has signed them");
  return read;
}

}  // namespace skerry::federation
