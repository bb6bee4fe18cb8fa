// Registration, login, tokens. Passwords by Argon2id, tokens stored as hashes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "core/ids.h"
#include "homeserver/config.h"
#include "net/runtime.h"
#include "storage/account_store.h"

namespace skerry::homeserver {

// Who makes a request.
struct Caller {
  UserId user;
  std::string device;
  bool admin = false;
};

struct Session {
  UserId user;
  std::string device;
  std::string access_token;
};

// Thread-safe. Hashing passwords blocks; at most Passwords::at_once at a time, the rest wait.
class Accounts {
 public:
  Accounts(storage::AccountStore& store, net::Clock& clock, net::Random& random, ServerName us, Config::Passwords passwords);
  ~Accounts();

  Result<UserId> register_user(const std::string& localpart, const std::string& password, bool admin);  // user_in_use, invalid_username
  Result<void> check_password(const UserId& user, const std::string& password);                        // forbidden
  Result<void> set_password(const UserId& user, const std::string& password);
  Result<Session> open_session(const UserId& user, const std::optional<std::string>& device, const std::string& device_name);
  Result<Caller> authenticate(const std::string& access_token);                                        // unknown_token
  Result<void> close_session(const Caller& caller);
  Result<void> close_all_sessions(const UserId& user);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
