// Load on a homeserver's client API: closed loops, each of which sends its next request when the last was answered.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "net/http_client.h"
#include "net/io.h"
#include "net/resolver.h"

namespace skerry::bench {

struct LoadResult {
  std::vector<double> seconds;  // of each request that was answered with 200
  double took_s = 0;
  std::size_t failures = 0;
  std::string first_failure;

  double per_second() const { return took_s > 0 ? static_cast<double>(seconds.size()) / took_s : 0; }
};

class Load {
 public:
  // The next request of a lane; nothing ends the lane. Called on an Io thread, of different lanes also at once.
  using Next = std::function<std::optional<net::OutgoingRequest>(std::size_t lane)>;
  // What was answered with 200.
  using Answered = std::function<void(std::size_t lane, const net::HttpResponse& response)>;

  // Trusts this authority alone (empty: plain HTTP only). Calls loopback addresses only.
  explicit Load(const std::string& ca_file);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  // Waits until all lanes have ended. A lane ends with its first failure.
  LoadResult run(std::size_t lanes, const Next& next, const Answered& answered = {});
  net::HttpClient& http() { return *client_; }

 private:
  net::Io io_;
  net::Resolver resolver_;
  std::unique_ptr<net::HttpClient> client_;
};

// A homeserver's client API and one account there.
struct Account {
  std::string user_id;
  std::string token;
};

class Target {
 public:
  // `url` as http://ADDRESS:PORT or https://NAME:PORT. Errors: invalid_param when it is not of this machine.
  static Result<Target> at(const std::string& url);

  net::OutgoingRequest request(const std::string& method, const std::string& path, const std::string& token,
                               const std::string& body = {}) const;
  const std::string& url() const { return url_; }

 private:
  std::string url_;
  net::Endpoint endpoint_;
};

// Accounts PREFIX0, PREFIX1 ... by m.login.dummy, several at a time. Errors: remote_error.
Result<std::vector<Account>> make_accounts(Load& load, const Target& target, const std::string& prefix,
                                           std::size_t count);
// The room's id. Errors: remote_error.
Result<std::string> make_room(Load& load, const Target& target, const Account& account, const Json& body);
// Every account joins, several at a time. Errors: remote_error.
Result<void> join_all(Load& load, const Target& target, const std::vector<Account>& accounts, const std::string& room);

// A message as a request; each has its own transaction id.
net::OutgoingRequest message_request(const Target& target, const std::string& token, const std::string& room);
// The next_batch of a first sync with a small filter. Errors: remote_error.
Result<std::string> sync_token(Load& load, const Target& target, const std::string& token);
// A /sync that waits up to `timeout`.
net::OutgoingRequest sync_request(const Target& target, const std::string& token, const std::string& since,
                                  std::chrono::milliseconds timeout);

}  // namespace skerry::bench
