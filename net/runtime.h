// Time, randomness and delays as things that are handed in: real ones from Io, fake ones in tests.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace skerry::net {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t now_ms() const = 0;  // Unix time, milliseconds; thread-safe
};

class Random {
 public:
  virtual ~Random() = default;
  virtual std::string bytes(std::size_t count) = 0;  // fit for keys and tokens; thread-safe
};

// Runs things later. Thread-safe.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  // Runs `task` after `delay` on a thread of the scheduler; it must not block. Dropping or resetting the handle cancels
  // it (a task that already began still ends).
  using Handle = std::shared_ptr<void>;
  [[nodiscard]] virtual Handle after(std::chrono::milliseconds delay, std::function<void()> task) = 0;
};

Clock& system_clock();
Random& system_random();

}  // namespace skerry::net
