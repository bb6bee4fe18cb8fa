#include <atomic>
#include <future>

#include <catch2/catch.hpp>

#include "net/http_client.h"
#include "net/http_server.h"
#include "tests/net/loopback.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::net;
using skerry::test::TemporaryFolder;
using skerry::test::write_file;

namespace {

void echo(HttpRequest request, Responder responder) {
  HttpResponse response;
  response.headers = {{"Content-Type", "text/plain"}};
  response.body = request.method + " " + request.target + " " + request.body;
  responder.respond(std::move(response));
}

}  // namespace

TEST_CASE("a request is answered over plain HTTP and the connection is kept") {
  Loopback loopback;
  auto server = loopback.serve(false, echo);
  for (int i = 0; i < 3; ++i) {
    auto answer = loopback.client().call(loopback.request(*server, "POST", "/a?b=c", "body"));
    REQUIRE(answer);
    CHECK(answer->status == 200);
    CHECK(answer->body == "POST /a?b=c body");
  }
}

TEST_CASE("a request is answered over HTTPS with a certificate that the client trusts") {
  Loopback loopback;
  auto server = loopback.serve(true, echo);
  auto answer = loopback.client().call(loopback.request(*server, "PUT", "/x", std::string(300'000, 'x')));
  REQUIRE(answer);
  CHECK(answer->body.size() == 300'000 + 7);
}

TEST_CASE("a certificate for another name is refused") {
  Loopback loopback;
  auto server = loopback.serve(true, echo);
  auto request = loopback.request(*server, "GET", "/", "");
  request.endpoint.tls_name = "elsewhere.test";
  auto answer = loopback.client().call(std::move(request));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::unreachable);
  CHECK_THAT(answer.error().text, Catch::Contains("certificate"));
}

TEST_CASE("a certificate of an unknown authority is refused") {
  Loopback loopback, other;
  auto server = other.serve(true, echo);
  auto answer = loopback.client().call(loopback.request(*server, "GET", "/", ""));
  REQUIRE_FALSE(answer);
  CHECK_THAT(answer.error().text, Catch::Contains("certificate"));
}

TEST_CASE("a dropped responder answers 500") {
  Loopback loopback;
  auto server = loopback.serve(false, [](HttpRequest, Responder) {});
  auto answer = loopback.client().call(loopback.request(*server, "GET", "/", ""));
  REQUIRE(answer);
  CHECK(answer->status == 500);
  CHECK(answer->body == "error 500");
}

TEST_CASE("a body over the limit is answered 413") {
  Loopback loopback;
  auto server = loopback.serve(
      false, echo, [](HttpServerOptions& options) { options.body_limit = [](const HttpRequest&) { return 100; }; });
  auto answer = loopback.client().call(loopback.request(*server, "POST", "/", std::string(101, 'x')));
  REQUIRE(answer);
  CHECK(answer->status == 413);
}

TEST_CASE("an answer over the limit is an error and so is none in time") {
  Loopback loopback;
  auto kept = std::make_shared<std::vector<Responder>>();
  auto server = loopback.serve(false, [kept](HttpRequest request, Responder responder) {
    if (request.target == "/silent") return kept->push_back(std::move(responder));
    HttpResponse response;
    response.body = std::string(5'000, 'x');
    responder.respond(std::move(response));
  });
  auto request = loopback.request(*server, "GET", "/large", "");
  request.max_response_bytes = 4'999;
  auto large = loopback.client().call(std::move(request));
  REQUIRE_FALSE(large);
  CHECK(large.error().code == ErrorCode::too_large);
  request = loopback.request(*server, "GET", "/silent", "");
  request.timeout = std::chrono::milliseconds(50);
  auto silent = loopback.client().call(std::move(request));
  REQUIRE_FALSE(silent);
  CHECK(silent.error().code == ErrorCode::timeout);
  kept->clear();
}

TEST_CASE("pipelined requests are answered in order and Expect is honoured") {
  Loopback loopback;
  auto server = loopback.serve(false, echo);
  RawSocket socket(server->port(0));
  socket.write("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string both = socket.read_until("GET /2 ");
  CHECK(both.find("GET /1 ") < both.find("GET /2 "));
  socket.write("POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK_THAT(socket.read_until("100 Continue\r\n\r\n"), Catch::Contains("HTTP/1.1 100"));
  socket.write("ok");
  CHECK_THAT(socket.read_until("POST /3 ok"), Catch::Contains("200 OK"));
}

TEST_CASE("malformed heads and heads that are too large are answered and end the connection") {
  Loopback loopback;
  auto server = loopback.serve(false, echo);
  RawSocket garbage(server->port(0));
  garbage.write("nonsense\r\n\r\n");
  CHECK_THAT(garbage.read_to_end(), Catch::StartsWith("HTTP/1.1 400"));
  RawSocket large(server->port(0));
  large.write("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
  CHECK_THAT(large.read_to_end(), Catch::StartsWith("HTTP/1.1 431"));
}

TEST_CASE("a request that comes too slowly is answered 408") {
  Loopback loopback;
  auto server = loopback.serve(false, echo, [](HttpServerOptions& options) {
    options.head_time = std::chrono::milliseconds(50);
    options.body_time = std::chrono::milliseconds(50);
  });
  RawSocket head(server->port(0));
  head.write("GET / HT");
  CHECK_THAT(head.read_to_end(), Catch::StartsWith("HTTP/1.1 408"));
  RawSocket body(server->port(0));
  body.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123");
  CHECK_THAT(body.read_to_end(), Catch::StartsWith("HTTP/1.1 408"));
}

TEST_CASE("answers may come from other threads and after the server stopped") {
  Loopback loopback;
  auto kept = std::make_shared<std::promise<Responder>>();
  auto got = kept->get_future();
  auto server =
      loopback.serve(false, [kept](HttpRequest, Responder responder) { kept->set_value(std::move(responder)); });
  loopback.client().send(loopback.request(*server, "GET", "/", ""), [](Result<HttpResponse>) {});
  Responder responder = got.get();
  server->stop(std::chrono::milliseconds(1));
  server.reset();
  responder.respond({});
}

TEST_CASE("pending requests are cancelled when the client ends") {
  Loopback loopback;
  auto kept = std::make_shared<std::vector<Responder>>();
  auto server =
      loopback.serve(false, [kept](HttpRequest, Responder responder) { kept->push_back(std::move(responder)); });
  auto result = std::make_shared<std::promise<Result<HttpResponse>>>();
  loopback.client().send(loopback.request(*server, "GET", "/", ""),
                         [result](Result<HttpResponse> r) { result->set_value(std::move(r)); });
  loopback.end_client();
  auto answer = result->get_future().get();
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::cancelled);
  kept->clear();
}

TEST_CASE("private addresses are refused unless allowed") {
  Loopback loopback(AddressPolicy{});
  auto server = loopback.serve(false, echo);
  auto answer = loopback.client().call(loopback.request(*server, "GET", "/", ""));
  REQUIRE_FALSE(answer);
  CHECK_THAT(answer.error().text, Catch::Contains("private"));
}

TEST_CASE("many requests at once hold no thread each") {
  Loopback loopback;
  auto server = loopback.serve(true, echo);
  std::promise<void> all;
  std::atomic<int> open = 300, good = 0;
  for (int i = 0; i < 300; ++i) {
    loopback.client().send(loopback.request(*server, "GET", "/", ""), [&](Result<HttpResponse> answer) {
      good += answer && answer->status == 200;
      if (--open == 0) all.set_value();
    });
  }
  all.get_future().get();
  CHECK(good == 300);
}

TEST_CASE("a file is sent with what stands before and behind it, and the connection is kept") {
  for (const bool tls : {false, true}) {
    Loopback loopback;
    TemporaryFolder folder;
    const std::string bytes = std::string(700'000, 'f') + "end";
    write_file(folder.path() + "/file", bytes);
    auto server = loopback.serve(tls, [&](const HttpRequest&, Responder responder) {
      HttpResponse response;
      response.body = "before ";
      response.file = FileBody::open(folder.path() + "/file").value();
      response.after_file = " behind";
      responder.respond(std::move(response));
    });
    for (int i = 0; i < 3; ++i) {
      auto answer = loopback.client().call(loopback.request(*server, "GET", "/", ""));
      REQUIRE(answer);
      CHECK(answer->body == "before " + bytes + " behind");
    }
    auto head = loopback.client().call(loopback.request(*server, "HEAD", "/", ""));
    REQUIRE(head);
    CHECK(head->body.empty());
    CHECK(find_header(head->headers, "Content-Length") == std::to_string(bytes.size() + 14));
    CHECK(server->connections() == 1);
  }
}

TEST_CASE("a file that is cut short while it is sent ends the connection, not the server") {
  Loopback loopback;
  TemporaryFolder folder;
  write_file(folder.path() + "/file", std::string(1'000, 'f'));
  auto server = loopback.serve(false, [&](const HttpRequest& request, Responder responder) {
    HttpResponse response;
    response.file = FileBody::open(folder.path() + "/file").value();
    if (request.target == "/cut") write_file(folder.path() + "/file", "short");
    responder.respond(std::move(response));
  });
  auto cut = loopback.client().call(loopback.request(*server, "GET", "/cut", ""));
  REQUIRE_FALSE(cut);
  CHECK(cut.error().code == ErrorCode::unreachable);
  CHECK(loopback.client().call(loopback.request(*server, "GET", "/", ""))->body == "short");
  CHECK_FALSE(FileBody::open(folder.path()));
  CHECK_FALSE(FileBody::open(folder.path() + "/none"));
}

TEST_CASE("a redirect leads to another path of the same place, or anywhere by https") {
  const Endpoint here{"here.test", 444, true, "here.test:444", "here.test"};
  const auto path = parse_location("/a?b=c#d", here);
  REQUIRE(path);
  CHECK(path->endpoint.connect_host == "here.test");
  CHECK(path->target == "/a?b=c");
  const auto other = parse_location("https://there.test:8443?x=y", here);
  REQUIRE(other);
  CHECK(other->endpoint.connect_host == "there.test");
  CHECK(other->endpoint.port == 8443);
  CHECK(other->target == "/?x=y");
  for (const char* bad : {"", "a", "//there.test/", "http://there.test/", "file:///etc/passwd", "https://",
                          "https://a b/", "/a\r\nX: y"}) {
    CHECK_FALSE(parse_location(bad, here));
  }
}
