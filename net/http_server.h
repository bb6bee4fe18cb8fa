// HTTP and HTTPS listeners.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "core/result.h"
#include "net/http.h"
#include "net/io.h"
#include "net/tls.h"

namespace skerry::net {

struct Listener {
  std::string address;             // literal IP
  std::uint16_t port = 0;          // 0: any free port, see HttpServer::port()
  std::optional<TlsIdentity> tls;  // absent: plain
};

struct HttpServerOptions {
  std::vector<Listener> listeners;
  // Largest body of a request, asked when its head is read. A larger one is answered by `too_large`.
  std::function<std::size_t(const HttpRequest& head)> body_limit;
  // The answers to what never reaches the handler: 400 malformed head, 408 too slow, 413 body, 431 head, 503 too many
  // connections.
  std::function<HttpResponse(int status)> error_response;
  std::size_t connections_per_listener = limits::connections_per_listener;
  std::chrono::milliseconds idle_time = limits::connection_idle_time;
  std::chrono::milliseconds head_time = limits::request_head_time;
  std::chrono::milliseconds body_time = limits::request_body_time;
  std::chrono::milliseconds response_time = limits::response_time;
};

// Keep-alive, pipelining in order, Expect: 100-continue, chunked requests, time limits of core/limits.h. Thread-safe.
class HttpServer {
 public:
  using Handler = std::function<void(HttpRequest, Responder)>;  // on an Io thread; must not block

  // Binds and listens on all listeners, or on none. Errors: storage with address and reason (in use, no such address,
  // bad certificate).
  static Result<std::unique_ptr<HttpServer>> start(Io& io, HttpServerOptions options, Handler handler);
  virtual ~HttpServer() = default;  // stop()
  virtual std::uint16_t port(std::size_t listener) const = 0;
  // Stops accepting; requests under way may end within `grace`; then all connections are closed. Blocks; not from an Io
  // thread.
  virtual void stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace skerry::net
