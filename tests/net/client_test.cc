#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>

#include <catch2/catch.hpp>

#include "net/http_client.h"
#include "tests/net/fake_dns.h"
#include "tests/net/loopback.h"

using namespace skerry;
using namespace skerry::net;
using namespace std::chrono_literals;

namespace {

void hello(HttpRequest, Responder responder) { responder.respond({200, {}, "hello"}); }

// A server that answers each request as it is told and then does with the connection what no good server would.
class RawServer {
 public:
  // Answers the `n`th request over all connections; an empty answer leaves the connection silent, "hang up" ends it.
  using Answer = std::function<std::string(int n)>;
  RawServer(Answer answer, bool close_after) : answer_(std::move(answer)), close_after_(close_after) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(fd_, 16) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no port");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~RawServer() {
    stopping_ = true;
    thread_.join();
    for (const int fd : open_) close(fd);
    close(fd_);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  std::uint16_t port() const { return port_; }
  int requests() const { return requests_; }
  int connections() const { return connections_; }
  int closed() const { return closed_; }

 private:
  void run() {
    while (!stopping_) {
      std::vector<pollfd> fds{{fd_, POLLIN, 0}};
      for (const int fd : open_) fds.push_back({fd, POLLIN, 0});
      poll(fds.data(), fds.size(), 20);
      for (std::size_t i = 1; i < fds.size(); ++i) {
        if (fds[i].revents != 0) serve(fds[i].fd);
      }
      if (fds[0].revents != 0) {
        open_.push_back(accept(fd_, nullptr, nullptr));
        ++connections_;
      }
    }
  }
  void serve(int fd) {
    char buffer[8'192];
    const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
    const std::string answer = size > 0 ? answer_(requests_++) : "";
    const bool hang_up = answer == "hang up";
    if (!answer.empty() && !hang_up) (void)!send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    if (size > 0 && !hang_up && (answer.empty() || !close_after_)) return;
    close(fd);
    std::erase(open_, fd);
    ++closed_;
  }

  const Answer answer_;
  const bool close_after_;
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::vector<int> open_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> requests_ = 0, connections_ = 0, closed_ = 0;
  std::thread thread_;
};

OutgoingRequest plain_request(std::uint16_t port, const std::string& method = "GET") {
  OutgoingRequest request;
  request.endpoint = {"127.0.0.1", port, false, "server.test", "server.test"};
  request.method = method;
  request.timeout = 10s;
  return request;
}

const std::string kept_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("redirects are answers like others") {
  Loopback loopback;
  auto server = loopback.serve(false, [](HttpRequest, Responder responder) {
    responder.respond({302, {{"Location", "/elsewhere"}}, ""});
  });
  auto answer = loopback.client().call(loopback.request(*server, "GET", "/", ""));
  REQUIRE(answer);
  CHECK(answer->status == 302);
  CHECK(find_header(answer->headers, "location") == "/elsewhere");
}

TEST_CASE("a certificate that expired is refused") {
  Loopback loopback;
  auto server = loopback.serve(true, hello, [&](HttpServerOptions& options) {
    const std::int64_t long_ago = system_clock().now_ms() - 10ll * 86'400'000;
    options.listeners[0].tls = *loopback.authority().issue({"server.test"}, {}, long_ago, 1);
  });
  auto answer = loopback.client().call(loopback.request(*server, "GET", "/", ""));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::unreachable);
  CHECK_THAT(answer.error().text, Catch::Contains("certificate verify failed: certificate has expired"));
}

TEST_CASE("a certificate may carry an address instead of a name") {
  Loopback loopback;
  auto server = loopback.serve(true, hello);
  auto request = loopback.request(*server, "GET", "/", "");
  request.endpoint.tls_name = "127.0.0.1";
  CHECK(loopback.client().call(request));
  request.endpoint.tls_name = "127.0.0.2";
  auto other = loopback.client().call(request);
  REQUIRE_FALSE(other);
  CHECK_THAT(other.error().text, Catch::Contains("certificate verify failed"));
}

TEST_CASE("a name in a certificate's subject alone is not enough") {
  Loopback loopback;
  auto server = loopback.serve(true, hello, [&](HttpServerOptions& options) {
    // Its subject says 127.0.0.9, too, but as an address it is no DNS name.
    options.listeners[0].tls = *loopback.authority().issue({}, {"127.0.0.9"}, system_clock().now_ms(), 1);
  });
  auto request = loopback.request(*server, "GET", "/", "");
  request.endpoint.tls_name = "server.test";
  CHECK_FALSE(loopback.client().call(request));
}

TEST_CASE("errors say where and how") {
  Loopback loopback;
  auto server = loopback.serve(false, hello);
  const std::uint16_t port = server->port(0);
  server.reset();
  auto refused = loopback.client().call(plain_request(port));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::unreachable);
  CHECK(refused.error().text == "127.0.0.1:" + std::to_string(port) + ": connection refused");

