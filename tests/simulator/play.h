// Plays a script, and judges how it ended.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/simulator/network.h"
#include "tests/simulator/script.h"

namespace skerry::simulator {

struct Outcome {
  std::vector<std::string> complaints;  // empty: all is well
  std::string graph;                    // if asked for
  Tally tally;
  bool failed() const { return !complaints.empty(); }
};

// The same script gives the same outcome. Uses a temporary folder, and leaves nothing there.
Outcome play(const Script& script, bool with_graph = false);

// The smallest script found that still fails, by leaving actions out and softening the rest; `tries` runs at most.
// REQUIRES: `script` fails.
Script shrink(const Script& script, int tries);

}  // namespace skerry::simulator
