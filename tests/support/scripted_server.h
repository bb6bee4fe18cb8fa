// A real HTTP server on 127.0.0.1 whose answers a test writes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/http_server.h"
#include "net/io.h"

namespace skerry::test {

class ScriptedServer {
 public:
  // Runs on an Io thread; the responder may be kept and answered later.
  using Handler = std::function<void(const net::HttpRequest&, net::Responder)>;

  // Listens on a free port. Throws when that fails.
  explicit ScriptedServer(Handler handler);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  net::Io& io() { return io_; }
  // Goes away, and comes back on the same port.
  void stop();
  void start();
  // All requests so far, in order. Thread-safe.
  std::vector<net::HttpRequest> requests() const;

 private:
  Handler handler_;
  net::Io io_{1};
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<net::HttpRequest> requests_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace skerry::test