  RawServer silent([](int) { return std::string(); }, false);
  auto request = plain_request(silent.port());
  request.timeout = 50ms;
  auto late = loopback.client().call(request);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == ErrorCode::timeout);
  CHECK_THAT(late.error().text, Catch::Contains("waiting for the answer"));
  request.endpoint.tls = true;
  late = loopback.client().call(request);
  REQUIRE_FALSE(late);
  CHECK_THAT(late.error().text, Catch::Contains("TLS handshake"));
}

TEST_CASE("nonsense and answers without end are errors") {
  Loopback loopback;
  for (const std::string text :
       {"nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1", "HTTP/1.1 200 OK\r\n"}) {
    CAPTURE(text);
    RawServer server([&](int) { return text; }, true);
    auto answer = loopback.client().call(plain_request(server.port()));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ErrorCode::unreachable);
  }
  RawServer interim(
      [](int) {
        std::string text;
        for (int i = 0; i < 100; ++i) text += "HTTP/1.1 103 Early\r\n\r\n";
        return text + kept_answer;
      },
      false);
  CHECK_FALSE(loopback.client().call(plain_request(interim.port())));
  RawServer large([](int) { return "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n"; }, true);
  CHECK_FALSE(loopback.client().call(plain_request(large.port())));
}

TEST_CASE("100 Continue comes before the answer and an answer may end with the connection") {
  Loopback loopback;
  RawServer server([](int) { return std::string("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nto the end"); },
                   true);
  auto answer = loopback.client().call(plain_request(server.port()));
  REQUIRE(answer);
  CHECK(answer->body == "to the end");
}

TEST_CASE("a chunked answer over the limit is too large") {
  Loopback loopback;
  RawServer server(
      [](int) {
        return std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n0\r\n\r\n");
      },
      false);
  auto request = plain_request(server.port());
  CHECK(loopback.client().call(request)->body == "12345678");
  request.max_response_bytes = 7;
  auto answer = loopback.client().call(request);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::too_large);
}

TEST_CASE("connections are kept and one that the server closed is not used again") {
  Loopback loopback;
  SECTION("kept") {
    RawServer server([](int) { return kept_answer; }, false);
    for (int i = 0; i < 3; ++i) CHECK(loopback.client().call(plain_request(server.port())));
    CHECK(server.connections() == 1);
  }
  SECTION("closed") {
    RawServer server([](int) { return kept_answer; }, true);
    for (int i = 1; i <= 3; ++i) {
      CHECK(loopback.client().call(plain_request(server.port(), "POST")));
      while (server.closed() < i) std::this_thread::yield();
    }
    CHECK(server.connections() == 3);
  }
}

TEST_CASE("only idempotent requests are repeated when a kept connection ends under them") {
  Loopback loopback;
  RawServer server([](int n) { return n == 1 ? std::string("hang up") : kept_answer; }, false);
  REQUIRE(loopback.client().call(plain_request(server.port())));
  SECTION("GET") {
    CHECK(loopback.client().call(plain_request(server.port())));
    CHECK(server.requests() == 3);
  }
  SECTION("POST") {
    CHECK_FALSE(loopback.client().call(plain_request(server.port(), "POST")));
    CHECK(server.requests() == 2);
  }
}

