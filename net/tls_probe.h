// Looks at what a TLS listener shows, also when it would not be trusted: for telling people what is wrong with it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "net/tls.h"

namespace skerry::net {

struct ShownCertificate {
  std::vector<std::string> names;  // subjectAltName: DNS names and addresses
  std::string issuer;              // its common name, or the whole name where it has none
  std::int64_t not_before_ms = 0;
  std::int64_t not_after_ms = 0;
  bool has_name = false;    // the one that was asked for is among the names
  std::string chain_error;  // why the chain does not end at an authority that is trusted, times apart; "": it does
};

enum class ProbeStage { connecting, shaking_hands, done };

struct TlsProbe {
  ProbeStage stage = ProbeStage::connecting;  // how far it came
  Error error;                                // what ended it, unless done: unreachable, timeout, storage (of `trust`)
  ShownCertificate certificate;               // once done
};

// Connects to a literal address, shakes hands and closes: nothing is sent, and nothing that comes is used. `name` is a
// DNS name or an address, as the certificate should bear it. Waits, for `timeout` at most.
TlsProbe probe_tls(const std::string& address, std::uint16_t port, const std::string& name, const TrustOptions& trust,
                   std::chrono::milliseconds timeout);

}  // namespace skerry::net
