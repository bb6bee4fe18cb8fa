// Faults as somebody asks for them, made ready for a sandbox: whole names, and only what can take hold there.
#pragma once

#include <string>
#include <vector>

#include "sandbox/world/fault.h"

namespace skerry::sandbox {

// `request` has an array "faults". Servers may be typed by their first label. Errors: bad_json, invalid_param (with the
// reason in a sentence), not_found (no such server).
Result<std::vector<Fault>> parse_fault_request(const Json& request_untrusted, const std::vector<std::string>& servers);

// The faults of a link between two parties, each way of it, or only from the one to the other. What concerns
// connections is left out where nobody opens any: clients listen nowhere. Errors: invalid_param when nothing is left.
Result<std::vector<Fault>> link_faults(const std::string& from, const std::string& to, bool one_way,
                                       const LinkSettings& settings);

}  // namespace skerry::sandbox
