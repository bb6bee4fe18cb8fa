#include "storage/sqlite/writer.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <future>

namespace skerry::storage {

namespace {

constexpr std::size_t group_jobs = 256;
constexpr std::chrono::milliseconds lazy_time{100};

Error storage_error(const char* what) {
  return {ErrorCode::storage, std::string("the database could not be written: ") + what};
}

}  // namespace

StreamPosition WriteContext::take_position() {
  taken_.push_back(sequencer_.take_in_group());
  return taken_.back();
}

Writer::Writer(std::unique_ptr<Connection> connection, Sequencer& sequencer, Writes writes)
    : connection_(std::move(connection)), sequencer_(sequencer) {
  if (writes == Writes::by_thread) thread_ = std::thread([this] { loop(); });
}

Writer::~Writer() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Writer::submit(std::optional<RoomId> room, Job job, Committed done) {
  Queued queued;
  queued.room = std::move(room);
  queued.job = std::move(job);
  queued.done = std::move(done);
  enqueue(std::move(queued));
}

void Writer::submit_lazily(std::function<Result<void>(Connection&)> use, Saved done) {
  Queued queued;
  queued.lazy = true;
  queued.job = [use = std::move(use)](WriteContext& context) -> Result<StreamPosition> {
    return use(context.connection).map([] { return StreamPosition{0}; });
  };
  queued.done = [done = std::move(done)](const Result<StreamPosition>& result) {
    done(result.map([](StreamPosition) {}));
  };
  enqueue(std::move(queued));
}

void Writer::enqueue(Queued queued) {
  {
    std::scoped_lock lock(mutex_);
    queued.number = ++last_number_;
    if (!queued.lazy) ++urgent_;
    if (queued.lazy && urgent_ == queue_.size()) lazy_until_ = std::chrono::steady_clock::now() + lazy_time;
    queue_.push_back(std::move(queued));
  }
  wake_.notify_one();
}

void Writer::wait_for_work(std::unique_lock<std::mutex>& lock) {
  while (!stopping_ && urgent_ == 0) {
    if (queue_.empty()) {
      wake_.wait(lock);
    } else if (wake_.wait_until(lock, lazy_until_) == std::cv_status::timeout) {
      return;
    }
  }
}

Result<StreamPosition> Writer::run(Job job) {
  auto result = std::make_shared<std::promise<Result<StreamPosition>>>();
  auto future = result->get_future();
  submit(std::nullopt, std::move(job), [result](Result<StreamPosition> done) { result->set_value(std::move(done)); });
  while (write_waiting() && future.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
  }
  return future.get();
}

Result<void> Writer::write(std::function<Result<void>(Connection&)> use) {
  auto written = run([use = std::move(use)](WriteContext& context) -> Result<StreamPosition> {
    return use(context.connection).map([] { return StreamPosition{0}; });
  });
  return written.map([](StreamPosition) {});
}

WriteStats Writer::stats() const {
  std::scoped_lock lock(mutex_);
  return stats_;
}

void Writer::loop() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wait_for_work(lock);
    }
    if (!write_next_group()) return;
  }
}

bool Writer::has_waiting() const {
  std::scoped_lock lock(mutex_);
  return !queue_.empty();
}

bool Writer::write_waiting() { return !thread_.joinable() && write_next_group(); }

// False when nothing waits.
bool Writer::write_next_group() {
  std::deque<Queued> group;
  {
    std::unique_lock lock(mutex_);
    if (queue_.empty()) return false;
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), group_jobs));
    std::move(queue_.begin(), queue_.begin() + count, std::back_inserter(group));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    urgent_ -= static_cast<std::size_t>(
        std::count_if(group.begin(), group.end(), [](const Queued& queued) { return !queued.lazy; }));
    stats_.jobs += group.size();
    const auto size_class = static_cast<std::size_t>(std::bit_width(group.size() - 1));
    ++stats_.groups_by_size[std::min(size_class, stats_.groups_by_size.size() - 1)];
  }
  write_group(group);
  answer(group);
  return true;
}

void Writer::write_group(std::deque<Queued>& group) {
  WriteContext context(*connection_, sequencer_);
  try {
    Query(*connection_, "BEGIN IMMEDIATE").run();
    for (Queued& queued : group) run_in_savepoint(context, queued);
    // Outside the savepoints: a job that fails takes its rows back, but not the positions that others took after it.
    const auto end = sequencer_.reservation_due();
    if (end) Query(*connection_, "UPDATE meta SET value = ? WHERE name = 'reserved_position'", *end).run();
    Query(*connection_, "COMMIT").run();
    if (end) sequencer_.reserved(*end);
  } catch (const SQLite::Exception& error) {
    roll_back(group, error.what());
  }
  sequencer_.complete(context.taken());
}

void Writer::roll_back(std::deque<Queued>& group, const char* why) {
  for (Queued& queued : group) queued.result = tl::make_unexpected(storage_error(why));
  sequencer_.give_up_unreserved();
  try {
    connection_->execute("ROLLBACK");
  } catch (const SQLite::Exception&) {
    // SQLite rolled back by itself.
  }
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
    // After some errors (a full disk) SQLite has ended the transaction, and there is nothing to go on with.
    if (!connection_->in_transaction()) throw;
    queued.result = tl::make_unexpected(storage_error(error.what()));
  }
  // Inside the group, what follows in the room fails at once; what is queued meanwhile is told apart in answer().
  if (!queued.result && queued.room) poisoned_[*queued.room] = UINT64_MAX;
  if (!queued.result) Query(*connection_, "ROLLBACK TO job").run();
  Query(*connection_, "RELEASE job").run();
}

void Writer::answer(std::deque<Queued>& group) {
  for (Queued& queued : group) {
    const bool failed = !queued.result;
    if (queued.done) queued.done(std::move(queued.result));
    if (failed && queued.room) {
      std::scoped_lock lock(mutex_);
      poisoned_[*queued.room] = last_number_;
    }
    queued = Queued{};  // what the job holds ends here
  }
}

}  // namespace skerry::storage
