// A server and a client on 127.0.0.1 that trust the same throw-away authority; and a raw socket for what no client
// would send.
#pragma once

#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <poll.h>
#include <stdexcept>
#include <stdlib.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_client.h"
#include "net/http_server.h"

namespace skerry::net {

class Loopback {
 public:
  explicit Loopback(AddressPolicy policy = AddressPolicy::allow_all(), int threads = 2)
      : io_(threads),
        authority_(*CertificateAuthority::create("test", system_clock().now_ms(), 1)),
        resolver_(io_, {}) {
    char name[] = "/tmp/skerry-net-XXXXXX";
    if (mkdtemp(name) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
    std::ofstream(folder_ + "/ca.pem") << authority_.certificate_pem();
    HttpClientOptions options;
    options.trust = {false, {folder_ + "/ca.pem"}};
    options.policy = policy;
    client_ = std::make_unique<HttpClient>(io_, resolver_, options);
  }
  ~Loopback() {
    client_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::unique_ptr<HttpServer> serve(bool tls, HttpServer::Handler handler,
                                    const std::function<void(HttpServerOptions&)>& adjust = {},
                                    const std::vector<std::string>& names = {"server.test"}) {
    HttpServerOptions options;
    Listener listener{"127.0.0.1", 0, {}};
    if (tls) listener.tls = *authority_.issue(names, {"127.0.0.1"}, system_clock().now_ms(), 1);
    options.listeners = {listener};
    options.error_response = [](int status) { return HttpResponse{status, {}, "error " + std::to_string(status)}; };
    if (adjust) adjust(options);
    tls_ = tls;
    return std::move(*HttpServer::start(io_, std::move(options), std::move(handler)));
  }

  OutgoingRequest request(const HttpServer& server, const std::string& method, const std::string& target,
                          std::string body) const {
    OutgoingRequest made;
    made.endpoint = {"127.0.0.1", server.port(0), true, "server.test", "server.test"};
    made.endpoint.tls = tls_ || !client_;
    made.method = method;
    made.target = target;
    made.body = std::move(body);
    made.timeout = std::chrono::seconds(20);
    return made;
  }

  Io& io() { return io_; }
  const CertificateAuthority& authority() const { return authority_; }
  HttpClient& client() { return *client_; }
  void end_client() { client_.reset(); }

 private:
  Io io_;
  CertificateAuthority authority_;
  Resolver resolver_;
  std::unique_ptr<HttpClient> client_;
  std::string folder_;
  bool tls_ = true;
};

class RawSocket {
 public:
  // From 127.0.0.1, or from another address of this machine.
  explicit RawSocket(std::uint16_t port, const char* from = "127.0.0.1")
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = inet_addr(from);
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) throw std::runtime_error("bind");
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect");
  }
  ~RawSocket() { close(fd_); }
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;

  void write(std::string_view text) { (void)!send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  // Writes until nothing goes any more for a moment, or `most` bytes are gone; how many went.
  std::size_t write_until_full(std::size_t most) {
    const std::string block(65'536, 'x');
    std::size_t sent = 0;
    pollfd waiting{fd_, POLLOUT, 0};
    while (sent < most && poll(&waiting, 1, 300) == 1) {
      const ssize_t size = send(fd_, block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size > 0) sent += static_cast<std::size_t>(size);
      if (size < 0 && errno != EAGAIN) break;
    }
    return sent;
  }
  void end_writing() { shutdown(fd_, SHUT_WR); }
  // True when the peer ended the connection by a reset.
  bool is_reset() {
    pollfd waiting{fd_, POLLIN, 0};
    char byte = 0;
    return poll(&waiting, 1, 10'000) == 1 && recv(fd_, &byte, 1, 0) < 0 && errno == ECONNRESET;
  }
  // Whether anything came, an end too, before the time was over.
  bool has_news(std::chrono::milliseconds time) {
    pollfd waiting{fd_, POLLIN, 0};
    return poll(&waiting, 1, static_cast<int>(time.count())) == 1;
  }
  std::string read_until(const std::string& mark) {
    std::string text;
    while (text.find(mark) == std::string::npos && read_some(text)) {
    }
    return text;
  }
  std::string read_to_end() {
    std::string text;
    while (read_some(text)) {
    }
    return text;
  }

 private:
  bool read_some(std::string& text) {
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, 10'000) != 1) return false;
    char buffer[4'096];
    const ssize_t size = recv(fd_, buffer, sizeof buffer, 0);
    if (size <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(size));
    return true;
  }
  int fd_;
};

}  // namespace skerry::net
