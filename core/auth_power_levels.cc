// Authorization rule 10: m.room.power_levels.
#include <algorithm>
#include <array>
#include <set>

#include <nlohmann/json.hpp>

#include "core/authorization_rules.h"

namespace skerry::auth {
namespace {

constexpr std::array<std::string_view, 7> single_levels{"users_default", "events_default", "state_default", "ban",
                                                        "redact",        "kick",           "invite"};

bool is_level(const RoomRules& rules, const Json& value) { return power_level(rules, value).has_value(); }

bool is_object_of_levels(const RoomRules& rules, const Json& value) {
  return value.is_object() &&
         std::all_of(value.begin(), value.end(), [&](const Json& entry) { return is_level(rules, entry); });
}

// 10.1 and 10.2. Before version 10 these are no rules of their own: there a level that stands for no integer makes the
// comparison with what was before fail, as it does in other servers.
std::optional<Refused> check_levels(const RoomRules& rules, const Json& content) {
  for (const std::string_view name : single_levels) {
    const Json* member = find_member(content, name);
    if (member != nullptr && !is_level(rules, *member)) {
      return refused(rules, "10.1", std::string(name) + " is not an integer");
    }
  }
  for (const std::string_view name : {"events", "notifications"}) {
    const bool counts = name != std::string_view("notifications") || rules.notification_levels;
    const Json* member = find_member(content, name);
    if (counts && member != nullptr && !is_object_of_levels(rules, *member)) {
      return refused(rules, "10.2", std::string(name) + " is not an object of integers");
    }
  }
  return std::nullopt;
}

// 10.3 and 10.4.
std::optional<Refused> check_users(const Context& context) {
  const Json* users = find_member(context.event.content(), "users");
  if (users == nullptr) return std::nullopt;
  if (!is_object_of_levels(context.rules, *users)) {
    return refused(context.rules, "10.3", "users is not an object of integers");
  }
  for (const auto& [user, level] : users->items()) {
    if (!UserId::parse(user)) return refused(context.rules, "10.3", "users has a key that is not a user id");
  }
  if (!context.rules.creators_are_privileged) return std::nullopt;
  for (const UserId& creator : room_creators(context.rules, *context.create)) {
    if (users->contains(creator.str())) return refused(context.rules, "10.4", "users names a creator");
  }
  return std::nullopt;
}

// One level before and after; absent where it was added or removed.
struct Alteration {
  std::string key;
  std::optional<std::int64_t> before;
  std::optional<std::int64_t> after;
};

// The entries of an object of levels that differ. An absent object is an empty one.
std::vector<Alteration> alterations(const RoomRules& rules, const Json* before, const Json* after) {
  std::set<std::string> keys;
  for (const Json* side : {before, after}) {
    if (side == nullptr) continue;
    for (const auto& [key, level] : side->items()) keys.insert(key);
  }
  std::vector<Alteration> found;
  for (const std::string& key : keys) {
    const auto old_level = before == nullptr ? std::nullopt : find_level(rules, *before, key);
    const auto new_level = after == nullptr ? std::nullopt : find_level(rules, *after, key);
    if (old_level != new_level) found.push_back({key, old_level, new_level});
  }
  return found;
}

class Comparison {
 public:
  Comparison(const Context& context, const Json& before)
      : context_(context), before_(before), power_(context.power_of(context.event.sender())) {}

  // 10.6
  std::optional<Refused> check_single_levels() const {
    for (const std::string_view name : single_levels) {
      const auto before = find_level(context_.rules, before_, name);
      const auto after = find_level(context_.rules, content(), name);
      if (before == after) continue;
      if (before > power_) return refuse("10.6.1", name, "was above the sender's power");
      if (after > power_) return refuse("10.6.2", name, "is set above the sender's power");
    }
    return std::nullopt;
  }

  // 10.7 and 10.8
  std::optional<Refused> check_table(std::string_view table) const {
    for (const Alteration& entry : altered(table)) {
      if (entry.before > power_) return refuse("10.7.1", entry.key, "was above the sender's power");
      if (entry.after > power_) return refuse("10.8.1", entry.key, "is set above the sender's power");
    }
    return std::nullopt;
  }

  // 10.9 and 10.10
  std::optional<Refused> check_users() const {
    for (const Alteration& entry : altered("users")) {
      const bool is_own = entry.key == context_.event.sender().str();
      if (entry.before >= power_ && !is_own) {
        return refuse("10.9.1", entry.key, "is not below the sender in power");
      }
      if (entry.after > power_) return refuse("10.10.1", entry.key, "is set above the sender's power");
    }
    return std::nullopt;
  }

 private:
  const Json& content() const { return context_.event.content(); }
  std::vector<Alteration> altered(std::string_view table) const {
    return alterations(context_.rules, find_object(before_, table), find_object(content(), table));
  }
  Refused refuse(std::string_view rule, std::string_view what, std::string_view why) const {
    return refused(context_.rules, rule, std::string(what) + " " + std::string(why));
  }

  const Context& context_;
  const Json& before_;
  std::int64_t power_;
};

}  // namespace

// An absent optional is less than any level, so that only levels that exist are compared.
AuthVerdict authorize_power_levels(const Context& context) {
  const RoomRules& rules = context.rules;
  const Json& content = context.event.content();
  const bool levels_first = !rules.string_power_levels;
  if (levels_first) {
    if (auto refusal = check_levels(rules, content)) return *std::move(refusal);
  }
  if (auto refusal = check_users(context)) return *std::move(refusal);
  const EventPtr current = context.power_levels();
  if (current == nullptr) return Allowed{};  // 10.5
  if (!levels_first) {
    if (auto refusal = check_levels(rules, content)) return *std::move(refusal);
  }
  const Comparison comparison(context, current->content());
  if (auto refusal = comparison.check_single_levels()) return *std::move(refusal);
  if (auto refusal = comparison.check_table("events")) return *std::move(refusal);
  if (rules.notification_levels) {
    if (auto refusal = comparison.check_table("notifications")) return *std::move(refusal);
  }
  if (auto refusal = comparison.check_users()) return *std::move(refusal);
  return Allowed{};
}

}  // namespace skerry::auth

namespace skerry {

bool has_integer_levels(const Json& power_levels_content) {
  const auto is_integer = [](const Json& value) { return value.is_number_integer(); };
  for (const std::string_view name : auth::single_levels) {
    const Json* level = find_member(power_levels_content, name);
    if (level != nullptr && !is_integer(*level)) return false;
  }
  for (const std::string_view name : {"events", "notifications", "users"}) {
    const Json* levels = find_member(power_levels_content, name);
    if (levels == nullptr) continue;
    if (!levels->is_object() || !std::all_of(levels->begin(), levels->end(), is_integer)) return false;
  }
  return true;
}

}  // namespace skerry
