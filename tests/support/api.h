// A Matrix client of the plainest kind, for tests: JSON out, JSON in.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "net/http.h"

namespace skerry::test {

struct Answer {
  int status = 0;  // 0: no answer came; `text` says why
  net::Headers headers;
  std::string text;
  Json json;  // null when the text is not JSON

  std::string errcode() const;
  std::string header(std::string_view name) const;  // "" when absent
};

class Api {
 public:
  explicit Api(std::string base_url, std::string access_token = {});

  Answer request(const std::string& method, const std::string& target, const std::string& body,
                 net::Headers headers = {}) const;
  Answer get(const std::string& target) const;
  Answer post(const std::string& target, const Json& body = Json::object()) const;
  Answer put(const std::string& target, const Json& body = Json::object()) const;
  Answer del(const std::string& target, const std::optional<Json>& body = {}) const;

  // The same server with another token ("": none).
  Api as(const std::string& access_token) const { return Api(base_url_, access_token); }

  std::string user_id;  // of those that register() and login() made
  std::string device_id;
  const std::string& access_token() const { return access_token_; }

  // A new account and its session. Throws when that is refused.
  Api register_user(const std::string& name, const std::string& password = "correct horse") const;
  Api login(const std::string& name, const std::string& password = "correct horse") const;

 private:
  Api session(const Answer& answer) const;

  std::string base_url_;
  std::string access_token_;
};

inline constexpr const char* v3 = "/_matrix/client/v3";

}  // namespace skerry::test
