// Runs skerry-client for people of a sandbox: their sessions are in the sandbox's folder.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/world/layout.h"
#include "sandbox/world/status.h"

namespace skerry::sandbox {

// What the client is told besides a user's own words: the authority, and the server's URL where the words say which
// server is meant (--server alpha.test, --account @alice:alpha.test, register or login alice@alpha.test). User ids and
// names of servers are completed in the words.
std::vector<std::string> client_arguments(const SandboxStatus& status, const std::vector<std::string>& words);

// Becomes skerry-client. Returns only on failure: storage.
Error become_client(const Folder& folder, const std::vector<std::string>& arguments);

// Runs it to its end. `password` is handed over apart from the arguments, which others can see.
struct ClientRun {
  int status = -1;
  std::string output;  // stdout
  std::string errors;  // stderr
};
Result<ClientRun> run_client(const Folder& folder, const std::vector<std::string>& arguments,
                             const std::string& password = {});

}  // namespace skerry::sandbox
