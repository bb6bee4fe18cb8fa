// The few things the sandbox does with bare sockets and descriptors; everything else of the network is in net/.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.h"

namespace skerry::sandbox {

// An open descriptor, closed at the end.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { close(); }

  int get() const { return fd_; }
  bool open() const { return fd_ >= 0; }
  int release();
  void close();

 private:
  int fd_ = -1;
};

// "what: reason of errno".
Error system_error(const std::string& what);

// A slot of 127.S.x.y, held as long as this lives or the process does, whatever its end: an abstract Unix socket, which
// is known in the same network namespace as the addresses are. `preferred` is tried first (0: none). Errors: storage
// when all are taken.
struct Slot {
  int number = 0;
  Descriptor held;
};
Result<Slot> take_slot(int preferred);

// Whether a server could listen there now.
bool can_listen(const std::string& address, std::uint16_t port);

// UDP and TCP sockets on the same port of an address, non-blocking; the first of `ports` that is free, 0 being any.
// Errors: storage.
struct UdpTcp {
  Descriptor udp;
  Descriptor tcp;
  std::uint16_t port = 0;
};
Result<UdpTcp> listen_udp_tcp(const std::string& address, std::initializer_list<std::uint16_t> ports);

// Unix stream sockets by a path of any length: its folder is opened, and the socket named within it. A socket file that
// is there is replaced. Mode 0600. Errors: storage.
Result<Descriptor> listen_unix(const std::string& path);
Result<Descriptor> connect_unix(const std::string& path);

}  // namespace skerry::sandbox
