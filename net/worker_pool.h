// A pool of threads for work that may block, growing on demand to a bound and shrinking when idle.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace skerry::net {

// Takes a pool's tasks in place of threads: a simulation runs them on one thread, in an order of its own.
class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  virtual void run_later(std::function<void()> task) = 0;
};

class WorkerPool {
 public:
  // `max_threads` at most; at most `max_queued` tasks wait.
  WorkerPool(std::string name, int max_threads, std::size_t max_queued);
  // Without threads: `runner`, which must outlive the pool, gets every task. Tasks that it runs after stop() do
  // nothing.
  explicit WorkerPool(TaskRunner& runner);
  ~WorkerPool();  // stop()
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False when the queue is full or the pool was stopped: the task is then destroyed unrun. Thread-safe.
  bool post(std::function<void()> task);
  // The same for what was let in before and goes on now, such as a request that waited: the queue's bound does not
  // count, since what bounds the requests bounds these as well. False when the pool was stopped.
  bool post_admitted(std::function<void()> task);
  // Drops what waits, lets what runs end, joins. Idempotent.
  void stop();

 private:
  bool add(std::function<void()> task, bool bounded);
  bool hand_over(std::function<void()> task);

  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::net
