// Content hash, reference hash, signatures of events. Server-server API, 'Signing Events'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/event.h"
#include "core/limits.h"

namespace skerry {
namespace {

std::string_view view(const Sha256& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

Result<Sha256> content_digest(const RoomRules& rules, const Json& pdu) {
  const auto text = canonical_json_without(pdu, {"unsigned", "signatures", "hashes"}, rules.numbers);
  if (!text) return tl::make_unexpected(text.error());
  return sha256(*text);
}

bool is_third_party_invite(const Json& pdu) {
  const std::string* type = find_string(pdu, "type");
  const Json* content = find_object(pdu, "content");
  if (type == nullptr || *type != "m.room.member" || content == nullptr) return false;
  const std::string* membership = find_string(*content, "membership");
  return membership != nullptr && *membership == "invite" && find_member(*content, "third_party_invite") != nullptr;
}

// What came of one server's signatures.
struct SignerResult {
  bool good = false;   // a known key's signature holds
  bool wrong = false;  // a known key's signature does not hold
  std::vector<KeyId> unknown;
};

class SignatureCheck {
 public:
  SignatureCheck(const RoomRules& rules, const Json& pdu, const KeyLookup& keys)
      : key_validity_(rules.key_validity),
        redacted_(redact(rules, pdu)),
        message_(canonical_json_without(redacted_, {"signatures", "unsigned"}, rules.numbers)),
        origin_server_ts_ms_(pdu.at("origin_server_ts").get<std::int64_t>()),
        keys_(keys) {}

  SignerResult check(const ServerName& signer) const {
    SignerResult result;
    const Json* signatures = find_object(redacted_, "signatures");
    const Json* of_signer = signatures == nullptr ? nullptr : find_object(*signatures, signer.str());
    if (of_signer == nullptr || !message_) return result;
    std::size_t looked_at = 0;
    for (const auto& [name, signature] : of_signer->items()) {
      const auto key_id = KeyId::parse(name);
      if (!key_id || key_id->algorithm() != "ed25519") continue;
      if (++looked_at > limits::event_key_ids) break;
      const auto key = keys_(signer, *key_id);
      if (!key || (key_validity_ && key->valid_until_ms < origin_server_ts_ms_)) {
        result.unknown.push_back(*key_id);
        continue;
      }
      const auto bytes = signature.is_string() ? base64_decode(signature.get_ref<const std::string&>()) : std::nullopt;
      const bool holds = bytes && ed25519_verify(key->key, *message_, *bytes);
      (holds ? result.good : result.wrong) = true;
    }
    return result;
  }

 private:
  const bool key_validity_;
  Json redacted_;
  Result<std::string> message_;
  std::int64_t origin_server_ts_ms_;
  const KeyLookup& keys_;
};

// The hash is compared decoded: unpadded or padded, either alphabet.
bool content_hash_holds(const RoomRules& rules, const Json& pdu) {
  const auto expected = content_digest(rules, pdu);
  const Json* hashes = find_object(pdu, "hashes");
  const std::string* claimed = hashes == nullptr ? nullptr : find_string(*hashes, "sha256");
  return expected && claimed != nullptr && base64_decode(*claimed) == std::string(view(*expected));
}

}  // namespace

Result<std::string> content_hash(const RoomRules& rules, const Json& pdu) {
  return content_digest(rules, pdu).map([](const Sha256& digest) { return base64_encode(view(digest)); });
}

Result<Sha256> reference_hash(const RoomRules& rules, const Json& pdu) {
  if (!pdu.is_object()) return fail(ErrorCode::bad_json, "an event is an object");
  const auto text = canonical_json_without(redact(rules, pdu), {"signatures", "unsigned"}, rules.numbers);
  if (!text) return tl::make_unexpected(text.error());
  return sha256(*text);
}

Result<EventId> event_id_of(const RoomRules& rules, const Json& pdu) {
  if (rules.event_ids == RoomRules::EventIds::in_event) {
    const std::string* id = find_string(pdu, "event_id");
    return id == nullptr ? fail(ErrorCode::bad_json, "event_id is not a string") : EventId::parse(*id);
  }
  const auto hash = reference_hash(rules, pdu);
  if (!hash) return tl::make_unexpected(hash.error());
  const bool url_safe = rules.event_ids == RoomRules::EventIds::hash_base64url;
  return EventId::parse("$" + (url_safe ? base64url_encode(view(*hash)) : base64_encode(view(*hash))));
}

Json citation_of(const RoomRules& rules, const Event& event) {
  if (rules.event_ids != RoomRules::EventIds::in_event) return event.id().str();
  // Of an event there is a canonical text, and so a hash.
  const Sha256 hash = reference_hash(rules, event.pdu()).value();
  return Json::array({event.id().str(), Json{{"sha256", base64_encode(view(hash))}}});
}

Result<void> hash_and_sign_event(const RoomRules& rules, Json& pdu, const ServerName& server, const SigningKey& key) {
  const auto hash = content_hash(rules, pdu);
  if (!hash) return tl::make_unexpected(hash.error());
  const Json hashes{{"sha256", *hash}};
  Json redacted = redact(rules, pdu);
  redacted["hashes"] = hashes;
  if (auto signed_ = sign_json(redacted, server.str(), key, rules.numbers); !signed_) return signed_;
  pdu["hashes"] = hashes;
  pdu["signatures"] = std::move(redacted["signatures"]);
  return {};
}

std::vector<ServerName> required_signers(const RoomRules& rules, const Json& pdu) {
  std::vector<ServerName> signers;
  const auto add = [&](const ServerName& server) {
    if (!server.empty() && std::find(signers.begin(), signers.end(), server) == signers.end())
      signers.push_back(server);
  };
  const auto add_server_of = [&](const std::string* user) {
    if (user != nullptr) add(UserId::parse(*user).value_or(UserId{}).server());
  };
  if (!is_third_party_invite(pdu)) add_server_of(find_string(pdu, "sender"));
  const std::string* type = find_string(pdu, "type");
  const Json* content = find_object(pdu, "content");
  if (rules.restricted_joins && type != nullptr && *type == "m.room.member" && content != nullptr) {
    add_server_of(find_string(*content, "join_authorised_via_users_server"));
  }
  if (rules.event_ids == RoomRules::EventIds::in_event) {
    if (const std::string* id = find_string(pdu, "event_id")) add(EventId::parse(*id).value_or(EventId{}).server());
  }
  return signers;
}

IntegrityReport verify_event(const RoomRules& rules, const Json& pdu, const KeyLookup& keys) {
  const SignatureCheck signatures(rules, pdu, keys);
  IntegrityReport report;
  for (const ServerName& signer : required_signers(rules, pdu)) {
    const SignerResult result = signatures.check(signer);
    if (result.wrong || (!result.good && result.unknown.empty())) return {EventIntegrity::bad_signature, {}};
    if (result.good) continue;
    report.integrity = EventIntegrity::missing_key;
    for (const KeyId& key_id : result.unknown) report.missing.emplace_back(signer, key_id);
  }
  if (report.integrity == EventIntegrity::good && !content_hash_holds(rules, pdu)) {
    report.integrity = EventIntegrity::hash_mismatch;
  }
  return report;
}

}  // namespace skerry
