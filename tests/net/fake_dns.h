// A DNS server on 127.0.0.1 that says what a test wants, and counts what it was asked.
#pragma once

#include <arpa/inet.h>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace skerry::net {

constexpr std::uint16_t dns_a = 1, dns_aaaa = 28, dns_srv = 33;

class FakeDns {
 public:
  struct Answer {
    std::uint8_t rcode = 0;                // 3: no such name
    std::vector<std::string> record_data;  // of the type asked for; none: NODATA
    std::uint32_t ttl_s = 60;
    std::optional<std::string> raw;  // instead of all the above, after the id
  };
  // Nothing: silence.
  using Say = std::function<std::optional<Answer>(const std::string& name, std::uint16_t type)>;

  explicit FakeDns(Say say) : say_(std::move(say)), fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no port for DNS");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~FakeDns() {
    stopping_ = true;
    thread_.join();
    close(fd_);
  }
  FakeDns(const FakeDns&) = delete;
  FakeDns& operator=(const FakeDns&) = delete;

  std::string place() const { return "127.0.0.1:" + std::to_string(port_); }
  int asked(const std::string& name, std::uint16_t type) {
    std::scoped_lock lock(mutex_);
    return asked_[{name, type}];
  }

  static std::string number(std::uint32_t value, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i) & 0xff);
    return text;
  }
  static std::string name_bytes(const std::string& name) {
    std::string text;
    for (std::size_t at = 0; at < name.size();) {
      const auto dot = std::min(name.find('.', at), name.size());
      text += static_cast<char>(dot - at);
      text += name.substr(at, dot - at);
      at = dot + 1;
    }
    return text + '\0';
  }
  static std::string a(const char* address) {
    in_addr bytes{};
    inet_pton(AF_INET, address, &bytes);
    return std::string(reinterpret_cast<const char*>(&bytes), 4);
  }
  static std::string aaaa(const char* address) {
    in6_addr bytes{};
    inet_pton(AF_INET6, address, &bytes);
    return std::string(reinterpret_cast<const char*>(&bytes), 16);
  }
  static std::string srv(std::uint16_t priority, std::uint16_t weight, std::uint16_t port, const std::string& host) {
    return number(priority, 2) + number(weight, 2) + number(port, 2) + name_bytes(host);
  }

 private:
  void run() {
    while (!stopping_) {
      pollfd waiting{fd_, POLLIN, 0};
      if (poll(&waiting, 1, 20) != 1) continue;
      char buffer[1'500];
      sockaddr_in from{};
      socklen_t from_size = sizeof from;
      const ssize_t size = recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &from_size);
      if (size < 17) continue;
      const std::string answer = answer_to(std::string(buffer, static_cast<std::size_t>(size)));
      if (!answer.empty()) {
        sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), from_size);
      }
    }
  }

  std::string answer_to(const std::string& query) {
    std::string name;
    std::size_t at = 12;
    while (query.at(at) != 0) {
      const auto length = static_cast<std::size_t>(query[at]);
      name += (name.empty() ? "" : ".") + query.substr(at + 1, length);
      at += length + 1;
    }
    const auto type = static_cast<std::uint16_t>(static_cast<unsigned char>(query.at(at + 2)));
    const std::string question = query.substr(12, at + 5 - 12);
    {
      std::scoped_lock lock(mutex_);
      ++asked_[{name, type}];
    }
    const auto said = say_(name, type);
    if (!said) return "";
    if (said->raw) return query.substr(0, 2) + *said->raw;
    std::string answer = query.substr(0, 2) + number(0x8180u | said->rcode, 2) + number(1, 2) +
                         number(static_cast<std::uint32_t>(said->record_data.size()), 2) + number(0, 4) + question;
    for (const std::string& data : said->record_data) {
      answer += number(0xc00c, 2) + number(type, 2) + number(1, 2) + number(said->ttl_s, 4) +
                number(static_cast<std::uint32_t>(data.size()), 2) + data;
    }
    return answer;
  }

  const Say say_;
  const int fd_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::map<std::pair<std::string, std::uint16_t>, int> asked_;
  std::thread thread_;
};

}  // namespace skerry::net
