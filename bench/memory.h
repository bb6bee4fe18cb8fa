// What servers of a sandbox take in memory (PSS, bytes).
#pragma once

#include <string>

#include "core/result.h"
#include "sandbox/world/own_sandbox.h"

namespace skerry::bench {

Result<double> memory_of(const sandbox::OwnSandbox& servers, const std::string& name);
// Once it changes no more, or after half a minute.
Result<double> settled_memory(const sandbox::OwnSandbox& servers, const std::string& name);

}  // namespace skerry::bench
