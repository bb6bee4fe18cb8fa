// What whoever runs experiments changes of a running server: how its clock goes wrong, and how long it rests at most
// before it tries a server again that gave no answer. A small file that both have mapped: a change holds at once, is
// there again after a restart, and asks nothing of a server that is frozen.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/result.h"
#include "net/runtime.h"

namespace skerry::homeserver {

// Thread-safe, and between processes.
class Steering {
 public:
  // For the one who steers: a new file in which nothing is changed. It is never seen half written. Errors: storage.
  static Result<std::unique_ptr<Steering>> create(const std::string& file);
  // For the server: a file that create() made. Errors: storage.
  static Result<std::unique_ptr<Steering>> open(const std::string& file);
  ~Steering();
  Steering(const Steering&) = delete;
  Steering& operator=(const Steering&) = delete;

  void set_clock_offset_ms(std::int64_t ahead_ms);  // 0: right; the count begins anew
  void set_backoff_max_ms(std::int64_t most_ms);    // 0: as the configuration says; the count begins anew
  std::uint64_t wrong_times() const;                // how often a wrong time was told
  std::uint64_t changed_rests() const;              // how often a rest was bounded by backoff_max_ms

  // What the server asks; counted where it is not the usual.
  std::int64_t clock_offset_ms();
  std::int64_t backoff_max_ms();

 private:
  struct Block;
  Steering(Block* block) : block_(block) {}
  static Result<std::unique_ptr<Steering>> map(int descriptor, const std::string& file);

  Block* const block_;
};

// The system's clock, as wrong as the steering has it.
class SteeredClock final : public net::Clock {
 public:
  // Null: never wrong.
  explicit SteeredClock(Steering* steering) : steering_(steering) {}
  std::int64_t now_ms() const override {
    return net::system_clock().now_ms() + (steering_ != nullptr ? steering_->clock_offset_ms() : 0);
  }

 private:
  Steering* const steering_;
};

}  // namespace skerry::homeserver
