// The one thread that writes. See storage/writer.h for what it promises.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "storage/database.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/sequencer.h"
#include "storage/writer.h"

namespace skerry::storage {

// What a job writes with.
class WriteContext {
 public:
  WriteContext(Connection& opened, Sequencer& positions) : connection(opened), sequencer_(positions) {}
  Connection& connection;
  // A stream position for this job.
  StreamPosition take_position();
  const std::vector<StreamPosition>& taken() const { return taken_; }

 private:
  Sequencer& sequencer_;
  std::vector<StreamPosition> taken_;
};

enum class Writes {
  by_thread,
  when_told,  // by write_waiting(), and by whoever waits
};

// Thread-safe.
class Writer {
 public:
  using Job = std::function<Result<StreamPosition>(WriteContext&)>;

  Writer(std::unique_ptr<Connection> connection, Sequencer& sequencer, Writes writes);
  ~Writer();  // writes what waits, if by a thread

  // `room` ties the job to others of the room: when one fails, those queued before its `done` returned fail too.
  void submit(std::optional<RoomId> room, Job job, Committed done);
  // For what may be lost in a crash: written with whatever is submitted next, or after lazy_time without that, so that
  // it costs no fsync of its own on a busy server.
  void submit_lazily(std::function<Result<void>(Connection&)> use, Saved done);
  // As submit(), waiting. Not from the writer's thread.
  Result<StreamPosition> run(Job job);
  // The same for what has no position.
  Result<void> write(std::function<Result<void>(Connection&)> use);
  // See Database::write_waiting(). Does nothing when a thread writes.
  bool write_waiting();
  bool has_waiting() const;
  WriteStats stats() const;

 private:
  struct Queued {
    std::uint64_t number = 0;
    std::optional<RoomId> room;
    Job job;
    Committed done;
    bool lazy = false;
    Result<StreamPosition> result = StreamPosition{0};
  };
  void enqueue(Queued queued);
  void loop();
  // REQUIRES: the lock is held.
  void wait_for_work(std::unique_lock<std::mutex>& lock);
  bool write_next_group();
  void write_group(std::deque<Queued>& group);
  void run_in_savepoint(WriteContext& context, Queued& queued);
  void roll_back(std::deque<Queued>& group, const char* why);
  bool is_poisoned(const Queued& queued);
  void answer(std::deque<Queued>& group);

  std::unique_ptr<Connection> connection_;
  Sequencer& sequencer_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Queued> queue_;
  std::uint64_t last_number_ = 0;
  std::size_t urgent_ = 0;                            // of the queue: those that are not lazy
  std::chrono::steady_clock::time_point lazy_until_;  // when the first lazy one of the queue is due
  bool stopping_ = false;
  WriteStats stats_;                                    // guarded by mutex_
  std::unordered_map<RoomId, std::uint64_t> poisoned_;  // writer's thread only: jobs up to that number fail
  std::thread thread_;
};

}  // namespace skerry::storage
