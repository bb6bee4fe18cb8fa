// One examination, step by step; each step appends what it found. Not for other folders: doctor.h is the door.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "federation/discovery.h"
#include "net/http_client.h"
#include "net/io.h"
#include "net/resolver.h"
#include "net/tls_probe.h"
#include "sandbox/doctor/doctor.h"

namespace skerry::sandbox {

// Where a server can be reached: a place of discovery, and one address of it.
struct Site {
  net::Endpoint endpoint;
  std::string address;
};

class Examination {
 public:
  Examination(ServerName server, const DoctorOptions& options, std::vector<Finding>& findings);
  void run();

 private:
  // Discovery: .well-known, SRV. The places to try, none when it ends there.
  std::vector<net::Endpoint> discover();
  void tell_step(const federation::DiscoveryStep& step);
  // The addresses of a place; none when it has none that may be called.
  std::vector<Site> addresses_of(const net::Endpoint& endpoint);
  // Whether a site can be spoken to by verified TLS.
  bool shakes_hands(const Site& site);
  bool is_good_certificate(const Site& site, const net::ShownCertificate& certificate);
  // What it says there: version and clock, keys.
  bool tells_version(const net::Endpoint& endpoint);
  void tell_clock(const net::HttpResponse& answer, std::int64_t asked_ms, std::int64_t answered_ms);
  void tells_keys(const net::Endpoint& endpoint);
  // What its clients find.
  void answers_clients();

  Result<net::HttpResponse> get(const net::Endpoint& endpoint, const std::string& target);
  void add(std::string check, Outcome outcome, std::string found, std::string mend = {});

  const ServerName server_;
  const DoctorOptions& options_;
  std::vector<Finding>& findings_;
  net::Io io_{1};
  net::Resolver resolver_;
  net::HttpClient http_;
};

}  // namespace skerry::sandbox
