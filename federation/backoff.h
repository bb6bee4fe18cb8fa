// How long servers that gave no answer rest.
#pragma once

#include <cstdint>
#include <functional>

#include "federation/client.h"

namespace skerry::federation {

// The rest after a failure, when the last one was this long (0: there was none): twice that, within the bounds.
std::int64_t next_backoff_ms(const BackoffOptions& options, std::int64_t last_ms);

// For experiments on a running server: asked at each failure in this process for another upper bound, in milliseconds;
// 0: as configured. Empty: nobody is asked any more. Thread-safe, as `max_ms` has to be.
void bound_backoff(std::function<std::int64_t()> max_ms);

}  // namespace skerry::federation
