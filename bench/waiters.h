// Clients that wait in /sync.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>

#include "bench/load.h"

namespace skerry::bench {

// Keeps one waiting /sync for each token that it is given, and takes the times at which they are answered. Once its
// destructor runs, all must have been answered.
class Waiters {
 public:
  Waiters(Load& load, const Target& target) : load_(load), target_(target) {}
  ~Waiters();
  Waiters(const Waiters&) = delete;
  Waiters& operator=(const Waiters&) = delete;

  // A /sync from `since` that waits up to `timeout`.
  void wait(const std::string& token, const std::string& since, std::chrono::milliseconds timeout);
  struct Answer {
    std::chrono::steady_clock::time_point at;
    std::string next_batch;  // empty: refused or broken off
    std::string failure;     // then: why
  };
  // Waits until all were answered: the answers, in the order of wait(). Forgets them.
  std::vector<Answer> collect();

 private:
  Load& load_;
  const Target target_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_ = 0;
  std::vector<Answer> answers_;
};

}  // namespace skerry::bench
