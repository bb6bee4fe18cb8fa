#include "net/relay.h"

#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

#include "tests/net/loopback.h"

using namespace skerry;
using namespace skerry::net;

namespace {

constexpr const char* simple_get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

void through(HttpRequest, Responder responder) { responder.respond({200, {}, "through"}); }

// A policy that tests change under way.
class Rules {
 public:
  ConnectionRules judge(const std::string& source) {
    std::scoped_lock lock(mutex_);
    return concerned_.empty() || concerned_ == source ? rules_ : ConnectionRules{};
  }
  void set(ConnectionRules rules, const std::string& concerned = "") {
    std::scoped_lock lock(mutex_);
    rules_ = std::move(rules);
    concerned_ = concerned;
  }

 private:
  std::mutex mutex_;
  ConnectionRules rules_;
  std::string concerned_;
};

std::unique_ptr<TcpRelay> relay_to(Loopback& loopback, std::uint16_t port,
                                   const std::shared_ptr<Rules>& rules = std::make_shared<Rules>()) {
  auto relay = TcpRelay::start(loopback.io(), "127.0.0.1", 0, "127.0.0.1", port,
                               [rules](const std::string& source) { return rules->judge(source); });
  REQUIRE(relay);
  return std::move(*relay);
}

ConnectionRules fate(ConnectionRules::Fate what, std::shared_ptr<Tally> tally) {
  ConnectionRules rules;
  rules.fate = what;
  rules.tallies = {std::move(tally)};
  return rules;
}

std::chrono::milliseconds time_of(const std::function<void()>& task) {
  const auto began = std::chrono::steady_clock::now();
  task();
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
}

}  // namespace

TEST_CASE("a relay splices until its policy refuses and resets what is open") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  auto rules = std::make_shared<Rules>();
  auto relay = relay_to(loopback, server->port(0), rules);
  RawSocket open(relay->port());
  open.write(simple_get);
  CHECK_THAT(open.read_until("through"), Catch::Contains("200 OK"));
  const auto tally = std::make_shared<Tally>();
  SECTION("everyone") { rules->set(fate(ConnectionRules::Fate::refused, tally)); }
  SECTION("one source") { rules->set(fate(ConnectionRules::Fate::refused, tally), "127.0.0.1"); }
  relay->reconsider();
  CHECK(open.is_reset());
  RawSocket later(relay->port());
  CHECK(later.is_reset());
  CHECK(tally->connections == 2);
  CHECK(relay->accepted() == 2);
  rules->set({});
  relay->reconsider();
  RawSocket healed(relay->port());
  healed.write(simple_get);
  CHECK_THAT(healed.read_until("through"), Catch::Contains("200 OK"));
}

TEST_CASE("refusing one source leaves others alone") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  auto rules = std::make_shared<Rules>();
  auto relay = relay_to(loopback, server->port(0), rules);
  RawSocket open(relay->port());
  open.write(simple_get);
  CHECK_THAT(open.read_until("through"), Catch::Contains("200 OK"));
  rules->set(fate(ConnectionRules::Fate::refused, std::make_shared<Tally>()), "127.0.0.2");
  relay->reconsider();
  open.write(simple_get);
  CHECK_THAT(open.read_until("through"), Catch::Contains("200 OK"));
}

TEST_CASE("a connection that is to be reset with its first bytes lives until they come") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  auto rules = std::make_shared<Rules>();
  const auto tally = std::make_shared<Tally>();
  rules->set(fate(ConnectionRules::Fate::reset, tally));
  auto relay = relay_to(loopback, server->port(0), rules);
  RawSocket socket(relay->port());
  CHECK_FALSE(socket.has_news(std::chrono::milliseconds(50)));
  CHECK(tally->connections == 0);
  SECTION("and is reset then") {
    socket.write(simple_get);
    CHECK(socket.is_reset());
    CHECK(tally->connections == 1);
  }
  SECTION("and goes on when the policy has changed by then") {
    rules->set({});
    relay->reconsider();
    socket.write(simple_get);
    CHECK_THAT(socket.read_until("through"), Catch::Contains("200 OK"));
    CHECK(tally->connections == 0);
  }
}

TEST_CASE("stalled bytes and ends wait and go on in order when the stall is over") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  auto rules = std::make_shared<Rules>();
  auto relay = relay_to(loopback, server->port(0), rules);
  RawSocket socket(relay->port());
  socket.write(simple_get);
  CHECK_THAT(socket.read_until("through"), Catch::Contains("200 OK"));
  const auto tally = std::make_shared<Tally>();
  ConnectionRules stall;
  stall.to_target.stalled = true;
  stall.to_target.tallies = {tally};
  rules->set(stall);
  relay->reconsider();
  socket.write("GET / HTT");
  CHECK_FALSE(socket.has_news(std::chrono::milliseconds(50)));
  socket.write("P/1.1\r\nHost: a\r\n\r\n");
  socket.end_writing();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (tally->bytes < std::string(simple_get).size() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK_FALSE(socket.has_news(std::chrono::milliseconds(50)));
  CHECK(tally->connections == 1);
  rules->set({});
  relay->reconsider();
  CHECK_THAT(socket.read_to_end(), Catch::Contains("200 OK"));
  CHECK(tally->bytes == std::string(simple_get).size());
}

