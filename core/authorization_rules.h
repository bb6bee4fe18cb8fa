// Shared by the files that carry the authorization rules. Numbers are those of version 12's text; refused() prints them
// as the version at hand numbers the same rule. Rules that version 12 lacks carry their own numbers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/authorization.h"

namespace skerry::auth {

// What all rules look at. References live as long as the call of authorize().
struct Context {
  const RoomRules& rules;
  const Event& event;
  const EventPtr& create;  // null only when `event` is it
  const StateLookup& state;

  EventPtr power_levels() const { return state("m.room.power_levels", ""); }
  std::int64_t power_of(const UserId& user) const { return power_of_user(rules, user, create, power_levels()); }
  std::int64_t level_for(std::string_view action) const { return power_for_action(rules, action, power_levels()); }
  // "leave" for those who were never here.
  std::string membership_of(std::string_view user) const;
};

Refused refused(const RoomRules& rules, std::string_view v12_number, std::string reason);

// Rule 5, m.room.member.
AuthVerdict authorize_membership(const Context& context);
// Rule 10, m.room.power_levels.
AuthVerdict authorize_power_levels(const Context& context);

// The power level that a value stands for in this version, or nothing: an integer; before version 10 the text of one,
// before version 6 a float without its fraction. Held within a range whose ends have a negative and stay below
// infinite_power.
std::optional<std::int64_t> power_level(const RoomRules& rules, const Json& value);
// The one at `key` of an object.
std::optional<std::int64_t> find_level(const RoomRules& rules, const Json& object, std::string_view key);

}  // namespace skerry::auth
