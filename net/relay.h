// A TCP relay for the sandbox's gateway: splices bytes between a listening address and a target, without ending TLS,
// as far as a policy lets it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "net/io.h"

namespace skerry::net {

// What a rule has done so far. Rules that are one in the eyes of whoever made them share one.
struct Tally {
  std::atomic<std::uint64_t> connections = 0;  // it took hold of, each counted once
  std::atomic<std::uint64_t> bytes = 0;        // that came while it held, where it concerns bytes
};
using Tallies = std::vector<std::shared_ptr<Tally>>;

// How the bytes of one direction fare. Order is always kept.
struct FlowRules {
  bool stalled = false;                  // nothing goes on, not even the end of a connection
  std::chrono::milliseconds latency{0};  // what comes goes on this much later
  std::chrono::milliseconds jitter{0};   // and by up to this much later again, each piece by a share of its own
  std::uint64_t bytes_per_second = 0;    // 0: no limit
  Tallies tallies;                       // counted when bytes come, also where nothing hinders them

  bool hinder() const { return stalled || latency.count() > 0 || jitter.count() > 0 || bytes_per_second > 0; }
};

// How a connection fares, by who makes it and to whom.
struct ConnectionRules {
  struct Place {
    std::string address;
    std::uint16_t port = 0;
    friend bool operator==(const Place&, const Place&) = default;
  };
  enum class Fate {
    pass,
    refused,  // reset on arrival
    reset,    // reset when its first bytes come
  };
  Fate fate = Fate::pass;
  std::optional<Place> instead;  // who answers in place of the target
  Tallies tallies;               // counted when the fate, or `instead`, takes hold
  FlowRules to_target;
  FlowRules from_target;
};

// Thread-safe.
class TcpRelay {
 public:
  // Asked about every new connection, by the address that it comes from, and again at each reconsider(). On Io threads,
  // several at once; must not block; is still asked for a moment after the relay's end.
  using Policy = std::function<ConnectionRules(const std::string& source)>;

  // Listens at once. Errors: storage with the address and reason.
  static Result<std::unique_ptr<TcpRelay>> start(Io& io, const std::string& listen_address, std::uint16_t listen_port,
                                                 const std::string& target_address, std::uint16_t target_port,
                                                 Policy policy);
  virtual ~TcpRelay() = default;  // resets what is open
  // The policy answers otherwise now. Open connections follow it at once: refused or answered by another, they are
  // reset (RST) on both sides; what is still held of their bytes is let go by the new rules.
  virtual void reconsider() = 0;
  // Resets the open connections that come from these sources, whatever the policy says.
  virtual void reset_open(const std::function<bool(const std::string& source)>& whose) = 0;
  virtual std::uint64_t accepted() const = 0;
  virtual std::uint64_t bytes() const = 0;  // both ways
  virtual std::uint16_t port() const = 0;   // where it listens
};

}  // namespace skerry::net
