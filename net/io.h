// The threads that carry all sockets and timers. Everything else in net/ takes an Io&.
#pragma once

#include <functional>
#include <memory>

#include "net/runtime.h"

namespace skerry::net {

class Io final : public Scheduler {
 public:
  // For the whole process: ignores SIGPIPE and raises the soft limit of open files to the hard one.
  explicit Io(int threads);
  ~Io() override;  // stop()
  Io(const Io&) = delete;
  Io& operator=(const Io&) = delete;

  void post(std::function<void()> task);
  Handle after(std::chrono::milliseconds delay, std::function<void()> task) override;
  // Calls `on_signal` once per SIGTERM or SIGINT, on an Io thread.
  void on_termination(std::function<void(int signal)> on_signal);
  // Stops and joins the threads. Idempotent. Not from an Io thread.
  void stop();

  struct Impl;
  Impl& impl() { return *impl_; }  // for net/*.cc

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace skerry::net
