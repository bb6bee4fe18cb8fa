// What can be wrong with a sandbox's network and servers, as values: what the commands ask for, and what is in force.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace skerry::sandbox {

// Who stands at the ends of a link, beside the servers by their names.
inline constexpr const char* clients_party = "clients";  // whoever is no server
inline constexpr const char* others_party = "others";    // in a partition: who is named in no group, clients too

// How connections fare that one party opens to another. What of it concerns bytes holds for those that go from the one
// to the other, whoever opened the connection.
enum class LinkMode {
  up,
  down,            // reset at once, new ones on arrival
  reset,           // reset at once, new ones with their first bytes
  stall,           // bytes: none go on
  http,            // the gateway answers every request with one status
  expired_cert,    // the gateway ends TLS with a certificate that expired,
  wrong_cert,      // that bears another name,
  untrusted_cert,  // or that another authority signed
};

struct LinkSettings {
  LinkMode mode = LinkMode::up;
  int http_status = 0;                   // for LinkMode::http
  std::chrono::milliseconds latency{0};  // bytes, each way of a round trip
  std::chrono::milliseconds jitter{0};
  std::int64_t rate_kbit = 0;  // kbit/s of 1,000 bits; 0: no limit

  bool whole() const { return *this == LinkSettings{}; }  // nothing is wrong
  friend bool operator==(const LinkSettings&, const LinkSettings&) = default;
};

enum class FaultKind { link, partition, block, freeze, clock, dns, backoff };

// One fault. Which fields count is told by its kind.
struct Fault {
  FaultKind kind = FaultKind::link;
  std::string from;  // link
  std::string to;    // link
  LinkSettings link;
  std::vector<std::vector<std::string>> groups;  // partition, block: parties that reach each other, but no other group
  std::string server;                            // block, freeze, clock, dns
  std::int64_t offset_ms = 0;                    // clock: ahead; negative: behind
  std::string answer;                            // dns: "nxdomain", "timeout", an IPv4 address, or "right": no fault
  std::int64_t max_ms = 0;                       // backoff

  std::uint64_t hits = 0;   // how often it took hold: sandbox/README.md tells of what, by kind
  std::uint64_t bytes = 0;  // that came while it held, where it concerns bytes

  // The same key: one takes the other's place.
  std::string key() const;
  // In words, without who is concerned: "latency 100ms, rate 64 kbit/s".
  std::string what() const;
  // Who is concerned: "alpha.test -> bravo.test".
  std::string whom() const;
  bool same_as(const Fault& other) const;  // but for what was counted
};

std::string to_text(FaultKind kind);
std::string to_text(LinkMode mode);
// Errors: invalid_param.
Result<FaultKind> parse_fault_kind(const std::string& text);

// "1h30m", "+90s", "-250ms", "2d": milliseconds. A number without a unit is refused. Errors: invalid_param.
Result<std::int64_t> parse_duration_ms(const std::string& text);
std::string duration_text(std::int64_t ms);  // "+1h30m" without the sign where it is positive

// As control.sock and `skerry faults --json` have it: "kind", what counts of the kind, "hits", "bytes", "text".
Json fault_json(const Fault& fault);
Json faults_json(const std::vector<Fault>& faults);
// A line for people and logs: "link alpha.test -> bravo.test: latency 100ms".
std::string fault_text(const Fault& fault);
// Checked: numbers within bounds, what contradicts itself refused. Names are not looked up. Errors: bad_json,
// invalid_param.
Result<Fault> parse_fault(const Json& json_untrusted);

}  // namespace skerry::sandbox
