// Power as the rules see it: m.room.power_levels and its defaults (client-server API, 'm.room.power_levels').
#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "core/authorization.h"
#include "core/authorization_rules.h"

namespace skerry {
namespace {

constexpr std::int64_t creator_power_without_levels = 100;
constexpr std::int64_t moderator_power = 50;

// Ends of the range of levels: each has a negative, and the upper one is less than infinite_power.
constexpr std::int64_t greatest_level = infinite_power - 1;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// 'accept values as strings': white space, a sign, leading zeroes, digits, white space.
std::optional<std::int64_t> level_in_text(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  const bool is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  std::int64_t level = greatest_level;
  const bool fits = std::from_chars(text.data(), text.data() + text.size(), level).ec == std::errc();
  level = fits ? std::min(level, greatest_level) : greatest_level;
  return is_negative ? -level : level;
}

// 'accept values as floats': what stands after the point does not count.
std::int64_t level_in_float(double value) {
  constexpr double beyond = 9.2e18;
  if (value > beyond) return greatest_level;
  if (value < -beyond) return -greatest_level;
  return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> level(const RoomRules& rules, const EventPtr& power_levels, std::string_view key) {
  return power_levels == nullptr ? std::nullopt : auth::find_level(rules, power_levels->content(), key);
}

// power_levels.content[table][key], as users and events are.
std::optional<std::int64_t> level_in(const RoomRules& rules, const EventPtr& power_levels, std::string_view table,
                                     std::string_view key) {
  const Json* levels = power_levels == nullptr ? nullptr : find_object(power_levels->content(), table);
  return levels == nullptr ? std::nullopt : auth::find_level(rules, *levels, key);
}

}  // namespace

std::optional<std::int64_t> auth::power_level(const RoomRules& rules, const Json& value) {
  if (value.is_number_unsigned()) {
    const auto level = value.get<std::uint64_t>();
    return level > static_cast<std::uint64_t>(greatest_level) ? greatest_level : static_cast<std::int64_t>(level);
  }
  if (value.is_number_integer()) return std::clamp(value.get<std::int64_t>(), -greatest_level, greatest_level);
  if (value.is_number_float() && rules.float_power_levels) return level_in_float(value.get<double>());
  if (value.is_string() && rules.string_power_levels) return level_in_text(value.get_ref<const std::string&>());
  return std::nullopt;
}

std::optional<std::int64_t> auth::find_level(const RoomRules& rules, const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  return member == nullptr ? std::nullopt : power_level(rules, *member);
}

std::vector<UserId> room_creators(const RoomRules& rules, const Event& create) {
  const std::string* named = rules.create_has_creator ? find_string(create.content(), "creator") : nullptr;
  std::vector<UserId> creators{named == nullptr ? create.sender() : UserId::parse(*named).value_or(create.sender())};
  const Json* additional =
      rules.creators_are_privileged ? find_array(create.content(), "additional_creators") : nullptr;
  if (additional == nullptr) return creators;
  for (const Json& entry : *additional) {
    if (!entry.is_string()) continue;
    if (auto user = UserId::parse(entry.get_ref<const std::string&>())) creators.push_back(*std::move(user));
  }
  return creators;
}

std::int64_t power_of_user(const RoomRules& rules, const UserId& user, const EventPtr& create,
                           const EventPtr& power_levels) {
  if (create != nullptr && (rules.creators_are_privileged || power_levels == nullptr)) {
    const std::vector<UserId> creators = room_creators(rules, *create);
    if (std::find(creators.begin(), creators.end(), user) != creators.end()) {
      return rules.creators_are_privileged ? infinite_power : creator_power_without_levels;
    }
  }
  if (const auto own = level_in(rules, power_levels, "users", user.str())) return *own;
  return level(rules, power_levels, "users_default").value_or(0);
}

std::int64_t power_to_send(const RoomRules& rules, std::string_view type, bool is_state, const EventPtr& power_levels) {
  if (const auto of_type = level_in(rules, power_levels, "events", type)) return *of_type;
  return is_state ? level(rules, power_levels, "state_default").value_or(moderator_power)
                  : level(rules, power_levels, "events_default").value_or(0);
}

std::int64_t power_for_action(const RoomRules& rules, std::string_view action, const EventPtr& power_levels) {
  return level(rules, power_levels, action).value_or(action == "invite" ? 0 : moderator_power);
}

}  // namespace skerry
