// Application services of a sandbox's servers: their registration files are kept in the servers' folders, and so there
// the next time.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/world/layout.h"

namespace skerry::sandbox {

// A registration file and the server that it is for.
struct GivenAppservice {
  std::string server;
  std::string file;
};

// "FILE" for the first server, or "SERVER=FILE". Errors: not_found for a server that is not there; invalid_param or
// storage with what is wrong in the file.
Result<GivenAppservice> parse_appservice(const std::vector<std::string>& known, const std::string& typed);

// Puts them beside those that are kept, in the place of those of the same id. Errors: storage.
Result<void> keep_appservices(const Folder& folder, const std::vector<GivenAppservice>& given);
// Whether one is kept just as it is given.
bool is_kept(const Folder& folder, const GivenAppservice& given);
// The files that are kept for a server, sorted.
std::vector<std::string> kept_appservices(const Folder& folder, const std::string& server);

}  // namespace skerry::sandbox
