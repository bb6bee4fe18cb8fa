#include "storage/sqlite/writer.h"

#include <algorithm>
#include <future>

namespace skerry::storage {

namespace {

constexpr std::size_t group_jobs = 256;

Error storage_error(const char* what) {
  return {ErrorCode::storage, std::string("the database could not be written: ") + what};
}

}  // namespace

StreamPosition WriteContext::take_position() {
  auto position = sequencer_.take();
  if (!position) {
    // More than half a block in one group. The reservation is part of the same transaction, which ends before anyone
    // sees it.
    const StreamPosition end = sequencer_.next_block_end();
    Query(connection, "UPDATE meta SET value = ? WHERE name = 'reserved_position'", end).run();
    sequencer_.reserved(end);
    position = sequencer_.take();
  }
  taken_.push_back(*position);
  return *position;
}

Writer::Writer(std::unique_ptr<Connection> connection, Sequencer& sequencer)
    : connection_(std::move(connection)), sequencer_(sequencer), thread_([this] { loop(); }) {}

Writer::~Writer() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Writer::submit(std::optional<RoomId> room, Job job, Committed done) {
  {
    std::scoped_lock lock(mutex_);
    Queued queued;
    queued.number = ++last_number_;
    queued.room = std::move(room);
    queued.job = std::move(job);
    queued.done = std::move(done);
    queue_.push_back(std::move(queued));
  }
  wake_.notify_one();
}

Result<StreamPosition> Writer::run(Job job) {
  auto result = std::make_shared<std::promise<Result<StreamPosition>>>();
  auto future = result->get_future();
  submit(std::nullopt, std::move(job), [result](Result<StreamPosition> done) { result->set_value(std::move(done)); });
  return future.get();
}

void Writer::loop() {
  for (;;) {
    std::deque<Queued> group;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), group_jobs));
      std::move(queue_.begin(), queue_.begin() + count, std::back_inserter(group));
      queue_.erase(queue_.begin(), queue_.begin() + count);
    }
    write_group(group);
    answer(group);
  }
}

void Writer::write_group(std::deque<Queued>& group) {
  WriteContext context(*connection_, sequencer_);
  std::optional<StreamPosition> reserved;
  try {
    Query(*connection_, "BEGIN IMMEDIATE").run();
    reserve_positions(context, reserved);
    for (Queued& queued : group) run_in_savepoint(context, queued);
    Query(*connection_, "COMMIT").run();
  } catch (const SQLite::Exception& error) {
    for (Queued& queued : group) queued.result = tl::make_unexpected(storage_error(error.what()));
    reserved.reset();
    try {
      connection_->execute("ROLLBACK");
    } catch (const SQLite::Exception&) {
      // SQLite rolled back by itself.
    }
  }
  if (reserved) sequencer_.reserved(*reserved);
  sequencer_.complete(context.taken());
}

void Writer::reserve_positions(WriteContext& context, std::optional<StreamPosition>& reserved) {
  if (!sequencer_.needs_block()) return;
  reserved = sequencer_.next_block_end();
  Query(context.connection, "UPDATE meta SET value = ? WHERE name = 'reserved_position'", *reserved).run();
}

bool Writer::is_poisoned(const Queued& queued) {
  if (!queued.room) return false;
  const auto found = poisoned_.find(*queued.room);
  if (found == poisoned_.end()) return false;
  if (queued.number <= found->second) return true;
  poisoned_.erase(found);
  return false;
}

void Writer::run_in_savepoint(WriteContext& context, Queued& queued) {
  if (is_poisoned(queued)) {
    queued.result =
        tl::make_unexpected(storage_error("an earlier change of the room, on which this one builds, failed"));
    return;
  }
  Query(*connection_, "SAVEPOINT job").run();
  try {
    queued.result = queued.job(context);
  } catch (const SQLite::Exception& error) {
    queued.result = tl::make_unexpected(storage_error(error.what()));
  }
  // Inside the group, what follows in the room fails at once; what is queued meanwhile is told apart in answer().
  if (!queued.result && queued.room) poisoned_[*queued.room] = UINT64_MAX;
  if (!queued.result) Query(*connection_, "ROLLBACK TO job").run();
  Query(*connection_, "RELEASE job").run();
}

void Writer::answer(std::deque<Queued>& group) {
  std::vector<RoomId> failed;
  for (Queued& queued : group) {
    if (!queued.result && queued.room) failed.push_back(*queued.room);
    if (queued.done) queued.done(std::move(queued.result));
    queued = Queued{};  // what the job holds ends here
  }
  if (failed.empty()) return;
  std::scoped_lock lock(mutex_);
  for (const RoomId& room : failed) poisoned_[room] = last_number_;
}

}  // namespace skerry::storage
