// A TCP relay for the sandbox's gateway: splices bytes between a listening address and a target, without ending TLS.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "net/io.h"

namespace skerry::net {

struct RelayCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused_by_cut = 0;  // connections reset because the relay was cut
  std::uint64_t bytes = 0;           // both ways
};

// Thread-safe.
class TcpRelay {
 public:
  // Listens at once. Errors: storage with the address and reason.
  static Result<std::unique_ptr<TcpRelay>> start(Io& io, const std::string& listen_address, std::uint16_t listen_port,
                                                 const std::string& target_address, std::uint16_t target_port);
  virtual ~TcpRelay() = default;
  // Cut: open connections are reset (RST) on both sides at once, new ones are reset on arrival, until restored.
  virtual void set_cut(bool cut) = 0;
  // The same for connections that come from one address.
  virtual void set_cut_source(const std::string& address, bool cut) = 0;
  virtual RelayCounters counters() const = 0;
  virtual std::uint16_t port() const = 0;  // where it listens
};

}  // namespace skerry::net
