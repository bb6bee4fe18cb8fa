// A FIFO queue of turns for each room, over one pool of workers. Promises that the turns of one room run one after
// another, in the order of the calls; that a busy room occupies one worker; and that an idle room holds nothing.
#pragma once

#include <functional>
#include <memory>

#include "core/ids.h"
#include "net/worker_pool.h"

namespace skerry::homeserver {

// Thread-safe.
class RoomTurns {
 public:
  explicit RoomTurns(net::WorkerPool& pool);
  ~RoomTurns();
  RoomTurns(const RoomTurns&) = delete;
  RoomTurns& operator=(const RoomTurns&) = delete;

  // A turn does local work only: it waits for no other server, no fsync and no other room. False when the pool refuses
  // (its queue is full, or it was stopped) or too many turns of this room wait: the task is then destroyed unrun.
  [[nodiscard]] bool post(const RoomId& room, std::function<void()> turn);

  // Drops the turns that wait, waits for those that run, refuses all others. Idempotent. Not from a turn.
  void close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
