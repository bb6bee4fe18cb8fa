#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "net/http_server.h"
#include "net/worker_pool.h"
#include "tests/net/loopback.h"
#include "tests/support/processes.h"

using namespace skerry;
using namespace skerry::net;
using namespace std::chrono_literals;

namespace {

void echo(HttpRequest request, Responder responder) {
  responder.respond({200, {}, request.method + " " + request.target + " " + request.body});
}

constexpr const char* simple_get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("a chunked body arrives whole and one over the limit is answered 413") {
  Loopback loopback;
  auto server =
      loopback.serve(false, echo, [](auto& options) { options.body_limit = [](const HttpRequest&) { return 10; }; });
  const std::string head = "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  RawSocket good(server->port(0));
  good.write(head + "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
  CHECK_THAT(good.read_until("abcdefg"), Catch::Contains("POST /c abcdefg"));
  RawSocket large(server->port(0));
  large.write(head + "8\r\n01234567\r\n8\r\n01234567\r\n0\r\n\r\n");
  CHECK_THAT(large.read_to_end(), Catch::StartsWith("HTTP/1.1 413"));
}

TEST_CASE("100 Continue is not said to a body that is too large") {
  Loopback loopback;
  auto server =
      loopback.serve(false, echo, [](auto& options) { options.body_limit = [](const HttpRequest&) { return 10; }; });
  RawSocket socket(server->port(0));
  socket.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n");
  const std::string answer = socket.read_until("error 413");
  CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 413"));
  CHECK_THAT(answer, Catch::Contains("Connection: close"));
}

TEST_CASE("an answer to HEAD has the length of the body and no body") {
  Loopback loopback;
  auto server = loopback.serve(false, [](HttpRequest, Responder responder) { responder.respond({200, {}, "12345"}); });
  RawSocket socket(server->port(0));
  socket.write("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const std::string answer = socket.read_to_end();
  CHECK_THAT(answer, Catch::Contains("Content-Length: 5\r\n"));
  CHECK_THAT(answer, Catch::EndsWith("\r\n\r\n"));
}

TEST_CASE("handlers cannot break the framing of their answers") {
  Loopback loopback;
  auto server = loopback.serve(false, [](HttpRequest request, Responder responder) {
    if (request.target == "/none") return responder.respond({204, {}, ""});
    responder.respond({200, {{"content-length", "1"}, {"X-Bad", "a\r\nX-Injected: b"}, {"X-Good", "c"}}, "12345"});
  });
  RawSocket socket(server->port(0));
  socket.write(simple_get);
  const std::string answer = socket.read_until("12345");
  CHECK_THAT(answer, Catch::Contains("Content-Length: 5\r\n"));
  CHECK_THAT(answer, !Catch::Contains("content-length"));
  CHECK_THAT(answer, !Catch::Contains("X-Injected"));
  CHECK_THAT(answer, Catch::Contains("X-Good: c\r\n"));
  socket.write("GET /none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK_THAT(socket.read_to_end(), !Catch::Contains("Content-Length"));
}

TEST_CASE("requests that frame their body twice are refused") {
  Loopback loopback;
  auto server = loopback.serve(false, echo);
  for (const std::string framing :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n",
        "Content-Length: -1\r\n", "Content-Length: 99999999999999999999\r\n"}) {
    CAPTURE(framing);
    RawSocket socket(server->port(0));
    socket.write("POST / HTTP/1.1\r\nHost: a\r\n" + framing + "\r\n0\r\n\r\n");
    CHECK_THAT(socket.read_to_end(), Catch::StartsWith("HTTP/1.1 400"));
  }
}

TEST_CASE("a connection on which nothing comes is closed without an answer") {
  Loopback loopback;
  auto server = loopback.serve(false, echo, [](auto& options) { options.idle_time = 50ms; });
  RawSocket fresh(server->port(0));
  CHECK(fresh.read_to_end().empty());
  RawSocket used(server->port(0));
  used.write(simple_get);
  CHECK_THAT(used.read_to_end(), Catch::EndsWith("GET / "));
}

TEST_CASE("a head that comes byte by byte is answered 408 all the same") {
  Loopback loopback;
  auto server = loopback.serve(false, echo, [](auto& options) { options.head_time = 150ms; });
  // Many, so that the time of some ends just when a byte comes.
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (int i = 0; i < 50; ++i) sockets.push_back(std::make_unique<RawSocket>(server->port(0)));
  std::atomic<bool> answered = false;
  std::thread slowly([&] {
    for (const char c : std::string("GET / HTTP/1.1\r\nX: ") + std::string(15'000, 'x')) {
      if (answered) return;
      for (const auto& socket : sockets) socket->write(std::string_view(&c, 1));
      std::this_thread::sleep_for(1ms);  // the peer's slowness is what is tested
    }
  });
  std::vector<std::string> answers;
  for (const auto& socket : sockets) answers.push_back(socket->read_until("error 408"));
  answered = true;
  slowly.join();
  for (const std::string& answer : answers) CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 408"));
}

TEST_CASE("a time limit of one request does not strike the next") {
  Loopback loopback;
  auto server = loopback.serve(
      false,
      [&loopback, kept = std::make_shared<std::vector<Scheduler::Handle>>()](HttpRequest, Responder responder) {
        auto shared = std::make_shared<Responder>(std::move(responder));
        kept->push_back(loopback.io().after(150ms, [shared] { shared->respond({200, {}, "late"}); }));
      },
      [](auto& options) { options.head_time = 50ms; });
  RawSocket socket(server->port(0));
  for (int i = 0; i < 3; ++i) {
    socket.write(simple_get);
    CHECK_THAT(socket.read_until("late"), Catch::StartsWith("HTTP/1.1 200"));
  }
}

TEST_CASE("a handler that throws is answered 500 and does not keep the server from stopping") {
  Loopback loopback;
  auto server = loopback.serve(false, [](HttpRequest, Responder) { throw std::runtime_error("of a test"); });
  RawSocket socket(server->port(0));
  socket.write(simple_get);
  CHECK_THAT(socket.read_until("error 500"), Catch::StartsWith("HTTP/1.1 500"));
  server->stop(1ms);
}

TEST_CASE("stopping waits for requests under way but neither for idle connections nor for new requests") {
  Loopback loopback;
  std::promise<Responder> handed;
  auto server =
      loopback.serve(false, [&handed](HttpRequest, Responder responder) { handed.set_value(std::move(responder)); });
  RawSocket busy(server->port(0)), idle(server->port(0));
  busy.write(simple_get);
  Responder responder = handed.get_future().get();
  REQUIRE(test::eventually([&] { return server->connections() == 2; }));  // one that is not accepted yet is reset
  std::thread stopping([&] { server->stop(30s); });
  CHECK(idle.read_to_end().empty());
  busy.write(simple_get);  // comes after the stop began
  responder.respond({200, {}, "at last"});
  stopping.join();
  const std::string answer = busy.read_to_end();
  CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 200"));
  CHECK_THAT(answer, Catch::EndsWith("at last"));
}

TEST_CASE("a stopped server listens no more and its port is free") {
  Loopback loopback;
  auto server = loopback.serve(false, echo);
  const std::uint16_t port = server->port(0);
  server->stop(0ms);
  CHECK_THROWS(RawSocket(port));
  auto next = loopback.serve(false, echo, [&](auto& options) { options.listeners[0].port = port; });
  RawSocket socket(port);
  socket.write(simple_get);
  CHECK_THAT(socket.read_until("GET / "), Catch::StartsWith("HTTP/1.1 200"));
}

TEST_CASE("a port in use and a bad certificate are told with the place") {
  Loopback loopback;
  auto server = loopback.serve(false, echo);
  HttpServerOptions options;
  options.listeners = {{"127.0.0.1", server->port(0), {}}};
  auto taken = HttpServer::start(loopback.io(), options, echo);
  REQUIRE_FALSE(taken);
  CHECK(taken.error().code == ErrorCode::storage);
  CHECK_THAT(taken.error().text, Catch::Contains("127.0.0.1:" + std::to_string(server->port(0))));
  auto identity = *loopback.authority().issue({"a.test"}, {}, system_clock().now_ms(), 1);
  identity.key_pem = loopback.authority().key_pem();
  options.listeners = {{"127.0.0.1", 0, identity}};
  auto bad = HttpServer::start(loopback.io(), options, echo);
  REQUIRE_FALSE(bad);
  CHECK_THAT(bad.error().text, Catch::Contains("key"));
}

TEST_CASE("others are served while a thousand connections wait") {
  Loopback loopback;
  auto kept = std::make_shared<std::vector<Responder>>();
  std::mutex mutex;
  auto server = loopback.serve(false, [&, kept](HttpRequest request, Responder responder) {
    if (request.target != "/wait") return echo(std::move(request), std::move(responder));
    std::scoped_lock lock(mutex);
    kept->push_back(std::move(responder));
  });
  std::vector<std::unique_ptr<RawSocket>> waiting;
  for (int i = 0; i < 1'000; ++i) {
    waiting.push_back(std::make_unique<RawSocket>(server->port(0)));
    if (i % 2 == 0) waiting.back()->write("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
  }
  for (int i = 0; i < 20; ++i) {
    auto answer = loopback.client().call(loopback.request(*server, "GET", "/now", ""));
    REQUIRE(answer);
    CHECK(answer->body == "GET /now ");
  }
  for (std::size_t waits = 0; waits < 500; std::this_thread::yield()) {
    std::scoped_lock lock(mutex);
    waits = kept->size();
  }
  for (Responder& responder : *kept) responder.respond({200, {}, "woken"});
  int woken = 0;
  for (int i = 0; i < 1'000; i += 2) woken += waiting[i]->read_until("woken").ends_with("woken");
  CHECK(woken == 500);
}

TEST_CASE("answers of twenty megabytes reach slow readers whole") {
  Loopback loopback;
  const std::size_t size = 20'000'000;
  auto server = loopback.serve(GENERATE(false, true), [&](HttpRequest, Responder responder) {
    responder.respond({200, {}, std::string(size, 'x')});
  });
  auto request = loopback.request(*server, "GET", "/", "");
  request.max_response_bytes = size;
  auto answer = loopback.client().call(std::move(request));
  REQUIRE(answer);
  CHECK(answer->body.size() == size);
}

TEST_CASE("a responder may outlive the server and its Io") {
  auto io = std::make_unique<Io>(1);
  std::promise<Responder> handed;
  HttpServerOptions options;
  options.listeners = {{"127.0.0.1", 0, {}}};
  auto server = HttpServer::start(*io, options,
                                  [&](HttpRequest, Responder responder) { handed.set_value(std::move(responder)); });
  REQUIRE(server);
  RawSocket socket((*server)->port(0));
  socket.write(simple_get);
  Responder responder = handed.get_future().get();
  server->reset();
  io.reset();
  responder.respond({});
}

TEST_CASE("many threads answer at once while the server stops") {
  Loopback loopback;
  WorkerPool pool("answers", 4, 10'000);
  auto server = loopback.serve(false, [&](HttpRequest request, Responder responder) {
    auto shared = std::make_shared<std::pair<HttpRequest, Responder>>(std::move(request), std::move(responder));
    pool.post([shared] { echo(std::move(shared->first), std::move(shared->second)); });
  });
  std::atomic<int> ended = 0;
  for (int i = 0; i < 200; ++i) {
    loopback.client().send(loopback.request(*server, "GET", "/" + std::to_string(i), ""),
                           [&](Result<HttpResponse>) { ++ended; });
  }
  server->stop(0ms);
  loopback.end_client();
  CHECK(ended == 200);
}
