// Synapse, the homeserver in Python, as a server of the sandbox: its program, and how it is told what to be.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/world/plan.h"

namespace skerry::sandbox {

// The Python that is to run a Synapse: the one that $SKERRY_SYNAPSE_PYTHON names; else `before`, which ran it until
// now, while it is there; else that of install_synapse().
std::string synapse_python(const std::string& before);
// Makes sure that synapse_python(before) is there. Where none was named, the one version that is used here is installed
// in $XDG_CACHE_HOME/skerry (~/.cache/skerry), in an environment of its own that all sandboxes share; it tells so on
// stderr when it has to be fetched, which takes about a minute. Errors: storage when the named one cannot be run;
// unreachable when there is no fit Python or the packages cannot be had, with the end of the log; cancelled when
// interrupted(). What is half done is done again the next time.
Result<void> install_synapse(const std::string& before);

// Writes what Synapse reads to the server's folder, whose signing key stays what it was. Errors: storage.
Result<void> write_synapse_settings(const Plan& plan, const ServerPlan& server, const Folder& folder);

// The words that start it. `dns` is "address:port".
std::vector<std::string> synapse_command(const ServerPlan& server, const Folder& folder, const std::string& dns);

}  // namespace skerry::sandbox
