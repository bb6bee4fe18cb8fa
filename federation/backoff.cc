#include "federation/backoff.h"

#include <algorithm>

namespace skerry::federation {

std::int64_t next_backoff_ms(const BackoffOptions& options, std::int64_t last_ms) {
  std::int64_t max_ms = options.other_max_ms ? options.other_max_ms() : 0;
  if (max_ms == 0) max_ms = options.max.count();
  return std::min(std::max<std::int64_t>(last_ms * 2, options.first.count()), max_ms);
}

}  // namespace skerry::federation
