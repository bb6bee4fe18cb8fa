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
#include "net/runtime.h"
#include "net/tls.h"

namespace skerry::net {

struct Listener {
  std::string address;             // literal IP
  std::uint16_t port = 0;          // 0: any free port, see HttpServer::port()
  std::optional<TlsIdentity> tls;  // absent: plain
};

struct HttpServerOptions {
  std::vector<Listener> listeners;
  // Largest body of a request, asked when its head is read. A larger one is answered 413, if it can before it is read.
  std::function<std::size_t(const HttpRequest& head)> body_limit;
  // The answers to what never reaches the handler: 400 malformed, 408 too slow, 413 body, 431 head, 503 too many large
  // bodies at once; and 500 to what the handler drops.
  std::function<HttpResponse(int status)> error_response;
  // When a listener has as many connections as it may, or the process nearly as many files, the one that is idle (no
  // request of it is being answered) longest makes room for a new one. More from one address are closed on arrival.
  std::size_t connections_per_listener = limits::connections_per_listener;
  std::size_t connections_per_address = limits::connections_per_address;  // 0: any number
  bool count_loopback = false;  // whether the limits per address hold for this machine: a proxy may stand there
  std::size_t bodies_bytes = limits::bodies_bytes;
  std::size_t bodies_bytes_per_address = limits::bodies_bytes_per_address;
  std::chrono::milliseconds idle_time = limits::connection_idle_time;
  std::chrono::milliseconds head_time = limits::request_head_time;
  std::chrono::milliseconds body_time = limits::request_body_time;
  std::chrono::milliseconds response_time = limits::response_time;
  const Clock* clock = &system_clock();  // for the Date of answers
};

// Keep-alive, pipelining in order, Expect: 100-continue, chunked requests, time limits of core/limits.h. Thread-safe.
class HttpServer {
 public:
  // On an Io thread; must not block. The Responder may be used on any thread at any time, also after stop().
  using Handler = std::function<void(HttpRequest, Responder)>;

  // Binds and listens on all listeners, or on none. Errors: storage with address and reason (in use, no such address,
  // bad certificate).
  static Result<std::unique_ptr<HttpServer>> start(Io& io, HttpServerOptions options, Handler handler);
  virtual ~HttpServer() = default;  // stop()
  virtual std::uint16_t port(std::size_t listener) const = 0;
  virtual std::size_t connections() const = 0;  // open now
  virtual std::size_t body_bytes() const = 0;   // what the bodies of requests hold together, now
  // Stops accepting and closes what waits; requests under way may end within `grace`; then all connections are closed.
  // Once it returns the handler is not called and does not run. Blocks; not from an Io thread.
  virtual void stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace skerry::net
