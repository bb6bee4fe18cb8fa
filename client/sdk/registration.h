// Registering with a user name and a password, and nothing else.
#pragma once

#include <string>
#include <vector>

#include "client/sdk/api.h"
#include "client/sdk/session.h"

namespace skerry::client {

struct Registered {
  api::SignedIn account;
  // What the server was told about the person: the members of the request bodies as they were sent, and the token if
  // one was.
  std::vector<std::string> fields_sent;
};

// User-interactive authentication (client-server API, 'User-Interactive Authentication API') through m.login.dummy, and
// m.login.registration_token when `token` is not empty. A server that insists on more (a phone number, an email
// address, a captcha) gets nothing: the error says what it asked for. Waits.
ApiResult<Registered> register_account(Session& nobody, const std::string& user, const std::string& password,
                                       const std::string& token);

}  // namespace skerry::client