TEST_CASE("latency and jitter delay each way and keep the order") {
  Loopback loopback;
  auto server = loopback.serve(
      false,
      [](HttpRequest request, Responder responder) {
        responder.respond({200, {}, std::move(request.body)});
      },
      [](HttpServerOptions& options) {
        options.body_limit = [](const HttpRequest&) { return std::size_t{4'000'000}; };
      });
  auto rules = std::make_shared<Rules>();
  const auto tally = std::make_shared<Tally>();
  ConnectionRules late;
  late.to_target.latency = std::chrono::milliseconds(60);
  late.to_target.jitter = std::chrono::milliseconds(40);
  late.to_target.tallies = {tally};
  late.from_target.latency = std::chrono::milliseconds(70);
  rules->set(late);
  auto relay = relay_to(loopback, server->port(0), rules);
  std::string body;
  for (int i = 0; i < 200'000; ++i) body += std::to_string(i) + ",";  // more than may wait at once
  auto request = loopback.request(*server, "PUT", "/", body);
  request.endpoint.port = relay->port();
  request.endpoint.tls = false;
  Result<HttpResponse> answer;
  const auto took = time_of([&] { answer = loopback.client().call(std::move(request)); });
  REQUIRE(answer);
  CHECK((answer->body == body));
  CHECK(took >= std::chrono::milliseconds(130));
  CHECK(tally->connections == 1);
  CHECK(tally->bytes > body.size());
}

TEST_CASE("a rate holds a connection back from the moment it is set") {
  Loopback loopback;
  auto server = loopback.serve(false, [](HttpRequest request, Responder responder) {
    responder.respond({200, {}, std::move(request.body)});
  });
  auto rules = std::make_shared<Rules>();
  auto relay = relay_to(loopback, server->port(0), rules);
  const auto put = [&](std::size_t bytes) {
    auto request = loopback.request(*server, "PUT", "/", std::string(bytes, 'x'));
    request.endpoint.port = relay->port();
    request.endpoint.tls = false;
    CHECK(loopback.client().call(std::move(request)));
  };
  put(1);  // the connection is kept
  ConnectionRules slow;
  slow.to_target.bytes_per_second = 200'000;
  rules->set(slow);
  relay->reconsider();
  const auto took = time_of([&] { put(60'000); });
  CHECK(took >= std::chrono::milliseconds(250));
  CHECK(relay->accepted() == 1);
}

TEST_CASE("another can answer in the place of the target until the policy lets through again") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  auto other = loopback.serve(false, [](HttpRequest, Responder responder) { responder.respond({503, {}, "other"}); });
  auto rules = std::make_shared<Rules>();
  auto relay = relay_to(loopback, server->port(0), rules);
  RawSocket open(relay->port());
  open.write(simple_get);
  CHECK_THAT(open.read_until("through"), Catch::Contains("200 OK"));
  const auto tally = std::make_shared<Tally>();
  ConnectionRules replaced;
  replaced.instead = ConnectionRules::Place{"127.0.0.1", other->port(0)};
  replaced.tallies = {tally};
  rules->set(replaced);
  relay->reconsider();
  CHECK(open.is_reset());
  RawSocket answered(relay->port());
  answered.write(simple_get);
  CHECK_THAT(answered.read_until("other"), Catch::Contains("503"));
  CHECK(tally->connections == 2);
  rules->set({});
  relay->reconsider();
  CHECK(answered.is_reset());
  RawSocket healed(relay->port());
  healed.write(simple_get);
  CHECK_THAT(healed.read_until("through"), Catch::Contains("200 OK"));
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
  CHECK(relay->bytes() > 2'000'000);
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
  CHECK(relay->bytes() < 48 * 1'048'576);
}

TEST_CASE("a port in use is told with the place and an ended relay frees it") {
  Loopback loopback;
  auto server = loopback.serve(false, through);
  const auto all_pass = [](const std::string&) { return ConnectionRules{}; };
  auto taken = TcpRelay::start(loopback.io(), "127.0.0.1", server->port(0), "127.0.0.1", 1, all_pass);
  REQUIRE_FALSE(taken);
  CHECK_THAT(taken.error().text, Catch::Contains("127.0.0.1:" + std::to_string(server->port(0))));
  CHECK_FALSE(TcpRelay::start(loopback.io(), "nowhere", 0, "127.0.0.1", 1, all_pass));
  CHECK_FALSE(TcpRelay::start(loopback.io(), "127.0.0.1", 0, "nowhere", 1, all_pass));
  auto relay = relay_to(loopback, server->port(0));
  const std::uint16_t port = relay->port();
  relay.reset();
  CHECK(TcpRelay::start(loopback.io(), "127.0.0.1", port, "127.0.0.1", server->port(0), all_pass));
}
