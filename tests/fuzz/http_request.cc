// Bytes that reach a listener of ours, over loopback: whatever comes, each answer is an HTTP answer, and the connection
// ends.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_server.h"
#include "tests/fuzz/fuzz.h"

using namespace skerry;
using skerry::test::must_hold;

namespace {

struct World {
  net::Io io{1};
  std::unique_ptr<net::HttpServer> server;

  World() {
    net::HttpServerOptions options;
    net::Listener listener;
    listener.address = "127.0.0.1";
    options.listeners.push_back(std::move(listener));
    options.body_limit = [](const net::HttpRequest&) { return std::size_t{4'096}; };
    auto started =
        net::HttpServer::start(io, std::move(options), [](net::HttpRequest request, net::Responder responder) {
          must_hold(request.body.size() <= 4'096, "bodies are bounded");
          (void)net::parse_query(net::split_target(request.target).query);
          net::HttpResponse response;
          response.headers.emplace_back("X-Method", request.method);
          response.body = std::move(request.body);
          responder.respond(std::move(response));
        });
    must_hold(started.has_value(), "a listener opens");
    server = std::move(*started);
  }
};

// -1 when a signal came in between (libFuzzer's timer), or the system has no connection to give just now.
int try_to_connect(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof yes);
  // From many addresses in turn: whoever ends a connection first keeps its port for a minute, so that those of one
  // address run out.
  static std::uint32_t connections = 0;
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + connections++ % 250);
  must_hold(::bind(fd, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0, "loopback has 127.0.0.0/8");
  place.sin_port = htons(port);
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0) return fd;
  ::close(fd);
  return -1;
}

int connect_to(std::uint16_t port) {
  for (int i = 0; i < 50; ++i) {
    if (const int fd = try_to_connect(port); fd >= 0) return fd;
    ::usleep(100'000);
  }
  must_hold(false, "the listener accepts");
  return -1;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* world = new World;
  const int fd = connect_to(world->server->port(0));
  (void)!::send(fd, data, size, MSG_NOSIGNAL);
  ::shutdown(fd, SHUT_WR);
  std::string answer;
  char piece[4'096];
  for (ssize_t got = 0; (got = TEMP_FAILURE_RETRY(::recv(fd, piece, sizeof piece, 0))) > 0;)
    answer.append(piece, static_cast<std::size_t>(got));
  ::close(fd);
  must_hold(answer.empty() || answer.starts_with("HTTP/1.1 "), "an answer is an HTTP answer");
  return 0;
}
