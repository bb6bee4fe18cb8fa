// Starts a sandbox and waits until it answers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sandbox/world/controller.h"
#include "sandbox/world/plan.h"

namespace skerry::sandbox {

struct UpOptions {
  Folder folder;
  std::optional<std::size_t> servers;  // absent: as many as the last time, 3 in a new folder
  ServerTraits traits;
  std::vector<std::string> appservices;  // registration files, as parse_appservice() takes them
  // The sandbox ends with the holder of `Sandbox::tie`, and its folder's contents go with it.
  bool tied = false;
  std::string program;  // path of skerry; empty: this program
};

struct Sandbox {
  SandboxStatus status;
  bool found = false;  // it was up already
  Descriptor tie;      // of a tied one: closing it ends the sandbox
};

// Returns when every server that no fault keeps from it answers its clients and other servers; servers of a sandbox
// that was found are started where they had ended. On any error, and when interrupted(), what this call started is gone
// again. Errors: storage, timeout, cancelled, with what to look at.
Result<Sandbox> bring_up(const UpOptions& options);

// A tied sandbox stays from now on, with its folder. Errors: unreachable.
Result<void> keep(Sandbox& sandbox);

// Makes sure that the program of such a server is there, which may take minutes the first time. `before` ran it until
// now; empty for a new one. Errors: as install_synapse().
Result<void> make_kind_ready(ServerKind kind, const std::string& before);

// Waits until these servers answer their clients, and other servers by the certificate that they show. Errors: timeout,
// cancelled; storage when one's process ended, with the end of its log.
Result<void> wait_until_answering(const Folder& folder, Controller& controller, const std::vector<std::string>& names);

}  // namespace skerry::sandbox
