// The servers of a sandbox as processes: what they are started with, and how they end.
#pragma once

#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

#include "homeserver/steering.h"
#include "sandbox/world/fault_board.h"
#include "sandbox/world/layout.h"
#include "sandbox/world/plan.h"

namespace skerry::sandbox {

struct ServerProcess {
  ServerPlan plan;
  pid_t pid = 0;                                   // 0: none
  std::unique_ptr<homeserver::Steering> steering;  // null before it was started, and for a server that is not ours
  bool killed = false;                             // how it ended last
};

// Not thread-safe: of the supervisor's main thread, whose children the servers are. A number in a ServerProcess is that
// of a child that was not waited for: nobody else's.
class ServerProcesses {
 public:
  // `faults`: a server that starts is steered by those in force, and its end ends what froze it. Outlives this.
  ServerProcesses(const Folder& folder, FaultBoard& faults);

  // Where servers ask for names: before any is started.
  void set_dns_address(std::string address) { dns_address_ = std::move(address); }
  // What the servers are started with, certificates included. Errors: storage.
  Result<void> write_settings(const Plan& plan, const std::vector<ServerPlan>& servers) const;
  // Not started yet.
  void add(const ServerPlan& plan);
  // Errors: storage.
  Result<void> spawn(ServerProcess& server);
  // All that do not run. Tries each; errors: of the first that could not be started.
  Result<void> spawn_all();
  // Does nothing for one that does not run. SIGKILL ends a process within moments, frozen or not, so this waits.
  void kill(ServerProcess& server);
  void kill_all();
  // Asks them to end, and lets those go on that stand still.
  void terminate_all();
  void set_frozen(ServerProcess& server, bool frozen);
  // Takes note of those that ended by themselves. False when there was none.
  bool reap();
  // All that run stand still from now on; those of them that a fault froze are left out of the answer.
  std::vector<pid_t> stop_all();
  // The folders of the servers were replaced: each gets a new steering file when it starts.
  void forget_steering();

  bool all_ended() const;
  std::vector<ServerProcess>& all() { return servers_; }
  const std::vector<ServerProcess>& all() const { return servers_; }
  std::vector<std::string> names() const;
  // As somebody typed it. Errors: as of find_server(). The pointer is good until add().
  Result<ServerProcess*> find(const std::string& typed);

 private:
  Result<void> steer(ServerProcess& server);
  void gone(ServerProcess& server, bool killed);

  const Folder folder_;
  FaultBoard& faults_;
  std::string dns_address_;  // with port
  std::vector<ServerProcess> servers_;
};

}  // namespace skerry::sandbox
