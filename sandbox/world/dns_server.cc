#include "sandbox/world/dns_server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t max_dns_connections = 64;
constexpr std::size_t datagrams_at_once = 64;
constexpr std::chrono::seconds connection_time{5};
constexpr int poll_ms = 1'000;
constexpr std::size_t prefix_bytes = 2;  // over TCP, a message comes behind its length

}  // namespace

struct DnsServer::Connection {
  Descriptor socket;
  std::string received;
  Steady::time_point expires;
};

Result<std::unique_ptr<DnsServer>> DnsServer::start(const std::string& address, Zone zone, NameJudge judge) {
  auto sockets = listen_udp_tcp(address, {53, 5353, 0});
  if (!sockets) return tl::make_unexpected(sockets.error());
  return std::unique_ptr<DnsServer>(new DnsServer(std::move(*sockets), std::move(zone), std::move(judge)));
}

DnsServer::DnsServer(UdpTcp sockets, Zone zone, NameJudge judge)
    : judge_(std::move(judge)),
      zone_(std::move(zone)),
      sockets_(std::move(sockets)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { run(); }) {}

DnsServer::~DnsServer() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

void DnsServer::set_zone(Zone zone) {
  std::scoped_lock lock(mutex_);
  zone_ = std::move(zone);
}

std::optional<std::string> DnsServer::answer(std::string_view query_untrusted) const {
  std::scoped_lock lock(mutex_);
  return answer_dns_query(query_untrusted, zone_, judge_);
}

void DnsServer::run() {
  while (true) {
    std::vector<pollfd> waiting = {
        {stop_.get(), POLLIN, 0}, {sockets_.udp.get(), POLLIN, 0}, {sockets_.tcp.get(), POLLIN, 0}};
    for (const Connection& connection : connections_) waiting.push_back({connection.socket.get(), POLLIN, 0});
    ::poll(waiting.data(), waiting.size(), connections_.empty() ? -1 : poll_ms);
    if (waiting[0].revents != 0) return;
    if (waiting[1].revents != 0) answer_datagrams();
    for (std::size_t i = connections_.size(); i-- > 0;) {
      const bool ended = waiting[3 + i].revents != 0 && !serve(connections_[i]);
      if (ended || connections_[i].expires < Steady::now()) {
        connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(i));
      }
    }
    if (waiting[2].revents != 0) accept_connections();
  }
}

void DnsServer::answer_datagrams() {
  std::array<char, dns_query_bytes + 1> buffer;
  for (std::size_t i = 0; i < datagrams_at_once; ++i) {
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    const ssize_t size =
        ::recvfrom(sockets_.udp.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&peer), &peer_size);
    if (size < 0) return;
    const auto answer = this->answer({buffer.data(), static_cast<std::size_t>(size)});
    if (!answer) continue;
    ::sendto(sockets_.udp.get(), answer->data(), answer->size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&peer),
             peer_size);
  }
}

void DnsServer::accept_connections() {
  Descriptor socket(::accept4(sockets_.tcp.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.open()) return;
  if (connections_.size() == max_dns_connections) connections_.erase(connections_.begin());
  connections_.push_back({std::move(socket), {}, Steady::now() + connection_time});
}

// False when the connection is to be closed: it ended, sent something unfit, or does not read its answers.
bool DnsServer::serve(Connection& connection) const {
  std::array<char, dns_query_bytes> buffer;
  const ssize_t size = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (size <= 0) return false;
  std::string& received = connection.received;
  received.append(buffer.data(), static_cast<std::size_t>(size));
  while (received.size() >= prefix_bytes) {
    const std::size_t length =
        static_cast<std::size_t>(static_cast<std::uint8_t>(received[0])) << 8 | static_cast<std::uint8_t>(received[1]);
    if (length > dns_query_bytes) return false;
    if (received.size() < prefix_bytes + length) break;
    const auto answer = this->answer(std::string_view(received).substr(prefix_bytes, length));
    if (!answer) return false;
    std::string framed;
    framed += static_cast<char>(answer->size() >> 8);
    framed += static_cast<char>(answer->size() & 0xff);
    framed += *answer;
    if (::send(connection.socket.get(), framed.data(), framed.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(framed.size())) {
      return false;
    }
    received.erase(0, prefix_bytes + length);
  }
  return true;
}

}  // namespace skerry::sandbox
