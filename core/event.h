// An event (PDU): immutable, its canonical text plus typed fields. Making, hashing, signing, redacting, checking.
// Server-server API 'PDUs', 'Signing Events'; room versions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"
#include "core/room_rules.h"

namespace skerry {

class Event;
using EventPtr = std::shared_ptr<const Event>;

// Thread-safe: nothing changes after construction.
class Event {
 public:
  // From an object that passed check_format. Computes the event id. For version 12 create events the room id is
  // derived. Errors: bad_json.
  static Result<EventPtr> make(const RoomRules& rules, Json pdu);
  // From canonical text of this server's own database, with the id it was stored under. Errors: internal.
  static Result<EventPtr> from_stored(EventId id, std::string canonical_text);

  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  const EventId& id() const;
  const RoomId& room_id() const;
  const UserId& sender() const;
  const std::string& type() const;
  const std::optional<std::string>& state_key() const;
  bool is_state() const { return state_key().has_value(); }
  bool is_state(std::string_view type, std::string_view key) const;
  const Json& content() const;
  std::int64_t origin_server_ts_ms() const;
  std::int64_t depth() const;
  const std::vector<EventId>& prev_events() const;  // each once
  const std::vector<EventId>& auth_events() const;  // as cited
  // The event that this m.room.redaction redacts, from `redacts` or content.redacts as the version says; empty when
  // none.
  const EventId& redacts(const RoomRules& rules) const;
  // content.membership of an m.room.member event, else "".
  std::string_view membership() const;
  // The whole PDU as it goes over federation: canonical, with hashes and signatures, without `unsigned`.
  const std::string& canonical_text() const;
  Json pdu() const;  // canonical_text, parsed

 private:
  Event();
  struct Fields;
  std::unique_ptr<Fields> fields_;
};

// The shape that a version demands of a PDU, from anywhere: types, sizes (65,536 bytes canonical), nesting, id grammar,
// counts of prev_events and auth_events. Errors: bad_json, too_large. Pure.
Result<void> check_format(const RoomRules& rules, const Json& pdu);

// What redaction leaves of a PDU ('Redactions' of the version). Idempotent.
Json redact(const RoomRules& rules, const Json& pdu);

// hashes.sha256 of a PDU: over all but unsigned, signatures, hashes. Unpadded base64.
Result<std::string> content_hash(const RoomRules& rules, const Json& pdu);
// The reference hash: of the redacted PDU without signatures and unsigned.
Result<Sha256> reference_hash(const RoomRules& rules, const Json& pdu);
// The event id: `$` + base64 of the reference hash; in versions 1 and 2 what event_id says.
Result<EventId> event_id_of(const RoomRules& rules, const Json& pdu);
// How the version cites an event in prev_events and auth_events: by its id, in versions 1 and 2 by
// [id, {"sha256": reference hash}].
Json citation_of(const RoomRules& rules, const Event& event);

// Adds hashes and the server's signature. REQUIRES: in versions 1 and 2 event_id is set. Errors: bad_json; then pdu is
// unchanged.
Result<void> hash_and_sign_event(const RoomRules& rules, Json& pdu, const ServerName& server, const SigningKey& key);

// A server's key as far as events are concerned. Keys must have been valid at origin_server_ts (room version 5 on).
struct KnownKey {
  Ed25519PublicKey key{};
  std::int64_t valid_until_ms = 0;  // for verify_keys; for old_verify_keys: expired_ts
};
// A known key, or nothing. Must not fetch.
using KeyLookup = std::function<std::optional<KnownKey>(const ServerName&, const KeyId&)>;

// The servers that must have signed a PDU that passed check_format: the sender's, but for third-party invites, which
// may come from any server; for memberships with join_authorised_via_users_server that user's as well; and in versions
// 1 and 2 that of the event id.
std::vector<ServerName> required_signers(const RoomRules& rules, const Json& pdu);

enum class EventIntegrity {
  good,           // signatures and hash hold
  hash_mismatch,  // signatures hold, the content hash does not: use the redacted form
  bad_signature,  // a required signer did not sign, or a signature is wrong: drop
  missing_key,    // a key was not known: fetch it and ask again
};
struct IntegrityReport {
  EventIntegrity integrity = EventIntegrity::good;
  // For missing_key: which.
  std::vector<std::pair<ServerName, KeyId>> missing;
};
// Checks signatures, then the content hash, of a PDU that passed check_format. Of each required signer at least one
// known key must have signed, and no known key's signature may be wrong; unknown keys and algorithms are passed over. A
// key whose validity ended before origin_server_ts counts as not known: a newer answer of its server may know better.
IntegrityReport verify_event(const RoomRules& rules, const Json& pdu, const KeyLookup& keys);

}  // namespace skerry
