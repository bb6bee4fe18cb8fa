// Bytes that another server answers, over loopback: the client takes them for an answer or says why not, within its
// bounds.
#include <arpa/inet.h>
#include <mutex>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include "net/http_client.h"
#include "tests/fuzz/fuzz.h"

using namespace skerry;
using skerry::test::must_hold;

namespace {

constexpr std::size_t most_bytes = 4'096;

// Answers every request with the same bytes and closes.
class Peer {
 public:
  Peer() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof place;
    must_hold(::bind(listener_, reinterpret_cast<const sockaddr*>(&place), length) == 0 &&
                  ::listen(listener_, 64) == 0 &&
                  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&place), &length) == 0,
              "the peer listens");
    port_ = ntohs(place.sin_port);
    std::thread([this] { serve(); }).detach();
  }
  std::uint16_t port() const { return port_; }
  void answer_with(std::string_view bytes) {
    std::scoped_lock lock(mutex_);
    bytes_ = bytes;
  }

 private:
  void serve() {
    for (;;) {
      const int fd = ::accept(listener_, nullptr, nullptr);
      if (fd < 0) continue;
      char request[4'096];
      (void)!::recv(fd, request, sizeof request, 0);
      std::string bytes;
      {
        std::scoped_lock lock(mutex_);
        bytes = bytes_;
      }
      (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ::shutdown(fd, SHUT_WR);
      while (::recv(fd, request, sizeof request, 0) > 0) {
      }
      const linger at_once{1, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      ::close(fd);
    }
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::string bytes_;
};

struct World {
  net::Io io{1};
  net::Resolver resolver{io, {}};
  net::HttpClient client{io, resolver, options()};
  Peer peer;

  static net::HttpClientOptions options() {
    net::HttpClientOptions made;
    made.trust.system_store = false;
    made.policy = net::AddressPolicy::allow_all();
    return made;
  }
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* world = new World;
  world->peer.answer_with(test::text_of(data, size));
  net::OutgoingRequest request;
  request.endpoint.connect_host = "127.0.0.1";
  request.endpoint.port = world->peer.port();
  request.endpoint.tls = false;
  request.endpoint.host_header = "peer.test";
  request.max_response_bytes = most_bytes;
  const auto answer = world->client.call(std::move(request));
  if (!answer) return 0;
  must_hold(answer->status >= 200 && answer->status <= 999, "an answer has a final status");
  must_hold(answer->body.size() <= most_bytes, "an answer is bounded");
  for (const auto& [name, value] : answer->headers) {
    must_hold(value.find_first_of("\r\n") == std::string::npos, "a header is one line");
  }
  return 0;
}
