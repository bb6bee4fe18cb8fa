#include "tests/support/scripted_server.h"

#include <chrono>
#include <future>
#include <stdexcept>
#include <utility>

namespace skerry::test {

ScriptedServer::ScriptedServer(Handler handler) : handler_(std::move(handler)) { start(); }

ScriptedServer::~ScriptedServer() {
  stop();
  io_.stop();
}

void ScriptedServer::start() {
  net::HttpServerOptions options;
  options.listeners.push_back({"127.0.0.1", port_, {}});
  options.body_limit = [](const net::HttpRequest&) { return std::size_t{1'048'576}; };
  options.error_response = [](int status) { return net::HttpResponse{status, {}, "{}"}; };
  auto started =
      net::HttpServer::start(io_, std::move(options), [this](net::HttpRequest request, net::Responder responder) {
        {
          const std::lock_guard lock(mutex_);
          requests_.push_back(request);
        }
        handler_(request, std::move(responder));
      });
  if (!started) throw std::runtime_error(started.error().text);
  server_ = std::move(*started);
  port_ = server_->port(0);
}

void ScriptedServer::stop() {
  if (!server_) return;
  server_->stop(std::chrono::milliseconds(0));
  server_.reset();
  // Sockets are closed by tasks of the one Io thread: wait for them, so that the port is free again.
  std::promise<void> closed;
  io_.post([this, &closed] { io_.post([&closed] { closed.set_value(); }); });
  closed.get_future().wait();
}

std::vector<net::HttpRequest> ScriptedServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

}  // namespace skerry::test
