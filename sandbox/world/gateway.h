// The gateway: everybody reaches a server by an address of the gateway's, which splices TCP as far as the faults in
// force let it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/io.h"
#include "net/relay.h"
#include "sandbox/world/fault_board.h"
#include "sandbox/world/plan.h"
#include "sandbox/world/stand_in.h"

namespace skerry::sandbox {

// Not thread-safe.
class Gateway {
 public:
  Gateway(net::Io& io, std::shared_ptr<const FaultBoard> faults, const Folder& folder);

  // Relays every port of a server from its gateway's address to its own; connections that come from its own address
  // are known as its. At any time. Errors: storage.
  Result<void> add(const ServerPlan& server, const Ports& ports);

  // To be called before a fault is put on the board: makes ready what it needs. Errors: storage, internal.
  Result<void> prepare(const Fault& fault);
  // The faults changed: open connections follow them at once.
  void reconsider();
  // The DNS answers otherwise about a server's name: resets the connections that other servers have open to it, so that
  // they look it up again, and once more when what they knew of it before is forgotten.
  void name_changed(const std::string& server);
  // The same was taken back: nothing more is reset.
  void name_restored(const std::string& server);

 private:
  struct Parties;

  net::Io& io_;
  const std::shared_ptr<const FaultBoard> faults_;
  const std::shared_ptr<StandIns> stand_ins_;
  const std::shared_ptr<Parties> parties_;
  std::map<std::string, ServerPlan> servers_;
  std::map<std::string, std::vector<std::shared_ptr<net::TcpRelay>>> relays_;
  std::map<std::string, net::Scheduler::Handle> second_resets_;  // by the server whose name changed
};

}  // namespace skerry::sandbox
