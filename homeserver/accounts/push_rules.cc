#include "homeserver/accounts/push_rules.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace skerry::homeserver {

namespace {

constexpr std::size_t rules_of_a_kind = 1'000;
constexpr std::size_t rule_id_bytes = 255;
constexpr std::size_t conditions_of_a_rule = 100;
constexpr std::size_t actions_of_a_rule = 100;

Json matches(const char* key, const std::string& pattern) {
  return {{"kind", "event_match"}, {"key", key}, {"pattern", pattern}};
}
Json property_is(const char* key, Json value) {
  return {{"kind", "event_property_is"}, {"key", key}, {"value", std::move(value)}};
}
Json sound(const char* name) { return {{"set_tweak", "sound"}, {"value", name}}; }
Json highlight() { return {{"set_tweak", "highlight"}}; }

Json predefined(const char* rule_id, std::vector<Json> conditions, std::vector<Json> actions, bool enabled = true) {
  return {{"rule_id", rule_id},
          {"default", true},
          {"enabled", enabled},
          {"conditions", Json(std::move(conditions))},
          {"actions", Json(std::move(actions))}};
}

Json override_rules(const std::string& user) {
  return Json::array({
      predefined(".m.rule.master", {}, {}, false),
      predefined(".m.rule.suppress_notices", {matches("content.msgtype", "m.notice")}, {}),
      predefined(
          ".m.rule.invite_for_me",
          {matches("type", "m.room.member"), matches("content.membership", "invite"), matches("state_key", user)},
          {"notify", sound("default")}),
      predefined(".m.rule.member_event", {matches("type", "m.room.member")}, {}),
      predefined(".m.rule.is_user_mention",
                 {{{"kind", "event_property_contains"}, {"key", "content.m\\.mentions.user_ids"}, {"value", user}}},
                 {"notify", sound("default"), highlight()}),
      predefined(".m.rule.is_room_mention",
                 {property_is("content.m\\.mentions.room", true),
                  {{"kind", "sender_notification_permission"}, {"key", "room"}}},
                 {"notify", highlight()}),
      predefined(".m.rule.tombstone", {matches("type", "m.room.tombstone"), matches("state_key", "")},
                 {"notify", highlight()}),
      predefined(".m.rule.reaction", {matches("type", "m.reaction")}, {}),
      predefined(".m.rule.room.server_acl", {matches("type", "m.room.server_acl"), matches("state_key", "")}, {}),
      predefined(".m.rule.suppress_edits", {property_is("content.m\\.relates_to.rel_type", "m.replace")}, {}),
  });
}

Json underride_rules() {
  const Json two_members = {{"kind", "room_member_count"}, {"is", "2"}};
  return Json::array({
      predefined(".m.rule.call", {matches("type", "m.call.invite")}, {"notify", sound("ring")}),
      predefined(".m.rule.encrypted_room_one_to_one", {two_members, matches("type", "m.room.encrypted")},
                 {"notify", sound("default")}),
      predefined(".m.rule.room_one_to_one", {two_members, matches("type", "m.room.message")},
                 {"notify", sound("default")}),
      predefined(".m.rule.message", {matches("type", "m.room.message")}, {"notify"}),
      predefined(".m.rule.encrypted", {matches("type", "m.room.encrypted")}, {"notify"}),
  });
}

bool is_kind(const std::string& kind) {
  return kind == "override" || kind == "content" || kind == "room" || kind == "sender" || kind == "underride";
}

Json::iterator find_in(Json& list, const std::string& rule_id) {
  return std::find_if(list.begin(), list.end(), [&](const Json& rule) { return rule.at("rule_id") == rule_id; });
}

// The rule as the user wants it, without its place.
Result<Json> rule_from(const std::string& kind, const std::string& rule_id, const Json& body) {
  auto actions = push_rule_actions(body);
  if (!actions) return actions;
  Json rule = {{"rule_id", rule_id}, {"default", false}, {"enabled", true}, {"actions", std::move(*actions)}};
  if (kind == "content") {
    const std::string* pattern = find_string(body, "pattern");
    if (pattern == nullptr) return fail(ErrorCode::missing_param, "a content rule needs a pattern");
    rule["pattern"] = *pattern;
  }
  if (kind == "override" || kind == "underride") {
    const Json* given = find_member(body, "conditions");
    const Json conditions = given != nullptr ? *given : Json::array();
    const bool good = conditions.is_array() && conditions.size() <= conditions_of_a_rule &&
                      std::all_of(conditions.begin(), conditions.end(),
                                  [](const Json& one) { return find_string(one, "kind") != nullptr; });
    if (!good) return fail(ErrorCode::bad_json, "conditions must be a list of objects with a kind");
    rule["conditions"] = conditions;
  }
  return rule;
}

}  // namespace

