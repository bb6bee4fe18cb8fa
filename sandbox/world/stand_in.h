// Who answers in a server's place where a fault says so: listeners of the gateway's own, which end TLS.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "net/http_server.h"
#include "net/io.h"
#include "net/relay.h"
#include "sandbox/world/fault.h"
#include "sandbox/world/plan.h"

namespace skerry::sandbox {

class StandIns {
 public:
  StandIns(net::Io& io, Folder folder) : io_(io), folder_(std::move(folder)) {}

  // Makes ready who answers for a server as these settings say; whoever is ready stays so. Not thread-safe with itself.
  // Errors: storage, internal.
  Result<void> prepare(const ServerPlan& server, const LinkSettings& settings);
  // Where a connection to the server is to go. Nothing when nobody is ready, and for bad certificates where there is no
  // TLS. Thread-safe.
  std::optional<net::ConnectionRules::Place> place(const std::string& server, const LinkSettings& settings,
                                                   bool tls) const;

 private:
  struct StandIn {
    std::string address;
    std::unique_ptr<net::HttpServer> http;  // its first listener has TLS, the second one not
  };

  net::Io& io_;
  const Folder folder_;
  mutable std::mutex mutex_;
  std::map<std::string, StandIn> ready_;  // by server and what it does
};

}  // namespace skerry::sandbox
