// What a sandbox that comes up is going to be: its servers, and where they listen.
#pragma once

#include <string>
#include <vector>

#include "sandbox/world/dns_message.h"
#include "sandbox/world/layout.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

// How all servers of a sandbox are.
struct ServerTraits {
  bool direct = false;           // without the gateway
  bool cheap_passwords = false;  // hashed at little cost, which makes thousands of accounts in seconds: for measuring
};

struct ServerPlan {
  std::string name;
  std::string own;      // where the process listens, and from where it calls others
  std::string gateway;  // where everybody else finds it; its own address without a gateway
};

struct Plan {
  Slot slot;
  Ports ports;
  ServerTraits traits;
  std::vector<ServerPlan> servers;

  std::string client_url(const ServerPlan& server) const;
  std::string federation_address(const ServerPlan& server) const;
  // As everybody finds the servers: SRV only where the port is not the one that is taken for granted.
  Zone zone() const;
};

// Takes a slot and ports; the last time's where they are free. Errors: storage.
Result<Plan> make_plan(const Folder& folder, std::size_t servers, const ServerTraits& traits);
// For the next time.
Result<void> remember_plan(const Folder& folder, const Plan& plan);
// How many servers there were the last time; 0 when there was none.
std::size_t remembered_servers(const Folder& folder);

// The configuration of one server, as text for its homeserver.toml. `dns` is "address:port".
std::string homeserver_config(const Plan& plan, const ServerPlan& server, const Folder& folder, const std::string& dns);

}  // namespace skerry::sandbox
