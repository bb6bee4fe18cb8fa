// Signed requests to other servers: discovery, signature, deadline, backoff, limits per destination.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/crypto.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"
#include "federation/backoff.h"
#include "federation/discovery.h"
#include "net/http_client.h"
#include "net/runtime.h"

namespace skerry::federation {

struct FederationRequest {
  ServerName destination;
  std::string method = "GET";
  std::string target;                         // "/_matrix/federation/v1/...", encoded
  std::optional<std::string> body;            // JSON text, signed with the request
  std::chrono::milliseconds timeout{30'000};  // from send() to the answer, with waiting and discovery
  std::size_t max_response_bytes = 4 * 1'048'576;
  bool sign = true;             // false for keys
  bool ignore_backoff = false;  // the outbox decides for itself when to try again
};

// What another server answered with an error status, for those who pass it on.
struct RemoteFailure {
  int status = 0;
  std::string errcode;
  std::string error;
};

// Thread-safe. What the outbox needs of the client; a simulation stands in for it.
class RequestSender {
 public:
  virtual ~RequestSender() = default;
  using Done = std::function<void(Result<Json> answer, RemoteFailure failure)>;
  virtual void send(FederationRequest request, Done done) = 0;
};

// Thread-safe.
class FederationClient : public RequestSender {
 public:
  FederationClient(net::HttpClient& http, Discovery& discovery, net::Clock& clock, ServerName us, SigningKey key,
                   BackoffOptions backoff);
  ~FederationClient() override;

  // `done` gets the JSON of a 200 answer, on an Io thread (what is refused at once: on the caller's). Errors:
  // unreachable, timeout, remote_error (`failure` says what, when given a status), too_large, not_json, cancelled. A
  // destination that failed lately (no answer at all, or a gateway's 502 to 504 without an errcode) is answered by
  // `unreachable` at once until its backoff ends. For small answers: they are parsed on the Io thread.
  void send(FederationRequest request, Done done) override;
  // The same, but `done` gets the answer as it came, whatever its status: for what is not JSON.
  void send_raw(FederationRequest request, std::function<void(Result<net::HttpResponse>)> done);
  // Like send(), waiting, and parsing on the caller's thread: from worker pools only, never from an Io thread, the
  // writer or a room's turn.
  Result<Json> call(FederationRequest request, RemoteFailure* failure = nullptr);

  // A sign of life from a server (a valid request of it came): ends its backoff.
  void saw_alive(const ServerName& server);
  // Called when a server's backoff ended by a sign of life.
  void on_alive(std::function<void(const ServerName&)> listener);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::federation
