// How long servers that gave no answer rest.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace skerry::federation {

struct BackoffOptions {
  std::chrono::milliseconds first{1'000};
  std::chrono::milliseconds max{600'000};
  // For experiments on a running server: asked at each failure for another upper bound, in milliseconds; 0: `max`.
  // Thread-safe; outlives whoever has these options.
  std::function<std::int64_t()> other_max_ms{};
};

// The rest after a failure, when the last one was this long (0: there was none): twice that, within the bounds.
std::int64_t next_backoff_ms(const BackoffOptions& options, std::int64_t last_ms);

}  // namespace skerry::federation
