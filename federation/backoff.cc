#include "federation/backoff.h"

#include <algorithm>
#include <mutex>

namespace skerry::federation {

namespace {

struct Bound {
  std::mutex mutex;
  std::function<std::int64_t()> max_ms;
};

Bound& bound() {
  static Bound one;
  return one;
}

}  // namespace

std::int64_t next_backoff_ms(const BackoffOptions& options, std::int64_t last_ms) {
  std::int64_t max_ms = 0;
  {
    std::scoped_lock lock(bound().mutex);
    if (bound().max_ms) max_ms = bound().max_ms();
  }
  if (max_ms == 0) max_ms = options.max.count();
  return std::min(std::max<std::int64_t>(last_ms * 2, options.first.count()), max_ms);
}

void bound_backoff(std::function<std::int64_t()> max_ms) {
  std::scoped_lock lock(bound().mutex);
  bound().max_ms = std::move(max_ms);
}

}  // namespace skerry::federation
