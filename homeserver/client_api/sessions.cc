#include "homeserver/client_api/sessions.h"

#include <nlohmann/json.hpp>

#include "homeserver/accounts/push_rules.h"
#include "homeserver/accounts/user_interactive_auth.h"
#include "homeserver/rate_limiter.h"
#include "net/log.h"

namespace skerry::homeserver::client_api {

namespace {

// Stored at once, so that the first /sync shows them.
Result<void> store_push_rules(Services& services, const UserId& user) {
  storage::AccountDataEntry rules;
  rules.type = "m.push_rules";
  rules.content_json = dump(default_push_rules(user));
  if (auto stored = services.database.accounts().set_account_data(user, rules); !stored) {
    return tl::make_unexpected(stored.error());
  }
  return {};
}

}  // namespace

Result<const Appservice*> calling_appservice(const Services& services, const Call& call) {
  auto token = access_token(call);
  if (!token) return tl::make_unexpected(token.error());
  const Appservice* appservice = services.appservices.by_token(*token);
  if (appservice == nullptr) return fail(ErrorCode::unknown_token, "this is no application service's token");
  return appservice;
}

Result<UserId> available_name(Services& services, const std::string& localpart) {
  auto user = services.accounts.available(localpart);
  if (user && services.appservices.other_owner(*user, nullptr) != nullptr)
    return fail(ErrorCode::exclusive, "that user name belongs to an application service");
  return user;
}

Result<storage::Standing> active_account(Services& services, const UserId& user) {
  auto standing = services.database.accounts().standing(user);
  if (!standing) return tl::make_unexpected(standing.error());
  if (!*standing) return fail(ErrorCode::forbidden, "there is no user " + user.str());
  return **standing;
}

Result<UserId> create_account(Services& services, const std::string& localpart, const std::string& password,
                              bool admin) {
  if (auto available = available_name(services, localpart); !available) return available;
  auto user = services.accounts.register_user(localpart, password, admin);
  if (!user) return user;
  if (auto stored = store_push_rules(services, *user); !stored) return tl::make_unexpected(stored.error());
  return user;
}

Result<void> create_passwordless_account(Services& services, const UserId& user) {
  if (auto made = services.accounts.register_passwordless(user); !made) return made;
  return store_push_rules(services, user);
}

Result<NewSession> wanted_session(const Json& body) {
  auto device = optional_string(body, "device_id");
  if (!device) return tl::make_unexpected(device.error());
  auto name = optional_string(body, "initial_device_display_name");
  if (!name) return tl::make_unexpected(name.error());
  auto refreshable = flag(body, "refresh_token");
  if (!refreshable) return tl::make_unexpected(refreshable.error());
  return NewSession{std::move(*device), name->value_or(""), *refreshable};
}

void add_tokens(Json& answer, const Session& session) {
  answer["access_token"] = session.access_token;
  if (!session.refresh) return;
  answer["refresh_token"] = session.refresh->token;
  answer["expires_in_ms"] = session.refresh->expires_in.count();
}

void answer_with_session(Services& services, const UserId& user, const NewSession& wanted, Reply reply) {
  auto session = services.accounts.open_session(user, wanted);
  if (!session) return reply.error(session.error());
  Json answer = {{"user_id", session->user.str()}, {"device_id", session->device}};
  add_tokens(answer, *session);
  if (!services.config.public_client_url.empty()) {
    answer["well_known"] = {{"m.homeserver", {{"base_url", services.config.public_client_url}}}};
  }
  reply.json(answer);
}

bool proves_password(Services& services, const Call& call, const std::string& operation, Reply& reply) {
  const UserId& user = call.caller->user;
  if (find_member(*call.body, "auth") != nullptr) {
    if (auto wait = services.rate_limiter.login(call.request.peer_address, user.str())) {
      log_refusal(services, call, "too many passwords tried");
      reply.limited(*wait);
      return false;
    }
  }
  auto unproven = services.user_interactive_auth.check_password(operation, user, *call.body);
  if (unproven) reply.error(401, *unproven);
  return !unproven;
}

void log_refusal(const Services& services, const Call& call, const std::string& what) {
  log::info("accounts", services.config.log_ip_addresses ? what + ", from " + call.request.peer_address : what);
}

}  // namespace skerry::homeserver::client_api
