// The authorization rules, but for those of memberships and power levels, which have files of their own.
#include "core/authorization.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/authorization_rules.h"

namespace skerry {
namespace auth {
namespace {

// Whether `number` is `prefix` or one of its steps: 5.3.1 is of 5.3, 5.31 is not.
bool is_step_of(std::string_view number, std::string_view prefix) {
  return number.starts_with(prefix) && (number.size() == prefix.size() || number[prefix.size()] == '.');
}

bool is_list_of_user_ids(const Json& value) {
  return value.is_array() && std::all_of(value.begin(), value.end(), [](const Json& entry) {
           return entry.is_string() && UserId::parse(entry.get_ref<const std::string&>());
         });
}

// Rule 1. Whether a version 12 create event has a room_id (1.2) is a matter of check_format.
AuthVerdict authorize_create(const Context& context) {
  const auto& [rules, event, create, state] = context;
  if (!event.prev_events().empty()) return refused(rules, "1.1", "a create event follows nothing");
  if (!rules.room_id_is_create_hash) {
    const std::string& room_id = event.room_id().str();
    if (room_id.substr(room_id.find(':') + 1) != event.sender().server().str()) {
      return refused(rules, "1.2", "the room id is not of the sender's server");
    }
  }
  if (const Json* version = find_member(event.content(), "room_version")) {
    if (!version->is_string() || find_room_rules(version->get_ref<const std::string&>()) == nullptr) {
      return refused(rules, "1.3", "the room version is not known");
    }
  }
  if (rules.create_has_creator && find_member(event.content(), "creator") == nullptr) {
    return refused(rules, "1.4", "the create event has no creator");
  }
  const Json* additional = find_member(event.content(), "additional_creators");
  if (rules.creators_are_privileged && additional != nullptr && !is_list_of_user_ids(*additional)) {
    return refused(rules, "1.4", "additional_creators is not a list of user ids");
  }
  return Allowed{};
}

bool is_closed_to(const Event& create, const UserId& sender) {
  const Json* federate = find_member(create.content(), "m.federate");
  return federate != nullptr && *federate == false && sender.server() != create.sender().server();
}

// Rule 4 of versions up to 5.
AuthVerdict authorize_aliases(const Event& event) {
  if (!event.state_key()) return Refused{"4.1", "aliases have a state key"};
  if (*event.state_key() != event.sender().server().str()) {
    return Refused{"4.2", "the state key is not the sender's server"};
  }
  return Allowed{};
}

// Rule 11 of versions 1 and 2.
AuthVerdict authorize_redaction(const Context& context) {
  const Event& event = context.event;
  if (context.power_of(event.sender()) >= context.level_for("redact")) return Allowed{};
  const ServerName home = event.redacts(context.rules).server();
  if (!home.empty() && home == event.id().server()) return Allowed{};
  return Refused{"11.3", "the sender may redact only what their own server sent"};
}

// Rules 6 to 11.
AuthVerdict authorize_by_power(const Context& context) {
  const auto& [rules, event, create, state] = context;
  const UserId& sender = event.sender();
  if (context.membership_of(sender.str()) != "join") return refused(rules, "6", "the sender is not in the room");
  const std::int64_t power = context.power_of(sender);
  if (event.type() == "m.room.third_party_invite") {
    if (power >= context.level_for("invite")) return Allowed{};
    return refused(rules, "7.1", "the sender may not invite");
  }
  if (power_to_send(rules, event.type(), event.is_state(), context.power_levels()) > power) {
    return refused(rules, "8", "the sender has not the power to send " + event.type());
  }
  if (event.is_state() && event.state_key()->starts_with('@') && *event.state_key() != sender.str()) {
    return refused(rules, "9", "the state key is another user's id");
  }
  if (event.type() == "m.room.power_levels") return authorize_power_levels(context);
  if (rules.redaction_rule && event.type() == "m.room.redaction") return authorize_redaction(context);
  return Allowed{};
}

}  // namespace

Refused refused(const RoomRules& rules, std::string_view v12_number, std::string reason) {
  const RuleNumber* longest = nullptr;
  for (const RuleNumber& entry : *rules.rule_numbers) {
    const bool is_longer = longest == nullptr || entry.in_v12.size() > longest->in_v12.size();
    if (is_longer && is_step_of(v12_number, entry.in_v12)) longest = &entry;
  }
  if (longest == nullptr) return {std::string(v12_number), std::move(reason)};
  return {std::string(longest->here) + std::string(v12_number.substr(longest->in_v12.size())), std::move(reason)};
}

std::string Context::membership_of(std::string_view user) const {
  const EventPtr member = state("m.room.member", user);
  return member == nullptr ? "leave" : std::string(member->membership());
}

}  // namespace auth

AuthVerdict authorize(const RoomRules& rules, const Event& event, const EventPtr& create, const StateLookup& state) {
  const auth::Context context{rules, event, create, state};
  if (event.type() == "m.room.create") return auth::authorize_create(context);
  if (rules.room_id_is_create_hash) {
    const EventId id = create_event_id(event.room_id());
    if (create == nullptr && !id.empty()) return Missing{{id}};
    if (id.empty() || create->id() != id) return auth::refused(rules, "2", "the room id is not of the create event");
  } else if (create == nullptr) {
    return auth::refused(rules, "3.4", "the room has no create event");
  }
  if (auth::is_closed_to(*create, event.sender())) {
    return auth::refused(rules, "4", "the room is closed to other servers");
  }
  if (rules.aliases_rule && event.type() == "m.room.aliases") return auth::authorize_aliases(event);
  if (event.type() == "m.room.member") return auth::authorize_membership(context);
  return auth::authorize_by_power(context);
}

}  // namespace skerry
