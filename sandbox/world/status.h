// What is known of a sandbox from outside: sandbox.json, and what its supervisor answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "sandbox/world/fault.h"
#include "sandbox/world/plan.h"

namespace skerry::sandbox {

enum class ServerState {
  running,  // the process lives, and is reachable
  blocked,  // the process lives, and the gateway cuts it from everyone
  stopped,  // ended in good order, or not started
  killed,   // ended by a signal: `kill`, or a crash
};

struct ServerStatus {
  std::string name;
  std::string client_url;          // plain HTTP
  std::string federation_address;  // "address:port"
  std::optional<pid_t> pid;
  std::uint64_t memory_bytes = 0;  // PSS
  ServerState state = ServerState::stopped;
  bool reachable = true;       // by clients, as far as faults go; not in sandbox.json
  std::string own_client_url;  // past the gateway, as one who sits beside the server; not in sandbox.json
  ServerKind kind = ServerKind::skerry;
  std::string program;  // of another kind than ours: what runs it; not in sandbox.json
};

struct SandboxStatus {
  std::vector<ServerStatus> servers;
  std::string ca_file;
  std::string dns_address;  // "address:port"
  pid_t supervisor_pid = 0;
  std::vector<Fault> faults;     // in force, with what they were counted to have done
  bool direct = false;           // there is no gateway
  bool real_limits = false;      // as ServerTraits has them
  std::uint16_t https_port = 0;  // of all servers

  std::vector<std::string> names() const;
  // REQUIRES: there is one of that name.
  const ServerStatus& server(const std::string& name) const;
};

std::string to_text(ServerState state);

// sandbox.json's object, version 1 (README.md of sandbox/ tells its fields).
Json public_json(const SandboxStatus& status);
// The same and what only the programs of this project need.
Json full_json(const SandboxStatus& status);
// Errors: bad_json when it is not such an object.
Result<SandboxStatus> parse_status(const Json& json);

}  // namespace skerry::sandbox
