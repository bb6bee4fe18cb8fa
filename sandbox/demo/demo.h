// skerry demo: what federation is good for, in nine steps that really happen, and fail where they do not.
#pragma once

#include "core/result.h"
#include "sandbox/cli/arguments.h"

namespace skerry::sandbox {

// Runs in a fresh folder with servers of its own, which are gone at the end whatever happens. Its last line is "demo: 9
// of 9 steps held". Errors: the first thing that did not hold.
Result<void> demo_command(const Arguments& args);

}  // namespace skerry::sandbox
