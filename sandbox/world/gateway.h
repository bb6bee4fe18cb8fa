// The gateway: everybody reaches a server by an address of the gateway's, which splices TCP and can cut.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "net/io.h"
#include "net/relay.h"
#include "sandbox/world/plan.h"

namespace skerry::sandbox {

// Not thread-safe.
class Gateway {
 public:
  // Relays every port of every server of the plan. Errors: storage.
  static Result<std::unique_ptr<Gateway>> start(net::Io& io, const Plan& plan);

  // One more server, which nobody is cut from. Errors: storage; nothing of it is relayed then.
  Result<void> add(net::Io& io, const Plan& plan, const ServerPlan& server);

  // Cut from everyone, both ways: connections to the server and those that it opened are reset at once, new ones on
  // arrival, until it is unblocked. REQUIRES: a server of the plan.
  void set_blocked(const std::string& server, bool blocked);

 private:
  std::map<std::string, std::string> own_addresses_;
  std::map<std::string, std::vector<std::unique_ptr<net::TcpRelay>>> relays_;
};

}  // namespace skerry::sandbox
