// How many requests, how long, where to, and when not at all.
#include <atomic>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/federation/internet.h"

using namespace skerry;
using namespace skerry::federation;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Asking {
  Internet internet;
  Discovery discovery{internet.http(), internet.resolver(), internet.clock(), internet.discovery_options()};
  ServerName us = test::server("us.net.test");
  FederationClient client{
      internet.http(), discovery, internet.clock(), us, test::key_of(us), {milliseconds(1'000), milliseconds(8'000)}};
  ~Asking() { internet.stop(); }

  static FederationRequest request(const ServerName& server, milliseconds timeout = seconds(20)) {
    FederationRequest made;
    made.destination = server;
    made.target = "/x";
    made.timeout = timeout;
    return made;
  }
  Waited<Result<Json>> begin(FederationRequest request) {
    Waited<Result<Json>> waited;
    client.send(std::move(request),
                [give = waited.giver()](Result<Json> answer, const RemoteFailure&) { give(std::move(answer)); });
    return waited;
  }
  // "ok", or the error's text.
  std::string ask(const ServerName& server) {
    auto answer = client.call(request(server));
    return answer ? "ok" : answer.error().text;
  }
};

const net::HttpResponse fine{200, {}, "{}"};

}  // namespace

TEST_CASE("eight requests at a time go to one server and the others wait in their order") {
  Asking asking;
  Held held;
  std::vector<std::string> order;
  std::mutex mutex;
  auto peer = asking.internet.serve({"a.net.test"}, [&](net::HttpRequest request, net::Responder responder) {
    {
      std::scoped_lock lock(mutex);
      order.push_back(request.target);
    }
    held.hold(std::move(responder));
  });
  const ServerName name = name_of(*peer);
  std::vector<Waited<Result<Json>>> all;
  for (int i = 0; i < 72; ++i) {
    auto request = Asking::request(name);
    request.target = "/" + std::to_string(i);
    all.push_back(asking.begin(request));
  }
  REQUIRE(held.wait(8));
  auto refused = asking.begin(Asking::request(name));
  CHECK_THAT(refused.get().error().text, Catch::Contains("too many requests"));
  for (int round = 0; round < 9; ++round) {
    REQUIRE(held.wait(8));
    CHECK(held.count() == 8);
    held.answer_all(fine);
  }
  for (auto& one : all) CHECK(one.get());
  REQUIRE(order.size() == 72);
  for (int round = 0; round < 9; ++round) {
    std::set<std::string> expected, seen;
    for (int i = 8 * round; i < 8 * round + 8; ++i) {
      expected.insert("/" + std::to_string(i));
      seen.insert(order[static_cast<std::size_t>(i)]);
    }
    CHECK(seen == expected);
  }
}

