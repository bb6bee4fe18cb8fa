#include "bench/memory.h"

#include <chrono>
#include <thread>

namespace skerry::bench {

Result<double> memory_of(const sandbox::OwnSandbox& servers, const std::string& name) {
  const auto status = servers.status_now();
  if (!status) return tl::make_unexpected(status.error());
  return static_cast<double>(status->server(name).memory_bytes);
}

Result<double> settled_memory(const sandbox::OwnSandbox& servers, const std::string& name) {
  constexpr int most = 60;
  double before = 0;
  for (int i = 0; i < most; ++i) {
    const auto now = memory_of(servers, name);
    if (!now) return now;
    if (*now <= before * 1.005 && *now >= before * 0.995) return now;
    before = *now;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  return before;
}

}  // namespace skerry::bench
