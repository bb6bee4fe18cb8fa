// The measurements, a group each. What does not come about is an error that says what.
#pragma once

#include <chrono>
#include <functional>

#include "bench/load.h"
#include "bench/machine.h"
#include "bench/report.h"
#include "sandbox/world/own_sandbox.h"

namespace skerry::bench {

// What all have: how large, where to, what the machine can do.
struct Run {
  Report& report;
  Machine machine;
  std::chrono::milliseconds time;  // for one row of load
  bool quick = false;
  // Numbers of members, events, clients: a hundredth when it is only to be seen that it works.
  std::size_t scaled(std::size_t number) const { return quick ? std::max<std::size_t>(number / 100, 2) : number; }
};

// By the client API alone: any homeserver.
Result<void> measure_sends(Run& run, Load& load, const Target& target);
Result<void> measure_sync(Run& run, Load& load, const Target& target);
Result<void> measure_growth(Run& run, Load& load, const Target& target);

// In sandboxes of our own, with accounts whose passwords cost nothing.
Result<void> measure_start(Run& run);
Result<void> measure_memory(Run& run);
Result<void> measure_waiting(Run& run);
Result<void> measure_federation(Run& run);
Result<void> measure_joins(Run& run);
Result<void> measure_rooms(Run& run);
Result<void> measure_floods(Run& run);

}  // namespace skerry::bench