TEST_CASE("who waits behind a request that gets no answer is told at once") {
  Asking asking;
  Held held;
  auto peer = asking.internet.serve(
      {"a.net.test"}, [&](net::HttpRequest, net::Responder responder) { held.hold(std::move(responder)); });
  const ServerName name = name_of(*peer);
  std::vector<Waited<Result<Json>>> slow;
  for (int i = 0; i < 8; ++i) slow.push_back(asking.begin(Asking::request(name, milliseconds(i == 0 ? 200 : 20'000))));
  auto behind = asking.begin(Asking::request(name));
  CHECK(slow[0].get().error().code == ErrorCode::timeout);
  CHECK(behind.get().error().code == ErrorCode::unreachable);
  held.answer_all(fine);
}

TEST_CASE("the time spent waiting for a place counts") {
  Asking asking;
  Held held;
  std::atomic<int> asked = 0;
  auto peer = asking.internet.serve({"a.net.test"}, [&](net::HttpRequest, net::Responder responder) {
    ++asked;
    held.hold(std::move(responder));
  });
  const ServerName name = name_of(*peer);
  std::vector<Waited<Result<Json>>> slow;
  for (int i = 0; i < 8; ++i) slow.push_back(asking.begin(Asking::request(name)));
  REQUIRE(held.wait(8));
  auto late = asking.begin(Asking::request(name, milliseconds(1)));
  const auto passed = std::chrono::steady_clock::now() + milliseconds(5);
  while (std::chrono::steady_clock::now() < passed) std::this_thread::yield();
  held.answer_all(fine);
  CHECK(late.get().error().code == ErrorCode::timeout);
  CHECK(asked == 8);
}

TEST_CASE("a destination's backoff doubles up to its bound and ends with an answer") {
  Asking asking;
  std::atomic<bool> gateway_only = true;
  std::atomic<int> asked = 0;
  auto peer = asking.internet.serve({"a.net.test"}, [&](net::HttpRequest, net::Responder responder) {
    ++asked;
    responder.respond(gateway_only ? net::HttpResponse{502, {}, "bad gateway"} : fine);
  });
  const ServerName name = name_of(*peer);
  int expected = 0;
  for (const int wait_ms : {1'000, 2'000, 4'000, 8'000, 8'000}) {
    CHECK_THAT(asking.ask(name), Catch::Contains("502"));
    CHECK(asked == ++expected);
    asking.internet.clock().advance(milliseconds(wait_ms - 1));
    CHECK_THAT(asking.ask(name), Catch::Contains("not asked again yet"));
    CHECK(asked == expected);
    asking.internet.clock().advance(milliseconds(1));
  }
  gateway_only = false;
  CHECK(asking.ask(name) == "ok");
  gateway_only = true;
  CHECK_THAT(asking.ask(name), Catch::Contains("502"));
  asking.internet.clock().advance(seconds(1));
  CHECK_THAT(asking.ask(name), Catch::Contains("502"));  // from the start again
  auto urgent = Asking::request(name);
  urgent.ignore_backoff = true;
  gateway_only = false;
  CHECK(asking.client.call(urgent));
}

TEST_CASE("a refusal is an answer and begins no backoff") {
  Asking asking;
  for (const int status : {302, 400, 401, 403, 404, 429, 500}) {
    auto peer = asking.internet.serve({"a.net.test"}, [status](net::HttpRequest, net::Responder responder) {
      responder.respond({status, {{"Location", "https://elsewhere.net.test/"}}, "{}"});
    });
    CHECK_THAT(asking.ask(name_of(*peer)), Catch::Contains(std::to_string(status)));
    CHECK_THAT(asking.ask(name_of(*peer)), Catch::Contains(std::to_string(status)));
  }
}

TEST_CASE("every place that SRV names is tried and the certificate is for the server's own name") {
  Asking asking;
  std::atomic<int> at_liar = 0;
  std::string host;
  auto liar = asking.internet.serve({"liar.net.test"}, [&](net::HttpRequest, net::Responder responder) {
    ++at_liar;
    responder.respond(fine);
  });
  auto good = asking.internet.serve({"b.net.test"}, [&](net::HttpRequest request, net::Responder responder) {
    host = net::find_header(request.headers, "Host").value_or("");
    responder.respond(fine);
  });
  asking.internet.srv("_matrix-fed._tcp.b.net.test", "nobody.net.test", 1, 1);
  asking.internet.srv("_matrix-fed._tcp.b.net.test", "liar.net.test", liar->port(0), 2);
  asking.internet.srv("_matrix-fed._tcp.b.net.test", "hs.net.test", good->port(0), 3);
  CHECK(asking.ask(test::server("b.net.test")) == "ok");
  CHECK(at_liar == 0);
  CHECK(host == "b.net.test");
}

TEST_CASE("a server that moved is found again by the request that missed it") {
  Asking asking;
  const auto answer = [](net::HttpRequest, net::Responder responder) { responder.respond(fine); };
  auto before = asking.internet.serve({"hs.net.test"}, answer);
  asking.internet.well_known("c.net.test", "hs.net.test:" + std::to_string(before->port(0)));
  CHECK(asking.ask(test::server("c.net.test")) == "ok");
  auto after = asking.internet.serve({"hs.net.test"}, answer);
  before.reset();
  asking.internet.well_known("c.net.test", "hs.net.test:" + std::to_string(after->port(0)));
  CHECK(asking.ask(test::server("c.net.test")) == "ok");
  after.reset();
  CHECK_THAT(asking.ask(test::server("c.net.test")), Catch::Contains("refused"));
  CHECK(asking.internet.web_asked("c.net.test") == 3);
}

TEST_CASE("answers that are too large or no JSON are errors and no silence") {
  Asking asking;
  std::string body;
  auto peer = asking.internet.serve({"a.net.test"}, [&](net::HttpRequest, net::Responder responder) {
    responder.respond({200, {}, body});
  });
  for (const char* text : {"", "nonsense", "{", "\xff"}) {
    body = text;
    auto answer = asking.client.call(Asking::request(name_of(*peer)));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ErrorCode::not_json);
  }
  body = std::string(100'000, ' ') + "{}";
  auto request = Asking::request(name_of(*peer));
  request.max_response_bytes = 10'000;
  auto answer = asking.client.call(request);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::too_large);
  body = "{}";
  CHECK(asking.ask(name_of(*peer)) == "ok");
}

TEST_CASE("this server does not ask itself") {
  Asking asking;
  CHECK_THAT(asking.ask(asking.us), Catch::Contains("does not ask itself"));
}
