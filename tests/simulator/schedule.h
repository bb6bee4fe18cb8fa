// Time and order of everything that happens, on one thread: what is ready runs in an order that dice decide; when
// nothing is, the clock goes on to what comes next.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "net/runtime.h"
#include "net/waiting.h"
#include "net/worker_pool.h"
#include "tests/simulator/dice.h"

namespace skerry::simulator {

// Something that may have work: one pool of one server, or its writer.
class Lane {
 public:
  virtual ~Lane() = default;
  virtual bool has_work() const = 0;
  virtual void work() = 0;
  // True when its work waits for others, as an errand to other servers does.
  virtual bool waits() const { return false; }
};

// The tasks of a pool, in their order.
class TaskLane : public Lane, public net::TaskRunner {
 public:
  explicit TaskLane(bool may_wait) : waits_(may_wait) {}
  void run_later(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  bool has_work() const override { return !tasks_.empty(); }
  void work() override;
  bool waits() const override { return waits_; }
  void clear();

 private:
  const bool waits_;
  std::deque<std::function<void()>> tasks_;
};

class Schedule : public net::Clock, public net::Scheduler, public net::MeanwhileWork {
 public:
  Schedule();
  ~Schedule() override;
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  void throw_dice(std::uint64_t seed) { dice_ = Dice(seed); }
  Dice& dice() { return dice_; }

  void add(Lane* lane) { lanes_.push_back(lane); }
  void remove(Lane* lane) { std::erase(lanes_, lane); }

  std::int64_t now_ms() const override { return now_ms_; }
  Handle after(std::chrono::milliseconds delay, std::function<void()> task) override;
  // The same, and not to be cancelled.
  void later(std::int64_t delay_ms, std::function<void()> task);

  // One thing that is ready or due by `until_ms`. False when there is none: then it is `until_ms`.
  bool step(std::int64_t until_ms);
  // A little of what is ready: between a question to another server and its answer.
  void interlude();
  // Inside something that waits: what it may wait for. Throws std::logic_error when there is nothing.
  void run_some() override;

  std::uint64_t steps() const { return steps_; }

 private:
  Lane* choose_lane(bool with_waiting);

  Dice dice_{0};
  std::int64_t now_ms_ = 1'700'000'000'000;
  std::uint64_t steps_ = 0;
  std::uint64_t timers_made_ = 0;
  std::vector<Lane*> lanes_;
  std::map<std::pair<std::int64_t, std::uint64_t>, std::weak_ptr<std::function<void()>>> timers_;
  std::map<std::uint64_t, std::shared_ptr<void>> kept_;  // those not to be cancelled
};

}  // namespace skerry::simulator
