#include "net/worker_pool.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "net/log.h"

namespace skerry::net {

namespace {

constexpr std::chrono::seconds idle_time{10};

}  // namespace

struct WorkerPool::Impl : std::enable_shared_from_this<Impl> {
  Impl(std::string pool_name, int most_threads, std::size_t most_queued)
      : name(std::move(pool_name)), max_threads(most_threads), max_queued(most_queued) {}

  const std::string name;
  const int max_threads;
  const std::size_t max_queued;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::function<void()>> queue;
  std::list<std::thread> threads;  // all that were started and not yet joined
  std::vector<std::thread> ended;  // to be joined by whoever comes next
  int running = 0;
  int idle = 0;
  bool stopped = false;
  TaskRunner* runner = nullptr;  // null: threads of its own

  // REQUIRES: mutex is held. False when the system gives no more threads.
  bool start_thread() {
    const auto place = threads.emplace(threads.end());
    try {
      *place = std::thread([self = shared_from_this(), place] { self->work(place); });
    } catch (const std::system_error& error) {
      threads.erase(place);
      log::error(name, std::string("cannot start a thread: ") + error.what());
      return false;
    }
    ++running;
    return true;
  }

  void work(std::list<std::thread>::iterator place) {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      const bool woken = changed.wait_for(lock, idle_time, [this] { return stopped || !queue.empty(); });
      --idle;
      if (stopped) return;  // stop() joins this thread
      if (!woken) break;
      auto task = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      run(task);
      task = nullptr;  // what it holds ends here, outside the lock
      lock.lock();
    }
    --running;
    ended.push_back(std::move(*place));
    threads.erase(place);
  }

  void run(const std::function<void()>& task) const {
    try {
      task();
    } catch (const std::exception& error) {
      log::error(name, std::string("a task ended with an exception: ") + error.what());
    }
  }
};

WorkerPool::WorkerPool(std::string name, int max_threads, std::size_t max_queued)
    : impl_(std::make_shared<Impl>(std::move(name), max_threads, max_queued)) {}

WorkerPool::WorkerPool(TaskRunner& runner) : impl_(std::make_shared<Impl>("simulated", 0, 0)) {
  impl_->runner = &runner;
}

WorkerPool::~WorkerPool() { stop(); }

bool WorkerPool::post(std::function<void()> task) { return add(std::move(task), true); }

bool WorkerPool::post_admitted(std::function<void()> task) { return add(std::move(task), false); }

bool WorkerPool::add(std::function<void()> task, bool bounded) {
  if (impl_->runner != nullptr) return hand_over(std::move(task));
  std::vector<std::thread> to_join;
  {
    std::scoped_lock lock(impl_->mutex);
    if (impl_->stopped || (bounded && impl_->queue.size() >= impl_->max_queued)) return false;
    const bool more = static_cast<std::size_t>(impl_->idle) <= impl_->queue.size();
    if (more && impl_->running < impl_->max_threads && !impl_->start_thread() && impl_->running == 0) return false;
    impl_->queue.push_back(std::move(task));
    to_join.swap(impl_->ended);
  }
  impl_->changed.notify_one();
  for (std::thread& thread : to_join) thread.join();
  return true;
}

bool WorkerPool::hand_over(std::function<void()> task) {
  {
    std::scoped_lock lock(impl_->mutex);
    if (impl_->stopped) return false;
  }
  impl_->runner->run_later([impl = impl_, task = std::move(task)] {
    {
      std::scoped_lock lock(impl->mutex);
      if (impl->stopped) return;
    }
    impl->run(task);
  });
  return true;
}

void WorkerPool::stop() {
  std::deque<std::function<void()>> dropped;
  std::list<std::thread> threads;
  std::vector<std::thread> ended;
  {
    std::scoped_lock lock(impl_->mutex);
    impl_->stopped = true;
    dropped.swap(impl_->queue);
    threads.swap(impl_->threads);
    ended.swap(impl_->ended);
  }
  impl_->changed.notify_all();
  for (std::thread& thread : threads) thread.join();
  for (std::thread& thread : ended) thread.join();
}

}  // namespace skerry::net
