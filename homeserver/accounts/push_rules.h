// A user's push rules as one JSON object, {"global": {kind: [rule, ...]}}: what m.push_rules holds. Pure.
// Client-server API, 'Push Rules'.
#pragma once

#include <string>

#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"

namespace skerry::homeserver {

// The predefined rules of the specification.
Json default_push_rules(const UserId& user);

// The rule, or null. Unknown kinds have no rules.
const Json* find_push_rule(const Json& rules, const std::string& kind, const std::string& rule_id);
Json* find_push_rule(Json& rules, const std::string& kind, const std::string& rule_id);

// Where a new rule goes: just before or just after another of the user's own; both empty: before all of them.
struct PushRulePlace {
  std::string before;
  std::string after;
};

// Adds or changes a rule of the user's own from what the client sent. `rules` is unchanged on failure. Errors:
// invalid_param (kind, rule id, place), missing_param, bad_json (actions, conditions, pattern).
Result<void> put_push_rule(Json& rules, const std::string& kind, const std::string& rule_id, const Json& body,
                           const PushRulePlace& place);
// Errors: not_found; invalid_param for a predefined rule.
Result<void> remove_push_rule(Json& rules, const std::string& kind, const std::string& rule_id);

// A list of actions without the historical ones. Errors: missing_param, bad_json.
Result<Json> push_rule_actions(const Json& body);

}  // namespace skerry::homeserver
