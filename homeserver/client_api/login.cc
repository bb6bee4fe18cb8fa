// GET  /login              m.login.password, m.login.token; with application services, theirs
// POST /login              a new session: by user name and password, by a token of /login/get_token, or as application
//                          services log their users in
// POST /refresh            the next tokens of a session, for its refresh token
// POST /logout, /logout/all  ends this session, or all of the caller's
// GET  /account/whoami     who the caller is
// POST /account/password   a new password, after the old one
//
// Client-server API, 'Login', 'Refreshing access tokens', 'Account management', 'Password management'.
#include <nlohmann/json.hpp>

#include "homeserver/accounts/user_interactive_auth.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/sessions.h"
#include "homeserver/rate_limiter.h"

namespace skerry::homeserver::client_api {

void get_login_flows(Services& services, Call, Reply reply) {
  Json flows = {{{"type", "m.login.password"}}, {{"type", "m.login.token"}, {"get_login_token", true}}};
  if (!services.appservices.all().empty()) flows.push_back({{"type", appservice_login}});
  reply.json({{"flows", std::move(flows)}});
}

namespace {

void login_by_token(Services& services, const Call& call, const NewSession& wanted, Reply reply) {
  auto token = required_string(*call.body, "token");
  if (!token) return reply.error(token.error());
  if (auto wait =
          services.rate_limiter.login(call.request.peer_address, "m.login.token " + call.request.peer_address)) {
    log_refusal(services, call, "too many logins");
    return reply.limited(*wait);
  }
  auto user = services.accounts.spend_login_token(*token);
  if (!user) {
    log_refusal(services, call, "refused a login");
    return reply.error(user.error());
  }
  answer_with_session(services, *user, wanted, std::move(reply));
}

// Application service API, 'Server admin style permissions'.
void login_by_appservice(Services& services, const Call& call, const NewSession& wanted, Reply reply) {
  auto appservice = calling_appservice(services, call);
  if (!appservice) return reply.error(appservice.error());
  auto user = identified_user(*call.body, services.config.server_name);
  if (!user) return reply.error(user.error());
  if (!(*appservice)->has_user(*user))
    return reply.error({ErrorCode::exclusive, "that user is in no namespace of this application service"});
  if (auto there = active_account(services, *user); !there) return reply.error(there.error());
  answer_with_session(services, *user, wanted, std::move(reply));
}

}  // namespace

void login(Services& services, Call call, Reply reply) {
  auto type = required_string(*call.body, "type");
  if (!type) return reply.error(type.error());
  auto wanted = wanted_session(*call.body);
  if (!wanted) return reply.error(wanted.error());
  if (*type == "m.login.token") return login_by_token(services, call, *wanted, std::move(reply));
  if (*type == appservice_login) return login_by_appservice(services, call, *wanted, std::move(reply));
  if (*type != "m.login.password") {
    return reply.error(400, {{"errcode", "M_UNKNOWN"}, {"error", "GET /login tells the types that this server knows"}});
  }
  auto user = identified_user(*call.body, services.config.server_name);
  if (!user) return reply.error(user.error());
  auto password = required_string(*call.body, "password");
  if (!password) return reply.error(password.error());
  if (auto wait = services.rate_limiter.login(call.request.peer_address, user->str())) {
    log_refusal(services, call, "too many logins");
    return reply.limited(*wait);
  }
  if (auto good = services.accounts.check_password(*user, *password); !good) {
    log_refusal(services, call, "refused a login");
    return reply.error(good.error());
  }
  answer_with_session(services, *user, *wanted, std::move(reply));
}

void refresh(Services& services, Call call, Reply reply) {
  auto token = required_string(*call.body, "refresh_token");
  if (!token) return reply.error(token.error());
  auto session = services.accounts.refresh_session(*token);
  if (!session) return reply.error(session.error());
  Json answer = Json::object();
  add_tokens(answer, *session);
  reply.json(answer);
}

void logout(Services& services, Call call, Reply reply) {
  if (auto closed = services.accounts.close_session(*call.caller); !closed) return reply.error(closed.error());
  reply.json(nothing());
}

void logout_all(Services& services, Call call, Reply reply) {
  if (auto closed = services.accounts.close_all_sessions(call.caller->user); !closed) {
    return reply.error(closed.error());
  }
  reply.json(nothing());
}

void whoami(Services&, Call call, Reply reply) {
  Json answer = {{"user_id", call.caller->user.str()}, {"is_guest", false}};
  if (!call.caller->device.empty()) answer["device_id"] = call.caller->device;
  reply.json(answer);
}

namespace {

Result<void> close_other_sessions(Services& services, const Caller& caller) {
  auto devices = services.database.accounts().devices(caller.user);
  if (!devices) return tl::make_unexpected(devices.error());
  std::vector<std::string> others;
  for (const storage::Device& device : *devices) {
    if (device.id != caller.device) others.push_back(device.id);
  }
  return services.accounts.close_sessions(caller.user, others);
}

}  // namespace

void change_password(Services& services, Call call, Reply reply) {
  auto password = required_string(*call.body, "new_password");
  if (!password) return reply.error(password.error());
  if (auto good = Accounts::check_new_password(*password); !good) return reply.error(good.error());
  auto logs_out = flag(*call.body, "logout_devices", true);
  if (!logs_out) return reply.error(logs_out.error());
  if (!proves_password(services, call, "password", reply)) return;
  const Caller& caller = *call.caller;
  if (auto set = services.accounts.set_password(caller.user, *password); !set) return reply.error(set.error());
  if (*logs_out) {
    if (auto closed = close_other_sessions(services, caller); !closed) return reply.error(closed.error());
  }
  reply.json(nothing());
}

}  // namespace skerry::homeserver::client_api
