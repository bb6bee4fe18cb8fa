#include "homeserver/rooms/turns.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <unordered_map>

#include "net/log.h"

namespace skerry::homeserver {

namespace {

// After so many turns of one room in a row, others that wait for a worker come first.
constexpr int turns_in_a_row = 32;
constexpr std::size_t waiting_turns_per_room = 20'000;

}  // namespace

struct RoomTurns::Impl : std::enable_shared_from_this<Impl> {
  explicit Impl(net::WorkerPool& workers) : pool(workers) {}

  net::WorkerPool& pool;
  std::mutex mutex;
  std::condition_variable idle;
  bool closed = false;
  int running = 0;
  // Rooms with turns that wait or run; a room leaves when its queue is empty.
  std::unordered_map<RoomId, std::deque<std::function<void()>>> queues;

  bool schedule(const RoomId& room) {
    return pool.post([self = shared_from_this(), room] { self->drain(room); });
  }

  // The next turn of the room, or nothing: then the room has left `queues`.
  std::function<void()> take(const RoomId& room) {
    const auto found = queues.find(room);
    if (found == queues.end()) return {};
    if (found->second.empty()) {
      queues.erase(found);
      return {};
    }
    auto turn = std::move(found->second.front());
    found->second.pop_front();
    return turn;
  }

  // A turn that throws (out of memory) must not take the room's other turns along.
  static void run(const std::function<void()>& turn) {
    try {
      turn();
    } catch (const std::exception& error) {
      log::error("rooms", std::string("a turn ended with an exception: ") + error.what());
    }
  }

  void drain(const RoomId& room) {
    std::unique_lock lock(mutex);
    ++running;
    for (int turns = 0; !closed; ++turns) {
      if (turns >= turns_in_a_row) {
        lock.unlock();
        const bool handed_on = schedule(room);  // refused: this worker goes on
        lock.lock();
        if (handed_on) break;
        turns = 0;
      }
      auto turn = take(room);
      if (!turn) break;
      lock.unlock();
      run(turn);
      turn = nullptr;  // what it holds goes outside the lock
      lock.lock();
    }
    if (--running == 0) idle.notify_all();
  }
};

RoomTurns::RoomTurns(net::WorkerPool& pool) : impl_(std::make_shared<Impl>(pool)) {}

RoomTurns::~RoomTurns() { close(); }

void RoomTurns::close() {
  std::unordered_map<RoomId, std::deque<std::function<void()>>> dropped;
  std::unique_lock lock(impl_->mutex);
  impl_->closed = true;
  impl_->idle.wait(lock, [this] { return impl_->running == 0; });
  dropped.swap(impl_->queues);
}

bool RoomTurns::post(const RoomId& room, std::function<void()> turn) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->closed) return false;
    auto [queue, is_new] = impl_->queues.try_emplace(room);
    if (queue->second.size() >= waiting_turns_per_room) return false;
    queue->second.push_back(std::move(turn));
    if (!is_new) return true;
  }
  if (impl_->schedule(room)) return true;
  // Turns that others queued meanwhile were promised to run: only ours, the first, can be taken back.
  std::unique_lock lock(impl_->mutex);
  const auto found = impl_->queues.find(room);
  if (found == impl_->queues.end() || found->second.empty()) return false;
  const auto refused = std::move(found->second.front());
  found->second.pop_front();
  if (found->second.empty()) {
    impl_->queues.erase(found);
    return false;
  }
  lock.unlock();
  impl_->drain(room);
  return false;
}

}  // namespace skerry::homeserver
