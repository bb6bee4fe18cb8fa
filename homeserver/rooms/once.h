// Callbacks that are called exactly once, also when what holds them is dropped unrun.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "core/result.h"
#include "net/waiting.h"

namespace skerry::homeserver {

// A callback that hears `if_dropped` when the last copy goes without a call. Later calls do nothing. Not for concurrent
// calls.
template <class T>
class Once {
 public:
  Once(std::function<void(T)> call, T if_dropped)
      : state_(std::make_shared<State>(std::move(call), std::move(if_dropped))) {}
  void operator()(T value) const {
    if (auto call = std::exchange(state_->call, nullptr)) call(std::move(value));
  }

 private:
  struct State {
    State(std::function<void(T)> f, T value) : call(std::move(f)), if_dropped(std::move(value)) {}
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() {
      if (call) call(std::move(if_dropped));
    }
    std::function<void(T)> call;
    T if_dropped;
  };
  std::shared_ptr<State> state_;
};

template <class T>
Once<Result<T>> once(std::function<void(Result<T>)> done) {
  return Once<Result<T>>(std::move(done), Result<T>(fail(ErrorCode::cancelled, "the server is shutting down")));
}

// Waits for one answer, for threads that may block.
template <class T>
class Answer {
 public:
  Answer() : state_(std::make_shared<State>()) {}
  // Hands the answer over; dropped without a call, wait() gives `cancelled`.
  Once<Result<T>> giver() const {
    return once<T>([state = state_](Result<T> value) {
      const std::lock_guard lock(state->mutex);
      state->value = std::move(value);
      state->given.notify_all();
    });
  }
  Result<T> wait() {
    std::unique_lock lock(state_->mutex);
    if (auto* meanwhile = net::meanwhile_work()) {
      while (!state_->value.has_value()) {
        lock.unlock();
        meanwhile->run_some();
        lock.lock();
      }
    }
    state_->given.wait(lock, [this] { return state_->value.has_value(); });
    return std::move(*state_->value);
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable given;
    std::optional<Result<T>> value;
  };
  std::shared_ptr<State> state_;
};

}  // namespace skerry::homeserver
