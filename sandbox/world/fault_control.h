// Puts faults into force and ends them: on the links, in the servers' settings, at the processes.
#pragma once

#include <functional>
#include <vector>

#include "sandbox/world/fault_board.h"
#include "sandbox/world/gateway.h"
#include "sandbox/world/server_processes.h"

namespace skerry::sandbox {

// Not thread-safe: of the supervisor's main thread.
class FaultControl {
 public:
  // All outlive this.
  FaultControl(FaultBoard& board, ServerProcesses& servers) : board_(board), servers_(servers) {}

  // Null, as at first: a sandbox without one, which has no faults of links.
  void set_gateway(Gateway* gateway) { gateway_ = gateway; }

  // All of them, or none. Errors: invalid_param, telling which of them is not possible here.
  Result<void> put(const std::vector<Fault>& faults);
  void end(const std::function<bool(const Fault&)>& which);
  // With what they did: what is counted inside the servers comes from there.
  std::vector<Fault> list() const;

 private:
  Result<void> check(const Fault& fault);
  void take_hold(const Fault& fault);
  void let_go(const Fault& fault);
  void set_clock(const std::string& server, std::int64_t offset_ms);
  void set_backoff(std::int64_t max_ms);

  FaultBoard& board_;
  ServerProcesses& servers_;
  Gateway* gateway_ = nullptr;
};

}  // namespace skerry::sandbox
