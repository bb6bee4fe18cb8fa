// Plays a scenario in a sandbox of its own, which is gone afterwards.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/json.h"
#include "sandbox/scenario/scenario_file.h"

namespace skerry::sandbox {

// One act, as it went.
struct Played {
  const Act* act = nullptr;
  double at_s = 0;  // since the curtain rose
  double took_s = 0;
  bool held = false;
  std::string found;  // what was measured, or why it did not hold
};

struct ScenarioResult {
  std::vector<Played> acts;  // until the first that did not hold
  double ready_s = 0;        // until the curtain rose: servers, users, rooms
  double took_s = 0;         // all of it
  bool held() const { return acts.empty() || acts.back().held; }
};

// `tell` is called after each act. Errors: what kept it from being played; cancelled when interrupted(). That an act
// did not hold is a result.
Result<ScenarioResult> run_scenario(const Scenario& scenario, const std::function<void(const Played&)>& tell);

}  // namespace skerry::sandbox
