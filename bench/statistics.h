// Medians and percentiles.
#pragma once

#include <vector>

namespace skerry::bench {

struct Percentiles {
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
};

// By nearest rank; all 0 for no values.
Percentiles percentiles_of(std::vector<double> values);

}  // namespace skerry::bench