TEST_CASE("requests that would smuggle others are not sent") {
  Loopback loopback;
  auto server = loopback.serve(false, hello);
  auto request = plain_request(server->port(0));
  request.target = "/ HTTP/1.1\r\nHost: b\r\n\r\nGET /";
  CHECK_FALSE(loopback.client().call(request));
  request.target = "/";
  request.endpoint.host_header = "a\r\nX: y";
  CHECK_FALSE(loopback.client().call(request));
}

TEST_CASE("outgoing connections come from the address that was asked for") {
  Io io(1);
  Resolver resolver(io, {});
  HttpClientOptions options;
  options.policy = AddressPolicy::allow_all();
  options.bind_address = "127.0.0.77";
  Loopback loopback;
  std::promise<std::string> peer;
  auto server = loopback.serve(false, [&](HttpRequest request, Responder responder) {
    peer.set_value(request.peer_address);
    responder.respond({});
  });
  HttpClient client(io, resolver, options);
  CHECK(client.call(plain_request(server->port(0))));
  CHECK(peer.get_future().get() == "127.0.0.77");
}

TEST_CASE("the next address is tried when one does not answer") {
  Loopback loopback;
  auto server = loopback.serve(false, hello);
  FakeDns dns([](const std::string&, std::uint16_t type) {
    FakeDns::Answer answer;
    if (type == dns_a) answer.record_data = {FakeDns::a("127.0.0.99"), FakeDns::a("127.0.0.1")};
    return answer;
  });
  Io io(1);
  ResolverOptions resolver_options;
  resolver_options.servers = {dns.place()};
  Resolver resolver(io, resolver_options);
  HttpClientOptions options;
  SECTION("because it refuses") { options.policy = AddressPolicy::allow_all(); }
  SECTION("because it may not be called") { options.policy = *AddressPolicy::make({"127.0.0.1/32"}); }
  HttpClient client(io, resolver, options);
  auto request = plain_request(server->port(0));
  request.endpoint.connect_host = "server.test";
  auto answer = client.call(request);
  REQUIRE(answer);
  CHECK(answer->body == "hello");
}

TEST_CASE("a closed client ends what is pending once and refuses the rest") {
  Loopback loopback;
  RawServer silent([](int) { return std::string(); }, false);
  std::atomic<int> cancelled = 0, called = 0;
  const auto count = [&](Result<HttpResponse> answer) {
    ++called;
    cancelled += !answer && answer.error().code == ErrorCode::cancelled;
  };
  for (int i = 0; i < 100; ++i) loopback.client().send(plain_request(silent.port()), count);
  loopback.client().close();
  CHECK(called == 100);
  CHECK(cancelled == 100);
  loopback.client().send(plain_request(silent.port()), count);
  CHECK(cancelled == 101);
  loopback.client().close();
  CHECK(called == 101);
}

TEST_CASE("URLs are taken apart strictly") {
  auto good = parse_url("https://example.org/_matrix/");
  REQUIRE(good);
  CHECK(good->endpoint.connect_host == "example.org");
  CHECK(good->endpoint.port == 443);
  CHECK(good->endpoint.tls);
  CHECK(good->base_path == "/_matrix");
  auto literal = parse_url("http://[::1]:8008");
  REQUIRE(literal);
  CHECK(literal->endpoint.connect_host == "::1");
  CHECK(literal->endpoint.port == 8008);
  CHECK_FALSE(literal->endpoint.tls);
  CHECK(literal->endpoint.host_header == "[::1]:8008");
  for (const char* url : {"", "example.org", "ftp://example.org", "http://", "http://:80", "http://a:0",
                          "http://a:65536", "http://a:", "http://a:8x", "http://u@a", "http://a?b", "http://a/#c",
                          "http://[::1", "http://[a]", "http://::1", "http://a b", "http://a\r\nb", "http://a/b c"}) {
    CAPTURE(url);
    CHECK_FALSE(parse_url(url));
  }
  CHECK_FALSE(parse_url(std::string_view("http://[::1\0\r\n]", 15)));
}
