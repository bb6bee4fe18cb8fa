// Tasks and signals for the thread that draws, which sleeps in poll().
#pragma once

#include <deque>
#include <functional>
#include <mutex>

namespace skerry::client {

// One at a time in a program, because signals belong to programs: SIGWINCH, SIGTERM, SIGINT and SIGHUP come here while
// it lives.
class WakeUp {
 public:
  WakeUp();
  ~WakeUp();
  WakeUp(const WakeUp&) = delete;
  WakeUp& operator=(const WakeUp&) = delete;

  // Thread-safe: has `task` run by run_tasks().
  void post(std::function<void()> task);
  // Sleeps until a key, a task or a signal is there.
  void wait();
  void run_tasks();
  bool take_resized();  // true once after SIGWINCH
  bool ended() const;   // the program is to end

 private:
  int event_;
  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
};

}  // namespace skerry::client
