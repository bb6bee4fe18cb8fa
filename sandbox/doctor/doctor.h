// Asks of a homeserver what a foreign server would ask, in the same order, and says in a line each what is wrong and
// how to mend it. Every step is one that federation/ takes too: discovery by its Discovery, requests by HttpClient.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/json.h"
#include "net/address.h"
#include "net/tls.h"

namespace skerry::sandbox {

enum class Outcome {
  good,
  note,   // nothing to mend, but good to know: no .well-known, say
  wrong,  // other servers or clients stumble over it
};

struct Finding {
  std::string check;  // "name", ".well-known", "SRV", "address", "certificate" ...
  Outcome outcome = Outcome::good;
  std::string found;
  std::string mend;  // what to do about it, where there is something
};

struct Diagnosis {
  std::string server;
  std::vector<Finding> findings;
  bool healthy() const;
};

// How the world is to be seen.
struct DoctorOptions {
  std::vector<std::string> dns;    // "127.1.0.53:53"; empty: the system's
  net::TrustOptions trust;         // whom other servers trust
  net::AddressPolicy policy;       // which addresses other servers would call
  std::uint16_t https_port = 443;  // where .well-known is asked
  std::string client_url;          // of its clients; empty: as its .well-known/matrix/client says
  std::chrono::milliseconds step_timeout{5'000};
};

// Blocks, for some seconds where nothing answers. `name` is as it was typed. What cannot be asked because of an earlier
// finding is left out. Thread-safe.
Diagnosis examine(const std::string& name, const DoctorOptions& options);

// {"server": ..., "healthy": ..., "checks": [{"check", "outcome", "found", "mend"}]}
Json to_json(const Diagnosis& diagnosis);
// A line for each finding, and one below it for how to mend it.
std::string to_text(const Diagnosis& diagnosis);

}  // namespace skerry::sandbox
