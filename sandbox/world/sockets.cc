#include "sandbox/world/sockets.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "sandbox/world/layout.h"

namespace skerry::sandbox {

namespace {

constexpr int backlog = 128;

sockaddr_in ip_address(const std::string& address, std::uint16_t port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &place.sin_addr);
  return place;
}

// Bound, and for TCP listening too; closed when that fails.
Descriptor bind_ip(int type, const std::string& address, std::uint16_t port) {
  Descriptor socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  if (type == SOCK_STREAM) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in place = ip_address(address, port);
  const bool bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0 &&
                     (type != SOCK_STREAM || ::listen(socket.get(), backlog) == 0);
  return bound ? std::move(socket) : Descriptor();
}

std::uint16_t port_of(const Descriptor& socket) {
  sockaddr_in place{};
  socklen_t size = sizeof place;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&place), &size);
  return ntohs(place.sin_port);
}

// The socket's name by way of its opened folder: sun_path holds 107 bytes only.
struct UnixName {
  Descriptor folder;
  sockaddr_un address{};
};

Result<UnixName> unix_name(const std::string& path) {
  const auto slash = path.rfind('/');
  UnixName name;
  name.folder = Descriptor(::open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!name.folder.open()) return tl::make_unexpected(system_error(path));
  const std::string text = "/proc/self/fd/" + std::to_string(name.folder.get()) + path.substr(slash);
  name.address.sun_family = AF_UNIX;
  if (text.size() >= sizeof name.address.sun_path) return fail(ErrorCode::storage, path + ": the name is too long");
  std::memcpy(name.address.sun_path, text.data(), text.size());
  return name;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() { return std::exchange(fd_, -1); }

void Descriptor::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Error system_error(const std::string& what) {
  return {ErrorCode::storage, what + ": " + std::string(std::strerror(errno))};
}

Result<Slot> take_slot(int preferred) {
  const auto take = [](int number) {
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const std::string text = "skerry-slot-" + std::to_string(number);
    std::memcpy(name.sun_path + 1, text.data(), text.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0 ? std::move(socket) : Descriptor();
  };
  for (int number = preferred > 0 && preferred <= max_slot ? 0 : 1; number <= max_slot; ++number) {
    const int tried = number == 0 ? preferred : number;
    if (Descriptor held = take(tried); held.open()) return Slot{tried, std::move(held)};
  }
  return fail(ErrorCode::storage, "no free address range in 127.0.0.0/8: " + std::to_string(max_slot) +
                                      " sandboxes are running on this machine");
}

bool can_listen(const std::string& address, std::uint16_t port) { return bind_ip(SOCK_STREAM, address, port).open(); }

Result<UdpTcp> listen_udp_tcp(const std::string& address, std::initializer_list<std::uint16_t> ports) {
  for (const std::uint16_t wanted : ports) {
    UdpTcp sockets;
    sockets.tcp = bind_ip(SOCK_STREAM, address, wanted);
    if (!sockets.tcp.open()) continue;
    sockets.port = port_of(sockets.tcp);
    sockets.udp = bind_ip(SOCK_DGRAM, address, sockets.port);
    if (sockets.udp.open()) return sockets;
  }
  return tl::make_unexpected(system_error("cannot listen on " + address));
}

Result<Descriptor> listen_unix(const std::string& path) {
  auto name = unix_name(path);
  if (!name) return tl::make_unexpected(name.error());
  ::unlink(path.c_str());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t mask = ::umask(0177);
  const int bound = ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name->address), sizeof name->address);
  ::umask(mask);
  if (bound != 0 || ::listen(socket.get(), backlog) != 0) return tl::make_unexpected(system_error(path));
  return socket;
}

Result<Descriptor> connect_unix(const std::string& path) {
  auto name = unix_name(path);
  if (!name) return tl::make_unexpected(name.error());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&name->address), sizeof name->address) != 0) {
    return tl::make_unexpected(system_error(path));
  }
  return socket;
}

}  // namespace skerry::sandbox
