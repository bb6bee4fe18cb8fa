// POST /register             makes an account, after m.login.dummy, where registration is open; for application
// services in their namespaces GET  /register/available   whether a user name is free Client-server API, 'Account
// registration'.
#include <nlohmann/json.hpp>

#include "homeserver/accounts/user_interactive_auth.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/sessions.h"
#include "homeserver/rate_limiter.h"

namespace skerry::homeserver::client_api {

namespace {

// What is wanted: checked before authentication, as 'POST /register' demands of the name.
struct WantedAccount {
  std::string localpart;
  std::optional<std::string> password;
  bool inhibit_login = false;
  NewSession session;
};

Result<WantedAccount> wanted_account(Services& services, const Json& body) {
  WantedAccount wanted;
  auto name = optional_string(body, "username");
  if (!name) return tl::make_unexpected(name.error());
  wanted.localpart = *name ? **name : services.accounts.generate_localpart();
  if (auto free = available_name(services, wanted.localpart); !free) return tl::make_unexpected(free.error());
  auto password = optional_string(body, "password");
  if (!password) return tl::make_unexpected(password.error());
  wanted.password = std::move(*password);
  if (wanted.password) {
    if (auto good = Accounts::check_new_password(*wanted.password); !good) return tl::make_unexpected(good.error());
  }
  auto inhibit_login = flag(body, "inhibit_login");
  if (!inhibit_login) return tl::make_unexpected(inhibit_login.error());
  wanted.inhibit_login = *inhibit_login;
  auto session = wanted_session(body);
  if (!session) return tl::make_unexpected(session.error());
  wanted.session = std::move(*session);
  return wanted;
}

Result<void> may_register(const Services& services, const Call& call) {
  const std::string* kind = call.query_value("kind");
  if (kind != nullptr && *kind == "guest") return fail(ErrorCode::forbidden, "this server has no guests");
  if (kind != nullptr && *kind != "user") return fail(ErrorCode::invalid_param, "kind is user or guest");
  if (!services.config.registration.open) return fail(ErrorCode::forbidden, "registration is closed on this server");
  return {};
}

// Application service API, 'Server admin style permissions'. Names need not follow the grammar for new users: bridges
// put names of other networks into them, which have capitals and more.
void register_by_appservice(Services& services, const Call& call, Reply reply) {
  auto appservice = calling_appservice(services, call);
  if (!appservice) return reply.error(appservice.error());
  auto name = required_string(*call.body, "username");
  if (!name) return reply.error(name.error());
  const ServerName& us = services.config.server_name;
  auto user = UserId::parse("@" + *name + ":" + us.str());
  if (!user || user->localpart() != *name)
    return reply.error({ErrorCode::invalid_username, "that cannot be a user name"});
  const bool theirs = (*appservice)->has_user(*user) && services.appservices.other_owner(*user, *appservice) == nullptr;
  if (!theirs)
    return reply.error({ErrorCode::exclusive, "that user name is in no namespace of the application service"});
  auto inhibit_login = flag(*call.body, "inhibit_login");
  if (!inhibit_login) return reply.error(inhibit_login.error());
  auto wanted = wanted_session(*call.body);
  if (!wanted) return reply.error(wanted.error());
  if (auto made = create_passwordless_account(services, *user); !made) return reply.error(made.error());
  if (*inhibit_login) return reply.json({{"user_id", user->str()}});
  answer_with_session(services, *user, *wanted, std::move(reply));
}

}  // namespace

void register_account(Services& services, Call call, Reply reply) {
  if (const std::string* type = find_string(*call.body, "type"); type != nullptr && *type == appservice_login)
    return register_by_appservice(services, call, std::move(reply));
  if (auto may = may_register(services, call); !may) return reply.error(may.error());
  auto wanted = wanted_account(services, *call.body);
  if (!wanted) return reply.error(wanted.error());
  if (find_member(*call.body, "auth") != nullptr) {
    if (!wanted->password) return reply.error({ErrorCode::missing_param, "password is required"});
    // Before the session of user-interactive authentication is used up: the same request is good again after the wait.
    if (auto wait = services.rate_limiter.registration(call.request.peer_address)) {
      log_refusal(services, call, "too many registrations");
      return reply.limited(*wait);
    }
  }
  if (auto unproven = services.user_interactive_auth.check_dummy("register", *call.body)) {
    return reply.error(401, *unproven);
  }
  auto user = create_account(services, wanted->localpart, *wanted->password, false);
  if (!user) return reply.error(user.error());
  if (wanted->inhibit_login) return reply.json({{"user_id", user->str()}});
  answer_with_session(services, *user, wanted->session, std::move(reply));
}

void username_available(Services& services, Call call, Reply reply) {
  const std::string* name = call.query_value("username");
  if (name == nullptr) return reply.error({ErrorCode::missing_param, "username is required"});
  if (auto free = available_name(services, *name); !free) return reply.error(free.error());
  reply.json({{"available", true}});
}

}  // namespace skerry::homeserver::client_api
