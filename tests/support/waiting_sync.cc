#include "tests/support/waiting_sync.h"

#include <chrono>
#include <stdexcept>

#include "tests/support/processes.h"

namespace skerry::test {

namespace {

constexpr std::chrono::seconds interrupted_within{20};

}  // namespace

WaitingSync::WaitingSync(const HomeserverProcess& server, const Api& api, const std::string& parameters) {
  const std::string path = std::string(v3) + "/sync?timeout=";
  const std::string since = api.get(path + "0" + parameters).json.at("next_batch");
  answer_ = std::async(std::launch::async,
                       [api, target = path + "30000" + parameters + "&since=" + since] { return api.get(target); });
  const Api metrics(metrics_url(server));
  if (!eventually([&] { return sample(metrics.get("/metrics").text, "skerry_waiting_syncs") == "1"; })) {
    throw std::runtime_error("the /sync does not wait");
  }
}

Answer WaitingSync::answer() {
  if (answer_.wait_for(interrupted_within) != std::future_status::ready) throw std::runtime_error("the /sync waits on");
  return answer_.get();
}

}  // namespace skerry::test
