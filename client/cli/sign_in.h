// Signing in and up, for the command line and the chat screen's first form alike.
#pragma once

#include <string>
#include <vector>

#include "client/cli/command.h"

namespace skerry::client {

struct Credentials {
  std::string server;  // may be empty when `user` is a whole user id
  std::string user;
  std::string password;
  std::string token;  // registration token, for servers that ask for one
  std::vector<std::string> ca_files;
};

struct SignedUp {
  StoredSession session;
  std::vector<std::string> fields_sent;
  SafeText sentence() const;  // "sent: username, password — no phone, no email"
};

// Both wait for the server, and store the session. A session of the same user that was stored before is ended.
Outcome<StoredSession> sign_in(net::Io& io, ClientStore& store, const Credentials& credentials);
Outcome<SignedUp> sign_up(net::Io& io, ClientStore& store, const Credentials& credentials);

}  // namespace skerry::client
