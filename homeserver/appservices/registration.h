// A registration file, by which an operator lets an application service in. Application service API, 'Registration'.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"

namespace skerry::homeserver {

struct AppserviceNamespace {
  std::string regex;
  bool exclusive = false;
};

struct AppserviceRegistration {
  std::string id;
  std::string url;  // empty: nothing is sent
  std::string as_token;
  std::string hs_token;
  std::string sender_localpart;
  // Under the name that the specification gives it since v1.13, or the one of before, by which many frameworks still
  // ask, and under which they look for it.
  bool receive_ephemeral = false;
  bool receive_ephemeral_by_old_name = false;
  bool rate_limited = true;
  std::vector<std::string> protocols;
  std::vector<AppserviceNamespace> users;
  std::vector<AppserviceNamespace> aliases;
  std::vector<AppserviceNamespace> rooms;
};

// Members that the specification does not name are left alone. Errors: storage when the file cannot be read;
// invalid_param with one line "FILE:LINE: MEMBER: what is wrong" per problem. Never shows a token.
Result<AppserviceRegistration> read_appservice_registration(const std::string& file);

}  // namespace skerry::homeserver
