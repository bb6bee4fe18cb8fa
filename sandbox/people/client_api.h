// The client-server API in its plainest form: JSON out, JSON in, the errors in words.
#pragma once

#include <chrono>
#include <string>

#include "core/json.h"
#include "core/result.h"
#include "net/http_client.h"

namespace skerry::sandbox {

inline constexpr std::chrono::seconds api_time{30};
// In all, for one request that a server's rate limits put off.
inline constexpr std::chrono::seconds longest_rest{60};

// Thread-safe. Copies speak for the same user.
class ClientApi {
 public:
  // `base_url` as http://ADDRESS:PORT; it is of this sandbox, so that it parses.
  ClientApi(net::HttpClient& http, const std::string& base_url, std::string access_token = {});

  // `path` behind /_matrix/client/v3. The answer, an object or a list. A server that limits rates is left alone for as
  // long as it asks, and asked again, unless that is longer than longest_rest. Errors: unreachable, timeout;
  // remote_error with "M_CODE: text" when the server refuses.
  Result<Json> get(const std::string& path, std::chrono::milliseconds timeout = api_time) const;
  Result<Json> post(const std::string& path, const Json& body) const;
  Result<Json> put(const std::string& path, const Json& body) const;

 private:
  Result<Json> call(const std::string& method, const std::string& path, const std::string& body,
                    std::chrono::milliseconds timeout) const;

  net::HttpClient* http_;
  net::Endpoint endpoint_;
  std::string access_token_;
};

// The beginning of the paths of a room.
std::string in_room(const std::string& room_id);

// Whether an error is the server's refusal with this errcode.
bool refused_with(const Error& error, std::string_view errcode);

// A user name and a password; m.login.dummy completes it. What was sent is listed in `fields_sent`, as in
// "username, password, auth.type".
struct Registered {
  std::string user_id;
  std::string access_token;
  std::string device_id;
  std::string fields_sent;
};
Result<Registered> register_account(const ClientApi& nobody, const std::string& localpart, const std::string& password);

// Whether a new user could have this name. Errors: unreachable, timeout, remote_error.
Result<bool> name_is_free(const ClientApi& nobody, const std::string& localpart);

}  // namespace skerry::sandbox
