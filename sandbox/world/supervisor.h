// The one process behind a sandbox: authority, DNS, gateway, control socket, and parent of its servers.
#pragma once

#include <cstddef>
#include <string>

#include "sandbox/world/layout.h"
#include "sandbox/world/plan.h"

namespace skerry::sandbox {

struct SupervisorOptions {
  Folder folder;
  std::size_t servers = 3;
  ServerTraits traits;
  bool ephemeral = false;  // the folder's contents are removed at the end, unless the sandbox was kept
  // A stream socket to whoever wanted this sandbox: told {"ok":true,...} or {"ok":false,"error":...} when the servers
  // were started. When it ends before a line {"keep":true} came, the sandbox is taken down.
  int starter = -1;
};

// Runs until it is told to end: by the control socket, SIGTERM, SIGINT, SIGHUP, or the starter's end. Takes its servers
// with it, whatever its own end. The exit status. To be called from the main thread, before there is another.
int run_supervisor(const SupervisorOptions& options);

}  // namespace skerry::sandbox
