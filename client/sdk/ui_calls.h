// Calls and delays whose ends are handed to one thread, the one that owns the rooms.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "client/sdk/session.h"
#include "net/runtime.h"

namespace skerry::client {

// Runs a task on the owning thread, later. Thread-safe.
using Post = std::function<void(std::function<void()>)>;

// Belongs to an object of the owning thread; what comes after its end is dropped.
class UiCalls {
 public:
  // REQUIRES: session and scheduler outlive it; `post` may be called even later.
  UiCalls(Session& session, net::Scheduler& scheduler, Post post)
      : session_(session), scheduler_(scheduler), post_(std::move(post)) {}

  // `done` runs on the owning thread.
  template <class T>
  void run(Call<T> call, std::function<void(ApiResult<T>)> done) {
    session_.send<T>(std::move(call),
                     [post = post_, alive = std::weak_ptr<int>(alive_), done = std::move(done)](ApiResult<T> result) {
                       post([alive, done, result = std::move(result)]() mutable {
                         if (alive.lock()) done(std::move(result));
                       });
                     });
  }

  // Runs `task` on the owning thread after `delay`, unless the handle was dropped before.
  [[nodiscard]] net::Scheduler::Handle later(std::chrono::milliseconds delay, std::function<void()> task) {
    return scheduler_.after(delay, [post = post_, alive = std::weak_ptr<int>(alive_), task = std::move(task)] {
      post([alive, task] {
        if (alive.lock()) task();
      });
    });
  }

 private:
  Session& session_;
  net::Scheduler& scheduler_;
  Post post_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace skerry::client
