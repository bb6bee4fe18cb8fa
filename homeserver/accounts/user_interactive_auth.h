// Asks users to prove themselves before what matters. Client-server API, 'User-Interactive Authentication API'.
// Each operation here has one flow of one stage, so a request is either refused or complete.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/json.h"
#include "homeserver/accounts/accounts.h"
#include "net/runtime.h"

namespace skerry::homeserver {

// Thread-safe. Sessions live in memory, a quarter of an hour, and only so many of them.
class UserInteractiveAuth {
 public:
  UserInteractiveAuth(Accounts& accounts, net::Clock& clock, net::Random& random, ServerName us);
  ~UserInteractiveAuth();

  // What to answer with 401 when the request does not carry what it needs; nothing when it may go on.
  // m.login.dummy: says only that the client knows the protocol.
  std::optional<Json> check_dummy(const std::string& operation, const Json& body);
  // m.login.password of `user`. Hashes: not on the `local` pool. Errors of the store become a refusal.
  std::optional<Json> check_password(const std::string& operation, const UserId& user, const Json& body);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// The user that a login or a stage names: `identifier` of m.id.user, or the older `user`; a full id or a localpart.
// Errors: missing_param, bad_json, invalid_param (other kinds of identifier, not a user id).
Result<UserId> identified_user(const Json& body, const ServerName& us);

}  // namespace skerry::homeserver
