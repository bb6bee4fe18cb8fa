// Registration, login, tokens. Passwords by Argon2id, tokens stored as hashes.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "homeserver/config.h"
#include "net/runtime.h"
#include "storage/account_store.h"

namespace skerry::homeserver {

class Appservice;

// Who makes a request.
struct Caller {
  UserId user;
  std::string device;  // empty: an application service that named none
  storage::Standing standing;
  const Appservice* appservice = nullptr;  // that makes it, as the user
  bool limited = true;                     // how often it may ask
};

// What a user hears who is locked.
tl::unexpected<Error> locked_out();

struct Session {
  UserId user;
  std::string device;
  std::string access_token;
  // For clients that can refresh: absent, the access token does not expire.
  struct Refresh {
    std::string token;
    std::chrono::milliseconds expires_in;  // of the access token
  };
  std::optional<Refresh> refresh;
};

// What a client wants of a new session.
struct NewSession {
  std::optional<std::string> device;  // absent: a new one
  std::string device_name;            // of a new one
  bool refreshable = false;
};

// Thread-safe. Hashing passwords blocks; at most Passwords::at_once at a time, the rest wait: not on the `local` pool.
class Accounts {
 public:
  Accounts(storage::AccountStore& store, net::Clock& clock, net::Random& random, ServerName us,
           Config::Passwords passwords, Config::Sessions sessions);
  ~Accounts();

  // Called when what a user's tokens stand for has changed (a session that ended, a lock), on the thread that changed
  // it: it must not block. Set before the first request.
  void on_change(std::function<void(const UserId&)> changed);

  // Whether a new user may have this name. Errors: user_in_use, invalid_username.
  Result<UserId> available(const std::string& localpart);
  // A name that nobody has, for those who give none.
  std::string generate_localpart();
  // Errors: as available(), invalid_param for a password that check_new_password() refuses.
  Result<UserId> register_user(const std::string& localpart, const std::string& password, bool admin);

  // An account that nobody logs in to by password, whatever its name. Errors: user_in_use.
  Result<void> register_passwordless(const UserId& user);

  // Errors: invalid_param when empty or longer than limits::password_bytes.
  static Result<void> check_new_password(const std::string& password);
  // Errors: forbidden, after the same time whether the user or the password is wrong.
  Result<void> check_password(const UserId& user, const std::string& password);
  Result<void> set_password(const UserId& user, const std::string& password);

  // New tokens for a device: a new one, or one of the user's, whose old tokens then end. Errors: invalid_param,
  // user_locked.
  Result<Session> open_session(const UserId& user, const NewSession& wanted);
  // Further tokens for the device that a refresh token is of. The old ones end when one of these is used, not before: a
  // lost answer locks nobody out. Errors: unknown_token, user_locked.
  Result<Session> refresh_session(const std::string& refresh_token);
  Result<Caller> authenticate(const std::string& access_token);  // unknown_token, expired_token
  Result<void> close_session(const Caller& caller);
  // Removes these devices; those that are not there are no error.
  Result<void> close_sessions(const UserId& user, const std::vector<std::string>& devices);
  Result<void> close_all_sessions(const UserId& user);

  // What administrators decide about an account; it holds from the next request on. Sessions stay.
  Result<void> set_locked(const UserId& user, bool locked);
  Result<void> set_suspended(const UserId& user, bool suspended);

  // Ends the account and all its sessions for ever; its name is never given again.
  Result<void> deactivate(const UserId& user);

  // A token that stands for the user until `lifetime` is over: towards others (OpenID), or for one login.
  Result<std::string> make_pass(storage::PassKind kind, const UserId& user, std::chrono::milliseconds lifetime);
  Result<UserId> openid_user(const std::string& token);        // unknown_token
  Result<UserId> spend_login_token(const std::string& token);  // forbidden

  // Held while something of a user's is read, changed and written again (profile, tags, push rules), so that two such
  // changes do not lose one. Not held over anything that waits for other servers.
  [[nodiscard]] std::unique_lock<std::mutex> lock(const UserId& user);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
