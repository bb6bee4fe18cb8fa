// Power as the rules see it: m.room.power_levels and its defaults (client-server API, 'm.room.power_levels').
#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/authorization.h"
#include "core/authorization_rules.h"

namespace skerry {
namespace {

constexpr std::int64_t creator_power_without_levels = 100;
constexpr std::int64_t moderator_power = 50;

std::optional<std::int64_t> level(const EventPtr& power_levels, std::string_view key) {
  return power_levels == nullptr ? std::nullopt : auth::find_integer(power_levels->content(), key);
}

// power_levels.content[table][key], as users and events are.
std::optional<std::int64_t> level_in(const EventPtr& power_levels, std::string_view table, std::string_view key) {
  const Json* levels = power_levels == nullptr ? nullptr : find_object(power_levels->content(), table);
  return levels == nullptr ? std::nullopt : auth::find_integer(*levels, key);
}

}  // namespace

std::optional<std::int64_t> auth::find_integer(const Json& object, std::string_view key) {
  const Json* member = find_member(object, key);
  if (member == nullptr || !member->is_number_integer()) return std::nullopt;
  return member->get<std::int64_t>();
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
  if (const auto own = level_in(power_levels, "users", user.str())) return *own;
  return level(power_levels, "users_default").value_or(0);
}

std::int64_t power_to_send(const RoomRules&, std::string_view type, bool is_state, const EventPtr& power_levels) {
  if (const auto of_type = level_in(power_levels, "events", type)) return *of_type;
  return is_state ? level(power_levels, "state_default").value_or(moderator_power)
                  : level(power_levels, "events_default").value_or(0);
}

std::int64_t power_for_action(std::string_view action, const EventPtr& power_levels) {
  return level(power_levels, action).value_or(action == "invite" ? 0 : moderator_power);
}

}  // namespace skerry
