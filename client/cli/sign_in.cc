#include "client/cli/sign_in.h"

#include <filesystem>

#include "client/sdk/api.h"
#include "client/sdk/discovery.h"
#include "client/sdk/http_transport.h"
#include "client/sdk/registration.h"

namespace skerry::client {
namespace {

struct Door {
  std::string homeserver;
  std::unique_ptr<HttpTransport> transport;
};

Outcome<Door> open_door(net::Io& io, const Credentials& credentials) {
  std::string server = credentials.server;
  const auto colon = credentials.user.find(':');
  if (server.empty() && credentials.user.starts_with('@') && colon != std::string::npos) {
    server = credentials.user.substr(colon + 1);
  }
  if (server.empty()) return sorry("the server is missing: use --server, or a whole user id");
  auto url = discover_homeserver(io, server, credentials.ca_files);
  if (!url) return sorry(url.error().text);
  auto transport = HttpTransport::make(io, *url, credentials.ca_files);
  if (!transport) return sorry(*url + ": " + transport.error().text);
  return Door{*url, std::move(*transport)};
}

// Sessions are used from other folders later on.
std::vector<std::string> absolute(const std::vector<std::string>& files) {
  std::vector<std::string> out;
  for (const std::string& file : files) out.push_back(std::filesystem::absolute(file).lexically_normal().string());
  return out;
}

// Ends the session that the new one replaces, so that no access token is left behind on the server. As well as it goes.
void end_previous(net::Io& io, ClientStore& store, const std::string& user_id) {
  const auto sessions = store.sessions();
  if (!sessions) return;
  for (const StoredSession& old : *sessions) {
    if (old.user_id != user_id) continue;
    auto transport = HttpTransport::make(io, old.homeserver, old.ca_files);
    if (!transport) continue;
    auto logout = api::logout();
    logout.timeout = std::chrono::seconds(5);
    (void)Session(**transport, old.user_id, old.access_token).call(std::move(logout));
  }
}

Outcome<StoredSession> keep(net::Io& io, ClientStore& store, const Credentials& credentials,
                            const std::string& homeserver, const api::SignedIn& account) {
  end_previous(io, store, account.user_id);
  StoredSession session{account.user_id, account.device_id, homeserver, account.access_token,
                        absolute(credentials.ca_files)};
  auto stored = store.put_session(session);
  if (!stored) return sorry(stored.error().text);
  return session;
}

}  // namespace

SafeText SignedUp::sentence() const {
  SafeText out("sent: ");
  for (std::size_t i = 0; i < fields_sent.size(); ++i) out += SafeText(i == 0 ? "" : ", ") + SafeText(fields_sent[i]);
  return out + SafeText(" — no phone, no email");
}

Outcome<StoredSession> sign_in(net::Io& io, ClientStore& store, const Credentials& credentials) {
  auto door = open_door(io, credentials);
  if (!door) return sorry(door.error());
  Session nobody(*door->transport, "", "");
  auto account = nobody.call(api::login(credentials.user, credentials.password));
  if (!account) return sorry("Signing in failed", account.error());
  return keep(io, store, credentials, door->homeserver, *account);
}

Outcome<SignedUp> sign_up(net::Io& io, ClientStore& store, const Credentials& credentials) {
  auto door = open_door(io, credentials);
  if (!door) return sorry(door.error());
  Session nobody(*door->transport, "", "");
  auto made = register_account(nobody, credentials.user, credentials.password, credentials.token);
  if (!made) return sorry("Registering failed", made.error());
  auto session = keep(io, store, credentials, door->homeserver, made->account);
  if (!session) return sorry(session.error());
  return SignedUp{std::move(*session), std::move(made->fields_sent)};
}

}  // namespace skerry::client
