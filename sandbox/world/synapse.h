// Synapse, the homeserver in Python, as a server of the sandbox: its program, and how it is told what to be.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/world/plan.h"

namespace skerry::sandbox {

// Makes sure that the one version that is used here is installed in $XDG_CACHE_HOME/skerry (~/.cache/skerry), in an
// environment of its own that all sandboxes share; tells so on stderr when it has to be fetched, which takes about a
// minute. Where $SKERRY_SYNAPSE_PYTHON names a Python that has Synapse, that is used. Errors: unreachable when there is no fit Python or the packages cannot be had, with the end of the log;
// cancelled when interrupted(). What is half done is done again the next time.
Result<void> install_synapse();
// The Python that has it, once it is installed.
std::string synapse_python();

// Writes what Synapse reads to the server's folder, whose signing key stays what it was. Errors: storage.
Result<void> write_synapse_settings(const Plan& plan, const ServerPlan& server, const Folder& folder);

// The words that start it. `dns` is "address:port".
std::vector<std::string> synapse_command(const ServerPlan& server, const Folder& folder, const std::string& dns);

}  // namespace skerry::sandbox
