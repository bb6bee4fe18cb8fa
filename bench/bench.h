// `skerry bench`.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "core/result.h"

namespace skerry::bench {

struct BenchOptions {
  std::string target;               // a client URL of this machine; empty: a sandbox of our own
  std::vector<std::string> groups;  // names of measurements; none: all
  bool quick = false;               // small numbers: whether it works, not how fast
  bool json = false;
};

// The names of the measurements, those that --target can have first.
std::vector<std::string> group_names();

// Errors: invalid_param (an unknown name, a target elsewhere); as the sandbox and the target have them.
Result<void> run(const BenchOptions& options, std::ostream& out);

}  // namespace skerry::bench
