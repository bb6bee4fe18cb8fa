#include "net/relay.h"

#include <future>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/net/loopback.h"

using namespace skerry;
using namespace skerry::net;

namespace {

constexpr const char* simple_get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

void through(HttpRequest, Responder responder) { responder.respond({200, {}, "through"}); }

std::unique_ptr<TcpRelay> relay_to(Loopback& loopback, std::uint16_t port) {
  auto relay = TcpRelay::start(loopback.io(), "127.0.0.1", 0, "127.0.0.1", port);
  REQUIRE(relay);
  return std::move(*relay);
}

}  // namespace

TEST_CASE("a relay splices until it is cut and resets what is open") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  auto relay = relay_to(loopback, server->port(0));
  RawSocket open(relay->port());
  open.write(simple_get);
  CHECK_THAT(open.read_until("through"), Catch::Contains("200 OK"));
  SECTION("for everyone") { relay->set_cut(true); }
  SECTION("for one source") { relay->set_cut_source("127.0.0.1", true); }
  CHECK(open.is_reset());
  RawSocket later(relay->port());
  CHECK(later.is_reset());
  CHECK(relay->counters().refused_by_cut == 2);
  CHECK(relay->counters().accepted == 2);
  relay->set_cut(false);
  relay->set_cut_source("127.0.0.1", false);
  RawSocket healed(relay->port());
  healed.write(simple_get);
  CHECK_THAT(healed.read_until("through"), Catch::Contains("200 OK"));
}

TEST_CASE("cutting one source leaves others alone") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  auto relay = relay_to(loopback, server->port(0));
  RawSocket open(relay->port());
  open.write(simple_get);
  CHECK_THAT(open.read_until("through"), Catch::Contains("200 OK"));
  relay->set_cut_source("127.0.0.2", true);
  open.write(simple_get);
  CHECK_THAT(open.read_until("through"), Catch::Contains("200 OK"));
}

TEST_CASE("a relay whose target refuses resets the connection") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  const std::uint16_t port = server->port(0);
  server.reset();
  auto relay = relay_to(loopback, port);
  RawSocket socket(relay->port());
  CHECK(socket.is_reset());
}

TEST_CASE("a relay passes the end of one direction on and keeps the other") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  auto relay = relay_to(loopback, server->port(0));
  RawSocket socket(relay->port());
  socket.write(simple_get);
  socket.end_writing();
  CHECK_THAT(socket.read_to_end(), Catch::EndsWith("through"));
}

TEST_CASE("a relay carries TLS untouched") {
  Loopback loopback;
  auto server = loopback.serve(true, [](HttpRequest request, Responder responder) {
    responder.respond({200, {}, std::move(request.body)});
  });
  auto relay = relay_to(loopback, server->port(0));
  auto request = loopback.request(*server, "PUT", "/", std::string(1'000'000, 'x'));
  request.endpoint.port = relay->port();
  auto answer = loopback.client().call(std::move(request));
  REQUIRE(answer);
  CHECK(answer->body.size() == 1'000'000);
  CHECK(relay->counters().bytes > 2'000'000);
}

TEST_CASE("a relay takes no more than its target reads") {
  Loopback loopback;
  std::promise<Responder> handed;
  auto server =
      loopback.serve(false, [&](HttpRequest, Responder responder) { handed.set_value(std::move(responder)); });
  auto relay = relay_to(loopback, server->port(0));
  RawSocket socket(relay->port());
  socket.write(simple_get);
  Responder responder = handed.get_future().get();  // until it answers the server reads no further
  const std::size_t sent = socket.write_until_full(64 * 1'048'576);
  CHECK(sent < 48 * 1'048'576);  // the kernel's buffers on the way, of which the relay has no part
  CHECK(relay->counters().bytes < 48 * 1'048'576);
}

TEST_CASE("a port in use is told with the place and an ended relay frees it") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  auto taken = TcpRelay::start(loopback.io(), "127.0.0.1", server->port(0), "127.0.0.1", 1);
  REQUIRE_FALSE(taken);
  CHECK_THAT(taken.error().text, Catch::Contains("127.0.0.1:" + std::to_string(server->port(0))));
  CHECK_FALSE(TcpRelay::start(loopback.io(), "nowhere", 0, "127.0.0.1", 1));
  CHECK_FALSE(TcpRelay::start(loopback.io(), "127.0.0.1", 0, "nowhere", 1));
  auto relay = relay_to(loopback, server->port(0));
  const std::uint16_t port = relay->port();
  relay.reset();
  CHECK(TcpRelay::start(loopback.io(), "127.0.0.1", port, "127.0.0.1", server->port(0)));
}
