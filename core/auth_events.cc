// Which events an event must cite, and whether it cites them. Server-server API, 'Auth events selection'; rules 2
// and 3.
#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "core/authorization.h"
#include "core/authorization_rules.h"

namespace skerry {
namespace {

std::vector<StateKey> membership_auth_keys(const RoomRules& rules, const std::string& target, const Json& content) {
  std::vector<StateKey> keys{{"m.room.member", target}};
  const std::string* membership = find_string(content, "membership");
  if (membership == nullptr) return keys;
  if (*membership == "join" || *membership == "invite" || (*membership == "knock" && rules.knocking)) {
    keys.push_back({"m.room.join_rules", ""});
  }
  if (*membership == "invite") {
    const Json* invite = find_object(content, "third_party_invite");
    const Json* signed_ = invite == nullptr ? nullptr : find_object(*invite, "signed");
    const std::string* token = signed_ == nullptr ? nullptr : find_string(*signed_, "token");
    if (token != nullptr) keys.push_back({"m.room.third_party_invite", *token});
  }
  if (*membership == "join" && rules.restricted_joins) {
    const std::string* user = find_string(content, "join_authorised_via_users_server");
    if (user != nullptr) keys.push_back({"m.room.member", *user});
  }
  return keys;
}

}  // namespace

std::vector<StateKey> auth_event_keys(const RoomRules& rules, std::string_view type, const UserId& sender,
                                      const std::optional<std::string>& state_key, const Json& content) {
  if (type == "m.room.create") return {};
  std::vector<StateKey> keys;
  if (!rules.room_id_is_create_hash) keys.push_back({"m.room.create", ""});
  keys.push_back({"m.room.power_levels", ""});
  keys.push_back({"m.room.member", sender.str()});
  if (type != "m.room.member" || !state_key) return keys;
  for (StateKey& key : membership_auth_keys(rules, *state_key, content)) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
  }
  return keys;
}

EventId create_event_id(const RoomId& room) {
  const std::string& text = room.str();
  if (text.empty() || text.find(':') != std::string::npos) return {};
  return EventId::parse("$" + text.substr(1)).value_or(EventId{});
}

AuthVerdict check_auth_events(const RoomRules& rules, const Event& event, const std::vector<EventPtr>& auth_events,
                              const std::function<bool(const EventId&)>& rejected) {
  using auth::refused;
  Missing missing;
  for (std::size_t i = 0; i < auth_events.size(); ++i) {
    if (auth_events[i] == nullptr) missing.ids.push_back(event.auth_events().at(i));
  }
  if (!missing.ids.empty()) return missing;

  const bool is_create = event.type() == "m.room.create";
  if (rules.room_id_is_create_hash && !is_create) {
    if (rejected(create_event_id(event.room_id()))) return refused(rules, "2", "the room's create event was rejected");
  }
  const std::vector<StateKey> expected =
      auth_event_keys(rules, event.type(), event.sender(), event.state_key(), event.content());
  std::set<StateKey> seen;
  for (const EventPtr& cited : auth_events) {
    const StateKey key{cited->type(), cited->state_key().value_or("")};
    if (!seen.insert(key).second) return refused(rules, "3.1", "auth_events cite " + key.type + " twice");
    if (!cited->is_state() || std::find(expected.begin(), expected.end(), key) == expected.end()) {
      return refused(rules, "3.2", "auth_events cite " + key.type + ", which does not concern this event");
    }
    if (rejected(cited->id())) return refused(rules, "3.3", "auth_events cite a rejected " + key.type);
  }
  if (!rules.room_id_is_create_hash && !is_create && !seen.contains({"m.room.create", ""})) {
    return refused(rules, "3.4", "auth_events cite no m.room.create");
  }
  for (const EventPtr& cited : auth_events) {
    if (cited->room_id() != event.room_id()) return refused(rules, "3.5", "auth_events cite another room's event");
  }
  return Allowed{};
}

}  // namespace skerry
