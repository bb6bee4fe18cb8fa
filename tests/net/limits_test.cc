// What a server does when there is too much of everything.
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/net/loopback.h"

using namespace skerry;
using namespace skerry::net;
using namespace std::chrono_literals;

namespace {

constexpr const char* simple_get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

void echo(HttpRequest request, Responder responder) {
  responder.respond({200, {}, request.method + " " + request.target + " " + std::to_string(request.body.size())});
}

bool is_served(RawSocket& socket) {
  socket.write(simple_get);
  return socket.read_until("GET / 0").starts_with("HTTP/1.1 200");
}

// Keeps what asks for /wait waiting.
struct Patience {
  HttpServer::Handler handler() {
    return [this](HttpRequest request, Responder responder) {
      if (request.target != "/wait") return echo(std::move(request), std::move(responder));
      std::scoped_lock lock(mutex);
      waiting.push_back(std::move(responder));
    };
  }
  bool wait_for(std::size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    for (;; std::this_thread::yield()) {
      std::scoped_lock lock(mutex);
      if (waiting.size() >= count) return true;
      if (std::chrono::steady_clock::now() > deadline) return false;
    }
  }
  void end() {
    std::scoped_lock lock(mutex);
    for (Responder& responder : waiting) responder.respond({200, {}, "woken"});
    waiting.clear();
  }
  std::mutex mutex;
  std::vector<Responder> waiting;
};

std::string post_of(std::size_t bytes) {
  return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(bytes) + "\r\n\r\n";
}

}  // namespace

TEST_CASE("the connection that is idle longest makes room for a new one") {
  Loopback loopback(AddressPolicy::allow_all(), 1);  // one thread: the server knows of an answer's end before the next
  auto server = loopback.serve(false, echo, [](auto& options) { options.connections_per_listener = 2; });
  RawSocket first(server->port(0));
  RawSocket second(server->port(0));
  REQUIRE(is_served(first));
  REQUIRE(is_served(second));
  REQUIRE(is_served(first));  // so that the second is idle longer
  RawSocket third(server->port(0));
  CHECK(is_served(third));
  CHECK(second.read_to_end().empty());
  CHECK(is_served(first));
}

TEST_CASE("a connection whose request is being answered is never closed for a new one") {
  Loopback loopback;
  Patience patience;
  auto server = loopback.serve(false, patience.handler(), [](auto& options) { options.connections_per_listener = 2; });
  RawSocket first(server->port(0));
  RawSocket second(server->port(0));
  for (RawSocket* socket : {&first, &second}) socket->write("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  REQUIRE(patience.wait_for(2));
  RawSocket refused(server->port(0));
  CHECK(refused.read_to_end().empty());
  patience.end();
  for (RawSocket* socket : {&first, &second}) CHECK_THAT(socket->read_until("woken"), Catch::EndsWith("woken"));
  RawSocket next(server->port(0));
  CHECK(is_served(next));
}

TEST_CASE("one address has so many connections and no more, and others have theirs") {
  Loopback loopback;
  auto server = loopback.serve(false, echo, [](auto& options) {
    options.connections_per_address = 3;
    options.count_loopback = true;
  });
  std::vector<std::unique_ptr<RawSocket>> flood;
  for (int i = 0; i < 3; ++i) {
    flood.push_back(std::make_unique<RawSocket>(server->port(0)));
    REQUIRE(is_served(*flood.back()));
  }
  RawSocket one_too_many(server->port(0));
  CHECK(one_too_many.read_to_end().empty());
  RawSocket other(server->port(0), "127.0.0.2");
  CHECK(is_served(other));
  flood.clear();
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  bool served = false;
  while (!served && std::chrono::steady_clock::now() < deadline) {
    RawSocket again(server->port(0));
    served = is_served(again);
  }
  CHECK(served);
}

TEST_CASE("this machine's own connections count only where that is wanted") {
  Loopback loopback;
  auto server = loopback.serve(false, echo, [](auto& options) { options.connections_per_address = 1; });
  RawSocket first(server->port(0));
  RawSocket second(server->port(0));
  CHECK(is_served(second));
  CHECK(is_served(first));
  CHECK(server->connections() == 2);
}

TEST_CASE("a flood of connections that send nothing does not shut others out") {
  Loopback loopback;
  auto server = loopback.serve(false, echo, [](auto& options) { options.connections_per_listener = 100; });
  std::vector<std::unique_ptr<RawSocket>> flood;
  for (int i = 0; i < 1'000; ++i) {
    flood.push_back(std::make_unique<RawSocket>(server->port(0)));
    if (i % 2 == 0) flood.back()->write("GET / HTTP/1.1\r\nX: slo");  // and nothing more for a long time
    if (i % 100 == 0) {
      RawSocket honest(server->port(0));
      CHECK(is_served(honest));
    }
  }
  CHECK(server->connections() < 200);
}

TEST_CASE("what bodies hold together is bounded and small ones go on") {
  Loopback loopback;
  const std::size_t large = 1'000'000;
  auto server = loopback.serve(false, echo, [](auto& options) {
    options.body_limit = [](const HttpRequest&) { return std::size_t{4'000'000}; };
    options.bodies_bytes = 3'000'000;
  });
  std::vector<std::unique_ptr<RawSocket>> slow;
  for (int i = 0; i < 2; ++i) {
    slow.push_back(std::make_unique<RawSocket>(server->port(0)));
    slow.back()->write(post_of(large + 1) + std::string(large, 'x'));  // the last byte stays away
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (server->body_bytes() < 2 * large && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  {
    RawSocket last(server->port(0));
    last.write(post_of(2 * large) + std::string(2 * large, 'x'));
    CHECK_THAT(last.read_until("error 503"), Catch::StartsWith("HTTP/1.1 503"));
  }
  RawSocket small(server->port(0));
  small.write(post_of(60'000) + std::string(60'000, 'x'));
  CHECK_THAT(small.read_until("POST / 60000"), Catch::StartsWith("HTTP/1.1 200"));
  for (auto& socket : slow) {
    socket->write("x");
    CHECK_THAT(socket->read_until("POST / 1000001"), Catch::StartsWith("HTTP/1.1 200"));
  }
  RawSocket now(server->port(0));
  now.write(post_of(2 * large) + std::string(2 * large, 'x'));
  CHECK_THAT(now.read_until("POST / 2000000"), Catch::StartsWith("HTTP/1.1 200"));
}

TEST_CASE("one address holds a share of the memory for bodies") {
  Loopback loopback;
  auto server = loopback.serve(false, echo, [](auto& options) {
    options.body_limit = [](const HttpRequest&) { return std::size_t{4'000'000}; };
    options.bodies_bytes_per_address = 1'000'000;
    options.count_loopback = true;
  });
  RawSocket greedy(server->port(0));
  greedy.write(post_of(900'001) + std::string(900'000, 'x'));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (server->body_bytes() < 900'000 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  RawSocket more(server->port(0));
  more.write(post_of(900'000) + std::string(900'000, 'x'));
  CHECK_THAT(more.read_until("error 503"), Catch::StartsWith("HTTP/1.1 503"));
  RawSocket other(server->port(0), "127.0.0.2");
  other.write(post_of(900'000) + std::string(900'000, 'x'));
  CHECK_THAT(other.read_until("POST / 900000"), Catch::StartsWith("HTTP/1.1 200"));
}
