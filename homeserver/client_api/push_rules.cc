// GET /pushrules/, /pushrules/global/                                  all rules
// GET, PUT, DELETE /pushrules/global/{kind}/{ruleId}                   one rule; only the user's own are made and
// removed GET, PUT /pushrules/global/{kind}/{ruleId}/enabled, .../actions      parts of one, predefined ones too The
// rules are the account data m.push_rules. Client-server API, 'Push Rules: API'.
#include "homeserver/accounts/push_rules.h"

#include <nlohmann/json.hpp>

#include "homeserver/client_api/account_data.h"
#include "homeserver/client_api/handlers.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr const char* rules_type = "m.push_rules";

Result<Json> read_rules(Services& services, const UserId& user) {
  auto rules = read_account_data(services, user, std::nullopt, rules_type);
  if (!rules) return tl::make_unexpected(rules.error());
  return *rules ? std::move(**rules) : default_push_rules(user);
}

// The rule that the path names, copied. Errors: not_found.
Result<Json> named_rule(Services& services, const Call& call) {
  auto rules = read_rules(services, call.caller->user);
  if (!rules) return rules;
  const Json* rule = find_push_rule(std::as_const(*rules), call.parameters[0], call.parameters[1]);
  if (rule == nullptr) return fail(ErrorCode::not_found, "there is no such push rule");
  return *rule;
}

void answer_member(Services& services, const Call& call, const char* member, Reply reply) {
  auto rule = named_rule(services, call);
  if (!rule) return reply.error(rule.error());
  reply.json({{member, rule->at(member)}});
}

// Reads, lets `change` do its work, writes.
template <class Change>
void change_rules(Services& services, const Call& call, Reply reply, const Change& change) {
  const UserId& user = call.caller->user;
  const auto guard = services.accounts.lock(user);
  auto rules = read_rules(services, user);
  if (!rules) return reply.error(rules.error());
  Result<void> changed = change(*rules);
  if (changed) changed = write_account_data(services, user, std::nullopt, rules_type, *rules);
  if (!changed) return reply.error(changed.error());
  reply.json(nothing());
}

void change_member(Services& services, const Call& call, const char* member, const Json& value, Reply reply) {
  change_rules(services, call, std::move(reply), [&](Json& rules) -> Result<void> {
    Json* rule = find_push_rule(rules, call.parameters[0], call.parameters[1]);
    if (rule == nullptr) return fail(ErrorCode::not_found, "there is no such push rule");
    (*rule)[member] = value;
    return {};
  });
}

}  // namespace

void get_push_rules(Services& services, Call call, Reply reply) {
  reply.result(read_rules(services, call.caller->user));
}

void get_global_push_rules(Services& services, Call call, Reply reply) {
  auto rules = read_rules(services, call.caller->user);
  if (!rules) return reply.error(rules.error());
  reply.json(rules->at("global"));
}

void get_push_rule(Services& services, Call call, Reply reply) { reply.result(named_rule(services, call)); }

void put_push_rule(Services& services, Call call, Reply reply) {
  PushRulePlace place;
  if (const std::string* before = call.query_value("before")) place.before = *before;
  if (const std::string* after = call.query_value("after")) place.after = *after;
  change_rules(services, call, std::move(reply), [&](Json& rules) {
    return homeserver::put_push_rule(rules, call.parameters[0], call.parameters[1], *call.body, place);
  });
}

void delete_push_rule(Services& services, Call call, Reply reply) {
  change_rules(services, call, std::move(reply),
               [&](Json& rules) { return remove_push_rule(rules, call.parameters[0], call.parameters[1]); });
}

void get_push_rule_enabled(Services& services, Call call, Reply reply) {
  answer_member(services, call, "enabled", std::move(reply));
}

void put_push_rule_enabled(Services& services, Call call, Reply reply) {
  const Json* enabled = find_member(*call.body, "enabled");
  if (enabled == nullptr) return reply.error({ErrorCode::missing_param, "enabled is required"});
  if (!enabled->is_boolean()) return reply.error({ErrorCode::bad_json, "enabled must be true or false"});
  change_member(services, call, "enabled", *enabled, std::move(reply));
}

void get_push_rule_actions(Services& services, Call call, Reply reply) {
  answer_member(services, call, "actions", std::move(reply));
}

void put_push_rule_actions(Services& services, Call call, Reply reply) {
  auto actions = push_rule_actions(*call.body);
  if (!actions) return reply.error(actions.error());
  change_member(services, call, "actions", *actions, std::move(reply));
}

}  // namespace skerry::homeserver::client_api
