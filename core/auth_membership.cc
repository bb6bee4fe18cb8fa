// Authorization rule 5: m.room.member. Whether join_authorised_via_users_server's server signed (5.2.1) is checked by
// verify_event, which counts it among the required signers.
#include <nlohmann/json.hpp>

#include "core/authorization_rules.h"
#include "core/limits.h"

namespace skerry::auth {
namespace {

bool is_any_of(std::string_view value, std::initializer_list<std::string_view> candidates) {
  for (const std::string_view candidate : candidates) {
    if (value == candidate) return true;
  }
  return false;
}

// One membership event and what it meets in the room.
struct Change {
  const Context& context;
  const std::string& target;

  const Event& event() const { return context.event; }
  const UserId& sender() const { return context.event.sender(); }
  bool is_own() const { return sender().str() == target; }
  std::string sender_membership() const { return context.membership_of(sender().str()); }
  std::string target_membership() const { return context.membership_of(target); }
  std::int64_t sender_power() const { return context.power_of(sender()); }
  // A target that is no user id has nobody's power: the default.
  std::int64_t target_power() const { return context.power_of(UserId::parse(target).value_or(UserId{})); }
  std::string join_rule() const {
    const EventPtr rules = context.state("m.room.join_rules", "");
    const std::string* rule = rules == nullptr ? nullptr : find_string(rules->content(), "join_rule");
    return rule == nullptr ? "invite" : *rule;
  }
  Refused refuse(std::string_view rule, std::string reason) const {
    return refused(context.rules, rule, std::move(reason));
  }
};

// 5.3.1
bool is_creators_first_join(const Change& change) {
  const auto& parents = change.event().prev_events();
  const EventPtr& create = change.context.create;
  return parents.size() == 1 && parents[0] == create->id() &&
         room_creators(change.context.rules, *create)[0].str() == change.target;
}

// 5.3.5.2
bool is_authorised_by_a_member(const Change& change) {
  const std::string* text = find_string(change.event().content(), "join_authorised_via_users_server");
  const UserId user = text == nullptr ? UserId{} : UserId::parse(*text).value_or(UserId{});
  return !user.empty() && change.context.membership_of(user.str()) == "join" &&
         change.context.power_of(user) >= change.context.level_for("invite");
}

// 5.3
AuthVerdict authorize_join(const Change& change) {
  if (is_creators_first_join(change)) return Allowed{};
  if (!change.is_own()) return change.refuse("5.3.2", "nobody can join for another");
  const std::string membership = change.sender_membership();
  if (membership == "ban") return change.refuse("5.3.3", "the sender is banned");
  const std::string rule = change.join_rule();
  const RoomRules& rules = change.context.rules;
  const bool was_asked = is_any_of(membership, {"invite", "join"});
  if (rule == "invite" || (rule == "knock" && rules.knocking)) {
    if (was_asked) return Allowed{};
    return change.refuse("5.3.4", "the sender was not invited");
  }
  if ((rule == "restricted" && rules.restricted_joins) || (rule == "knock_restricted" && rules.knock_restricted)) {
    if (was_asked || is_authorised_by_a_member(change)) return Allowed{};
    return change.refuse("5.3.5.2", "no member with the power to invite authorised the join");
  }
  if (rule == "public") return Allowed{};
  return change.refuse("5.3.7", "the join rule is not known");
}

// The decoded public keys of an m.room.third_party_invite.
std::vector<Ed25519PublicKey> third_party_keys(const Json& content) {
  std::vector<Ed25519PublicKey> keys;
  const auto add = [&](const std::string* text) {
    const auto bytes = text == nullptr ? std::nullopt : base64_decode(*text);
    if (!bytes || bytes->size() != Ed25519PublicKey{}.size()) return;
    Ed25519PublicKey key{};
    std::copy(bytes->begin(), bytes->end(), key.begin());
    keys.push_back(key);
  };
  add(find_string(content, "public_key"));
  if (const Json* list = find_array(content, "public_keys")) {
    for (const Json& entry : *list) add(find_string(entry, "public_key"));
  }
  return keys;
}

// 5.4.1.7
bool is_signed_by_any(const RoomRules& rules, const Json& signed_, const std::vector<Ed25519PublicKey>& keys) {
  const auto message = canonical_json_without(signed_, {"signatures", "unsigned"}, rules.numbers);
  const Json* signatures = find_object(signed_, "signatures");
  if (!message || signatures == nullptr) return false;
  std::size_t checks = 0;
  for (const Json& of_server : *signatures) {
    if (!of_server.is_object()) continue;
    for (const auto& [key_id, signature] : of_server.items()) {
      if (!key_id.starts_with("ed25519:") || !signature.is_string()) continue;
      const auto bytes = base64_decode(signature.get_ref<const std::string&>());
      for (const Ed25519PublicKey& key : keys) {
        if (++checks > limits::third_party_signature_checks) return false;
        if (bytes && ed25519_verify(key, *message, *bytes)) return true;
      }
    }
  }
  return false;
}

// 5.4.1
AuthVerdict authorize_third_party_invite(const Change& change, const Json& invite) {
  if (change.target_membership() == "ban") return change.refuse("5.4.1.1", "the target is banned");
  const Json* signed_ = find_object(invite, "signed");
  if (signed_ == nullptr) return change.refuse("5.4.1.2", "third_party_invite has no signed");
  const std::string* mxid = find_string(*signed_, "mxid");
  const std::string* token = find_string(*signed_, "token");
  if (mxid == nullptr || token == nullptr) return change.refuse("5.4.1.3", "signed has no mxid or no token");
  if (*mxid != change.target) return change.refuse("5.4.1.4", "the signed mxid is not the target");
  const EventPtr offer = change.context.state("m.room.third_party_invite", *token);
  if (offer == nullptr) return change.refuse("5.4.1.5", "the room has no third party invite with that token");
  if (offer->sender() != change.sender()) return change.refuse("5.4.1.6", "the third party invite is another's");
  if (is_signed_by_any(change.context.rules, *signed_, third_party_keys(offer->content()))) return Allowed{};
  return change.refuse("5.4.1.8", "no key of the third party invite signed");
}

// 5.4
AuthVerdict authorize_invite(const Change& change) {
  if (const Json* invite = find_member(change.event().content(), "third_party_invite")) {
    return authorize_third_party_invite(change, *invite);
  }
  if (change.sender_membership() != "join") return change.refuse("5.4.2", "the sender is not in the room");
  if (is_any_of(change.target_membership(), {"join", "ban"})) {
    return change.refuse("5.4.3", "the target is in the room or banned");
  }
  if (change.sender_power() >= change.context.level_for("invite")) return Allowed{};
  return change.refuse("5.4.5", "the sender has not the power to invite");
}

// 5.5
AuthVerdict authorize_leave(const Change& change) {
  if (change.is_own()) {
    const std::string membership = change.sender_membership();
    const bool may_knock = change.context.rules.knocking;
    if (is_any_of(membership, {"invite", "join"}) || (membership == "knock" && may_knock)) return Allowed{};
    return change.refuse("5.5.1", "the sender is not in the room, invited, or knocking");
  }
  if (change.sender_membership() != "join") return change.refuse("5.5.2", "the sender is not in the room");
  const std::int64_t power = change.sender_power();
  if (change.target_membership() == "ban" && power < change.context.level_for("ban")) {
    return change.refuse("5.5.3", "the sender has not the power to unban");
  }
  if (power >= change.context.level_for("kick") && change.target_power() < power) return Allowed{};
  return change.refuse("5.5.5", "the sender has not the power to kick the target");
}

// 5.6
AuthVerdict authorize_ban(const Change& change) {
  if (change.sender_membership() != "join") return change.refuse("5.6.1", "the sender is not in the room");
  const std::int64_t power = change.sender_power();
  if (power >= change.context.level_for("ban") && change.target_power() < power) return Allowed{};
  return change.refuse("5.6.3", "the sender has not the power to ban the target");
}

// 5.7
AuthVerdict authorize_knock(const Change& change) {
  const std::string rule = change.join_rule();
  const bool open = rule == "knock" || (rule == "knock_restricted" && change.context.rules.knock_restricted);
  if (!open) return change.refuse("5.7.1", "the join rule does not allow knocking");
  if (!change.is_own()) return change.refuse("5.7.2", "nobody can knock for another");
  if (!is_any_of(change.sender_membership(), {"ban", "invite", "join"})) return Allowed{};
  return change.refuse("5.7.4", "the sender is banned, invited, or in the room");
}

}  // namespace

AuthVerdict authorize_membership(const Context& context) {
  const Event& event = context.event;
  const std::string* membership = find_string(event.content(), "membership");
  if (!event.state_key() || membership == nullptr) {
    return refused(context.rules, "5.1", "a membership has a state key and a membership");
  }
  const Change change{context, *event.state_key()};
  if (*membership == "join") return authorize_join(change);
  if (*membership == "invite") return authorize_invite(change);
  if (*membership == "leave") return authorize_leave(change);
  if (*membership == "ban") return authorize_ban(change);
  if (*membership == "knock" && context.rules.knocking) return authorize_knock(change);
  return refused(context.rules, "5.8", "the membership is not known");
}

}  // namespace skerry::auth
