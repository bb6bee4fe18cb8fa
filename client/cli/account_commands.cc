// register, login, logout, whoami, accounts.
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "client/cli/command.h"
#include "client/cli/password.h"
#include "client/cli/sign_in.h"
#include "client/sdk/api.h"

namespace skerry::client {
namespace {

Outcome<std::string> user_or_ask(const Environment& env, const SafeText& question) {
  return env.args.user.empty() ? ask(question) : Outcome<std::string>(env.args.user);
}

Json public_part(const StoredSession& session) {
  return {{"user_id", session.user_id}, {"device_id", session.device_id}, {"homeserver", session.homeserver}};
}

}  // namespace

Done register_command(const Environment& env) {
  if (env.args.server.empty()) return sorry("register needs --server: where the account is to be");
  auto user = user_or_ask(env, "User name");
  if (!user) return sorry(user.error());
  auto password = obtain_password(env.args, *user, true);
  if (!password) return sorry(password.error());
  auto made = sign_up(env.io, env.store, {env.args.server, *user, *password, env.args.token, env.args.ca_files});
  if (!made) return sorry(made.error());
  Json line = public_part(made->session);
  line["fields_sent"] = made->fields_sent;
  env.print(line);
  env.say(SafeText(made->session.user_id) + " is registered at " + made->session.homeserver);
  env.say(made->sentence());
  return {};
}

Done login_command(const Environment& env) {
  auto user = user_or_ask(env, "User");
  if (!user) return sorry(user.error());
  const std::string name = to_user_id(*user);
  auto password = obtain_password(env.args, name, false);
  if (!password) return sorry(password.error());
  auto session = sign_in(env.io, env.store, {env.args.server, name, *password, {}, env.args.ca_files});
  if (!session) return sorry(session.error());
  env.print(public_part(*session));
  env.say(SafeText("Signed in as ") + session->user_id + " at " + session->homeserver);
  return {};
}

Done logout_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  if (!env.args.forget) {
    auto result = account->session->call(api::logout());
    const bool known = result || result.error().errcode != "M_UNKNOWN_TOKEN";
    if (!result && known) return sorry("Not signed out (--forget removes the session only here)", result.error());
  }
  auto removed = env.store.remove_session(account->stored.user_id);
  if (!removed) return sorry(removed.error().text);
  env.print({{"user_id", account->stored.user_id}});
  env.say(SafeText(account->stored.user_id) + " is signed out");
  return {};
}

Done whoami_command(const Environment& env) {
  auto account = env.account();
  if (!account) return sorry(account.error());
  auto who = account->session->call(api::whoami());
  if (!who) return sorry("The server does not say", who.error());
  env.print({{"user_id", who->user_id}, {"device_id", who->device_id}, {"homeserver", account->stored.homeserver}});
  env.say(SafeText(who->user_id) + " (device " + who->device_id + ") at " + account->stored.homeserver);
  return {};
}

Done accounts_command(const Environment& env) {
  auto sessions = env.store.sessions();
  if (!sessions) return sorry(sessions.error().text);
  for (const StoredSession& session : *sessions) {
    env.print(public_part(session));
    env.say(SafeText(session.user_id) + " at " + session.homeserver);
  }
  return {};
}

}  // namespace skerry::client
