// A sandbox that is up, as those see it who steer it through its control socket.
#pragma once

#include <string>

#include "sandbox/world/layout.h"
#include "sandbox/world/line_channel.h"
#include "sandbox/world/status.h"

namespace skerry::sandbox {

class Controller {
 public:
  // Errors: not_found when no sandbox is up in the folder.
  static Result<Controller> connect(const Folder& folder);

  Result<SandboxStatus> status();
  // "kill", "start", "block" or "unblock", and a server by name. Errors: invalid_param with the supervisor's words,
  // unreachable, timeout.
  Result<void> command(const std::string& op, const std::string& server);
  // Keep the sandbox's state under a name, and go back to it (world/snapshot.h). Errors: as command().
  Result<void> snapshot(const std::string& name, bool replace);
  Result<void> restore(const std::string& name);
  // Adds a server to the sandbox, and starts it. Errors: as of command().
  Result<void> add(const std::string& server, ServerKind kind);
  // Returns when the supervisor has ended, with everything it ran.
  Result<void> down();

 private:
  explicit Controller(LineChannel channel) : channel_(std::move(channel)) {}
  Result<Json> ask(const Json& request);

  LineChannel channel_;
};

// What sandbox.json says of a sandbox that is not up: its servers, none running. Errors: not_found when there never was
// one.
Result<SandboxStatus> last_status(const Folder& folder);

}  // namespace skerry::sandbox
