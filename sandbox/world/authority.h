// The sandbox's certificate authority: made once, kept in its folder, trusted by all its servers and by nobody else.
#pragma once

#include "sandbox/world/plan.h"

namespace skerry::sandbox {

// Certificates for these servers, with their keys beside their configurations: for the name, both addresses
// and localhost. They are made anew at each start; the authority stays, so that clients who were told to trust it keep
// working. Errors: storage, internal.
Result<void> write_certificates(const Folder& folder, const std::vector<ServerPlan>& servers);

}  // namespace skerry::sandbox
