// What a sandbox that comes up is going to be: its servers, and where they listen.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sandbox/world/dns_message.h"
#include "sandbox/world/layout.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

// How all servers of a sandbox are.
struct ServerTraits {
  bool direct = false;           // without the gateway
  bool cheap_passwords = false;  // hashed at little cost, which makes thousands of accounts in seconds: for measuring
  bool real_limits = false;      // rate limits of a public server, instead of none
};

// Which program a server is.
enum class ServerKind {
  skerry,   // skerry-homeserver
  synapse,  // Synapse, the homeserver in Python (synapse.h)
};
std::string to_text(ServerKind kind);
// Errors: invalid_param.
Result<ServerKind> parse_server_kind(std::string_view text);

struct ServerPlan {
  std::string name;
  std::string own;      // where the process listens, and from where it calls others
  std::string gateway;  // where everybody else finds it; its own address without a gateway
  ServerKind kind = ServerKind::skerry;
  std::string program;  // of another kind than ours: what runs it, whatever the environment of whoever starts it says
};

struct Plan {
  Slot slot;
  Ports ports;
  ServerTraits traits;
  std::vector<ServerPlan> servers;  // those of our own, then those that were added

  std::vector<std::string> names() const;
  std::string client_url(const ServerPlan& server) const;
  std::string federation_address(const ServerPlan& server) const;
  // As everybody finds the servers: SRV only where the port is not the one that is taken for granted.
  Zone zone() const;
};

// Takes a slot and ports; the last time's where they are free. `servers` of our own, and those that had been added.
// Errors: storage.
Result<Plan> make_plan(const Folder& folder, std::size_t servers, const ServerTraits& traits);
// For the next time.
Result<void> remember_plan(const Folder& folder, const Plan& plan);
// Puts one more server at the end of the plan. `typed` is its name, or its first label. Errors: invalid_param for a
// name that is none, is taken, or is kept for servers of our own; storage when its ports are taken. The plan is then
// unchanged.
Result<void> plan_another(Plan& plan, const std::string& typed, ServerKind kind, const std::string& program);
// How many servers of our own there were the last time; 0 when there was none.
std::size_t remembered_servers(const Folder& folder);
// The names of all of them, the added ones last.
std::vector<std::string> remembered_names(const Folder& folder);
// What ran the servers of a kind that had been added, one of each.
std::vector<std::string> remembered_programs(const Folder& folder, ServerKind kind);

// The configuration of one server, as text for its homeserver.toml. `dns` is "address:port".
std::string homeserver_config(const Plan& plan, const ServerPlan& server, const Folder& folder, const std::string& dns);

}  // namespace skerry::sandbox
