#include "tests/simulator/schedule.h"

#include <stdexcept>

namespace skerry::simulator {

void TaskLane::work() {
  const auto task = std::move(tasks_.front());
  tasks_.pop_front();
  task();
}

void TaskLane::clear() {
  // What the tasks hold may leave tasks behind when it goes.
  while (!tasks_.empty()) {
    const auto dropped = std::move(tasks_);
    tasks_.clear();
  }
}

Schedule::Schedule() { net::set_meanwhile_work(this); }
Schedule::~Schedule() { net::set_meanwhile_work(nullptr); }

net::Scheduler::Handle Schedule::after(std::chrono::milliseconds delay, std::function<void()> task) {
  auto timer = std::make_shared<std::function<void()>>(std::move(task));
  timers_.emplace(std::pair(now_ms_ + delay.count(), ++timers_made_), timer);
  return timer;
}

void Schedule::later(std::int64_t delay_ms, std::function<void()> task) {
  const std::uint64_t number = timers_made_ + 1;
  kept_[number] = after(std::chrono::milliseconds(delay_ms), std::move(task));
}

Lane* Schedule::choose_lane(bool with_waiting) {
  std::vector<Lane*> ready;
  for (auto* lane : lanes_) {
    if (lane->has_work() && (with_waiting || !lane->waits())) ready.push_back(lane);
  }
  return ready.empty() ? nullptr : dice_.one_of(ready);
}

bool Schedule::step(std::int64_t until_ms) {
  ++steps_;
  Lane* lane = choose_lane(true);
  const bool is_timer_due = !timers_.empty() && timers_.begin()->first.first <= now_ms_;
  if (lane != nullptr && !(is_timer_due && dice_.percent(30))) {
    lane->work();
    return true;
  }
  if (timers_.empty() || timers_.begin()->first.first > until_ms) {
    now_ms_ = std::max(now_ms_, until_ms);
    return false;
  }
  const auto [at, number] = timers_.begin()->first;
  now_ms_ = std::max(now_ms_, at);
  const auto task = timers_.begin()->second.lock();
  timers_.erase(timers_.begin());
  kept_.erase(number);
  if (task) (*task)();
  return true;
}

void Schedule::interlude() {
  for (int left = dice_.below(4); left > 0; --left) {
    Lane* lane = choose_lane(false);
    if (lane == nullptr) return;
    lane->work();
  }
}

// Errands wait for turns and for the writer only, so whoever waits for an errand can let it run to its end; started
// only when nothing else is ready, none waits for one that is under way further down this stack.
void Schedule::run_some() {
  Lane* lane = choose_lane(false);
  if (lane == nullptr) lane = choose_lane(true);
  if (lane == nullptr) throw std::logic_error("something waits for what nobody does");
  lane->work();
}

}  // namespace skerry::simulator
