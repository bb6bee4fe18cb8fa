#include "sandbox/world/fault_control.h"

#include "net/log.h"

namespace skerry::sandbox {

Result<void> FaultControl::put(const std::vector<Fault>& faults) {
  for (const Fault& fault : faults) {
    if (auto possible = check(fault); !possible) return possible;
  }
  for (const Fault& fault : faults) {
    board_.put(fault);
    take_hold(fault);
    log::info("supervisor", fault_text(fault));
  }
  if (gateway_ != nullptr) gateway_->reconsider();
  return {};
}

Result<void> FaultControl::check(const Fault& fault) {
  const bool on_links =
      fault.kind == FaultKind::link || fault.kind == FaultKind::partition || fault.kind == FaultKind::block;
  if (on_links && gateway_ == nullptr) {
    return fail(ErrorCode::invalid_param, "a sandbox without a gateway (up --direct) has no " + to_text(fault.kind) +
                                              "; `skerry down`, then `skerry up`, gives it one");
  }
  if (gateway_ != nullptr) {
    if (auto ready = gateway_->prepare(fault); !ready) return ready;
  }
  if (fault.kind != FaultKind::freeze && fault.kind != FaultKind::clock) return {};
  const auto server = servers_.find(fault.server);
  if (!server) return tl::make_unexpected(server.error());
  if (fault.kind == FaultKind::clock) {
    if ((*server)->plan.kind == ServerKind::skerry) return {};
    return fail(ErrorCode::invalid_param, fault.server + " is no server of ours: its clock cannot be set");
  }
  if ((*server)->pid == 0) return fail(ErrorCode::invalid_param, fault.server + " is not running");
  return {};
}

// What a fault does beside the gateway.
void FaultControl::take_hold(const Fault& fault) {
  if (fault.kind == FaultKind::freeze) servers_.set_frozen(**servers_.find(fault.server), true);
  if (fault.kind == FaultKind::clock) set_clock(fault.server, fault.offset_ms);
  if (fault.kind == FaultKind::backoff) set_backoff(fault.max_ms);
  if (fault.kind == FaultKind::dns && gateway_ != nullptr) gateway_->name_changed(fault.server);
}

void FaultControl::let_go(const Fault& fault) {
  if (fault.kind == FaultKind::freeze) servers_.set_frozen(**servers_.find(fault.server), false);
  if (fault.kind == FaultKind::clock) set_clock(fault.server, 0);
  if (fault.kind == FaultKind::backoff) set_backoff(0);
  if (fault.kind == FaultKind::dns && gateway_ != nullptr) gateway_->name_restored(fault.server);
}

// One that was never started is steered when it starts.
void FaultControl::set_clock(const std::string& server, std::int64_t offset_ms) {
  if (const auto& steering = (*servers_.find(server))->steering) steering->set_clock_offset_ms(offset_ms);
}

void FaultControl::set_backoff(std::int64_t max_ms) {
  for (const ServerProcess& server : servers_.all()) {
    if (server.steering) server.steering->set_backoff_max_ms(max_ms);
  }
}

void FaultControl::end(const std::function<bool(const Fault&)>& which) {
  for (const Fault& fault : board_.list()) {
    if (!which(fault)) continue;
    board_.remove(fault.key());
    let_go(fault);
    log::info("supervisor", "over: " + fault_text(fault));
  }
  if (gateway_ != nullptr) gateway_->reconsider();
}

std::vector<Fault> FaultControl::list() const {
  std::vector<Fault> faults = board_.list();
  for (Fault& fault : faults) {
    for (const ServerProcess& server : servers_.all()) {
      if (fault.kind == FaultKind::clock && server.plan.name == fault.server) {
        fault.hits = server.steering ? server.steering->wrong_times() : 0;
      }
      if (fault.kind == FaultKind::backoff && server.steering) fault.hits += server.steering->changed_rests();
    }
  }
  return faults;
}

}  // namespace skerry::sandbox
