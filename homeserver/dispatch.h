// From an HTTP request to its handler: finds the row of the route table, authenticates, parses the body, and runs the
// handler on the row's pool.
#pragma once

#include <memory>

#include "homeserver/route.h"
#include "homeserver/services.h"

namespace skerry::homeserver {

// Thread-safe. Must outlive the HTTP server that calls it.
class Dispatcher {
 public:
  explicit Dispatcher(Services& services);
  ~Dispatcher();

  // Answers every request. On an Io thread; does not block.
  void handle(net::HttpRequest request, net::Responder responder);

  // The largest body that the request's path takes, in bytes.
  std::size_t body_limit(const net::HttpRequest& head) const;
  // The answer to a request that never became one: 400, 408, 413, 431, 500, 503.
  static net::HttpResponse error_response(int status);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
