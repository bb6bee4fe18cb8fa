// What a row of the route table is. The table itself is routes.cc: a newcomer starts there.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"
#include "homeserver/accounts/accounts.h"
#include "net/http.h"

namespace skerry::homeserver {

struct Services;

enum class Access {
  anyone,      // no token needed, none looked at
  user,        // an access token of ours, or an application service's for a user of its own
  appservice,  // an application service's token
  server,      // a valid X-Matrix signature
};

// Where a handler runs. Two servers that ask each other cannot starve each other: `federation` never calls out.
enum class Pool {
  local,       // work on this server's own data
  outbound,    // may ask other servers and wait
  federation,  // answers to other servers; never calls out
};

enum class Body {
  none,       // ignored
  json,       // any JSON object; absent counts as {} but for PUT
  canonical,  // a JSON object whose numbers must be canonical: it becomes part of an event
  raw,        // any bytes: they stay in request.body
};

// Since when a path exists: those that r0 had answer under r0 as well as under v3.
enum class Since { r0, later };

// Whom moderation keeps out. Client-server API, 'Account locking', 'Account suspension'.
enum class Barred {
  nobody,     // ending sessions stays open to all
  locked,     // what all but locked users may do
  suspended,  // and what suspended ones may not do either: what others get to see
};

// One request, authenticated and parsed.
struct Call {
  net::HttpRequest request;
  std::vector<std::string> parameters;                     // of the path, decoded, in the template's order
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  std::shared_ptr<Json> body;                              // an object; never null
  std::optional<Caller> caller;                            // Access::user
  ServerName origin;                                       // Access::server

  const std::string* query_value(std::string_view name) const;  // first one; null when absent
  std::vector<std::string> query_values(std::string_view name) const;
  // "rooms/%21r%3Aa.org/send/m.room.message" for ".../v3/rooms/!r:a.org/send/m.room.message/{txnId}": the scope of a
  // transaction id, the same under r0 and v3, its parameters percent-encoded. Empty for paths that do not end in
  // {txnId}.
  std::string transaction_path;
};

// 'Using access tokens': the header, or the deprecated query parameter. Errors: missing_token.
Result<std::string> access_token(const Call& call);

// The one answer; later ones do nothing. Move-only; dropped without an answer, it answers 500 M_UNKNOWN. Adds CORS
// headers on client paths.
class Reply {
 public:
  Reply(net::Responder responder, bool cors);
  Reply(Reply&& other) noexcept;
  Reply& operator=(Reply&& other) noexcept;
  ~Reply();

  void json(const Json& body, int status = 200);
  void text(std::string body, int status = 200);        // JSON text already made
  void raw(net::HttpResponse response);                 // any other content, with its Content-Type
  void error(const Error& error);                       // homeserver/matrix_error.cc says what it becomes
  void error(int status, const Json& body);             // UIA ... with their own members
  void limited(std::chrono::milliseconds retry_after);  // 429 M_LIMIT_EXCEEDED with retry_after_ms and Retry-After
  void result(const Result<Json>& result);

 private:
  void send(int status, std::string body, net::Headers headers = {});

  net::Responder responder_;
  bool cors_;
  bool open_ = true;
};

// The headers of 'Web Browser Clients'.
void add_cors_headers(net::Headers& headers);

using Handler = void (*)(Services&, Call, Reply);

struct Route {
  std::string_view method;
  std::string_view path;  // "/_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}"
  Handler handler;
  Access access;
  Pool pool;
  Body body;
  Since since = Since::r0;
  Barred barred = Barred::locked;
};

}  // namespace skerry::homeserver
