// DNS through c-ares: full names only, a cache of its own bounded by TTL and count.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "net/io.h"

namespace skerry::net {

struct ResolverOptions {
  std::vector<std::string>
      servers;  // "127.1.0.53:5353"; empty: the system's (resolv.conf, and /etc/hosts for addresses)
  std::chrono::milliseconds timeout{5'000};  // for one name, repetitions included
  std::size_t cache_entries = 4'096;
};

struct SrvTarget {
  // Empty in an answer without others: the service is decidedly not there (RFC 2782: a target of ".").
  std::string host;
  std::uint16_t port = 0;
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
};

// Thread-safe. Callbacks run on an Io thread and must not block.
class Resolver {
 public:
  Resolver(Io& io, ResolverOptions options);
  ~Resolver();  // pending callbacks are called with `cancelled`, here

  // A and AAAA records, IPv4 first. AAAA is not waited for much longer than A. Errors: unreachable (no such name, no
  // data, server failure), timeout.
  void resolve_addresses(const std::string& host, std::function<void(Result<std::vector<std::string>>)> done);
  // SRV records in the order in which to try them (RFC 2782). An empty list when the name has none; errors: timeout,
  // unreachable.
  void resolve_srv(const std::string& name, std::function<void(Result<std::vector<SrvTarget>>)> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::net
