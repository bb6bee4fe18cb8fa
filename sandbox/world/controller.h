// A sandbox that is up, as those see it who steer it through its control socket.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/world/layout.h"
#include "sandbox/world/line_channel.h"
#include "sandbox/world/status.h"

namespace skerry::sandbox {

class Controller {
 public:
  // Errors: not_found when no sandbox is up in the folder.
  static Result<Controller> connect(const Folder& folder);

  Result<SandboxStatus> status();
  // "kill", "start", "block", "unblock", "freeze" or "thaw", and a server by name. Errors: invalid_param with the
  // supervisor's words, unreachable, timeout.
  Result<void> command(const std::string& op, const std::string& server);
  // Keep the sandbox's state under a name, and go back to it (world/snapshot.h). Errors: as command().
  Result<void> snapshot(const std::string& name, bool replace);
  Result<void> restore(const std::string& name);
  // Puts faults into force, all or none; servers may be named by their first label. When it returns, open connections
  // are being dealt with as the faults say. One of the same key (Fault::key) is replaced. Errors: as command().
  Result<void> put(const std::vector<Fault>& faults);
  // A link between two parties, both ways or only from the one to the other (see link_faults).
  Result<void> link(const std::string& from, const std::string& to, bool one_way, const LinkSettings& settings);
  // Parties that reach each other within their groups, and no other group.
  Result<void> partition(const std::vector<std::vector<std::string>>& groups);
  // What is in force, and how often it took hold.
  Result<std::vector<Fault>> faults();
  // Ends all faults, or those of one kind.
  Result<void> heal(std::optional<FaultKind> kind = std::nullopt);
  // Adds a server to the sandbox, which this program runs, and starts it. Errors: as of command().
  Result<void> add(const std::string& server, ServerKind kind, const std::string& program);
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