Json default_push_rules(const UserId& user) {
  return {{"global",
           {{"override", override_rules(user.str())},
            {"content", Json::array()},
            {"room", Json::array()},
            {"sender", Json::array()},
            {"underride", underride_rules()}}}};
}

Json* find_push_rule(Json& rules, const std::string& kind, const std::string& rule_id) {
  if (!is_kind(kind)) return nullptr;
  Json& list = rules.at("global").at(kind);
  const auto found = find_in(list, rule_id);
  return found == list.end() ? nullptr : &*found;
}

const Json* find_push_rule(const Json& rules, const std::string& kind, const std::string& rule_id) {
  return find_push_rule(const_cast<Json&>(rules), kind, rule_id);
}

Result<Json> push_rule_actions(const Json& body) {
  const Json* actions = find_member(body, "actions");
  if (actions == nullptr) return fail(ErrorCode::missing_param, "actions is required");
  if (!actions->is_array() || actions->size() > actions_of_a_rule) {
    return fail(ErrorCode::bad_json, "actions must be a list");
  }
  Json kept = Json::array();
  for (const Json& action : *actions) {
    if (!action.is_string() && !action.is_object()) {
      return fail(ErrorCode::bad_json, "an action is a text or an object");
    }
    // 'Historical Actions'.
    if (action != "dont_notify" && action != "coalesce") kept.push_back(action);
  }
  return kept;
}

Result<void> put_push_rule(Json& rules, const std::string& kind, const std::string& rule_id, const Json& body,
                           const PushRulePlace& place) {
  if (!is_kind(kind)) return fail(ErrorCode::invalid_param, "there is no such kind of push rules");
  if (rule_id.empty() || rule_id.front() == '.' || rule_id.find_first_of("/\\") != std::string::npos ||
      rule_id.size() > rule_id_bytes) {
    return fail(ErrorCode::invalid_param, "that is no rule id for a rule of one's own");
  }
  auto rule = rule_from(kind, rule_id, body);
  if (!rule) return tl::make_unexpected(rule.error());
  Json list = rules.at("global").at(kind);
  const auto existing = find_in(list, rule_id);
  if (existing != list.end() && place.before.empty() && place.after.empty()) {
    (*rule)["enabled"] = existing->at("enabled");
    *existing = std::move(*rule);
    rules["global"][kind] = std::move(list);
    return {};
  }
  if (existing != list.end()) list.erase(existing);
  // The user's own rules come before the predefined ones, but for .m.rule.master, which comes before all.
  auto at = list.begin();
  if (at != list.end() && at->at("rule_id") == ".m.rule.master") ++at;
  const std::string& neighbour = place.before.empty() ? place.after : place.before;
  if (!neighbour.empty()) {
    at = find_in(list, neighbour);
    if (at == list.end() || at->at("default") == true) {
      return fail(ErrorCode::invalid_param, "there is no rule of yours named " + neighbour);
    }
    if (place.before.empty()) ++at;
  }
  if (list.size() >= rules_of_a_kind) return fail(ErrorCode::invalid_param, "too many push rules");
  list.insert(at, std::move(*rule));
  rules["global"][kind] = std::move(list);
  return {};
}

Result<void> remove_push_rule(Json& rules, const std::string& kind, const std::string& rule_id) {
  const Json* rule = find_push_rule(rules, kind, rule_id);
  if (rule == nullptr) return fail(ErrorCode::not_found, "there is no such push rule");
  if (rule->at("default") == true) return fail(ErrorCode::invalid_param, "predefined rules can only be disabled");
  Json& list = rules.at("global").at(kind);
  list.erase(find_in(list, rule_id));
  return {};
}

}  // namespace skerry::homeserver
