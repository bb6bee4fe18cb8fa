// What this machine can do at best.
#pragma once

#include <chrono>
#include <string>

#include "core/result.h"
#include "storage/measure.h"

namespace skerry::bench {

struct Machine {
  storage::DiskSpeed disk;
  double signatures_per_s = 0;     // Ed25519, of one thread
  double verifications_per_s = 0;  // the same
  double round_trip_s = 0;         // median of a byte there and back between two threads by TCP on loopback
};

// `folder` is on the disk that is meant. Takes about four times `time`. Errors: storage.
Result<Machine> measure_machine(const std::string& folder, std::chrono::milliseconds time);

}  // namespace skerry::bench
