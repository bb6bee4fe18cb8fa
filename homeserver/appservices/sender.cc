#include "homeserver/appservices/sender.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <vector>

#include "core/crypto.h"
#include "homeserver/appservices/transaction.h"
#include "net/log.h"
#include "storage/appservice_store.h"

namespace skerry::homeserver {

namespace {

constexpr std::chrono::milliseconds longest_rest{60'000};
constexpr std::int64_t rest_at_least_ms = 500;  // also for one that makes requests
// A stretch of the stream in which nothing was of interest is noted down when it is this long.
constexpr storage::StreamPosition noted_stretch = 1'000;

}  // namespace

// A lane is idle, working (a task of the pool or a request is under way) or resting (a timer runs).
struct AppserviceSender::Impl : std::enable_shared_from_this<Impl> {
  struct Lane {
    Lane(const Appservice& one, const Parts& parts)
        : appservice(one), collector(one, parts.database, parts.typing, parts.presence, parts.clock) {}

    const Appservice& appservice;
    // -- guarded by the mutex
    enum class State { idle, working, resting } state = State::idle;
    bool woken = false;
    std::int64_t rest_began_ms = 0;
    net::Scheduler::Handle timer;
    // -- of whoever works
    AppserviceCollector collector;
    storage::AppserviceCursor cursor;
    storage::StreamPosition looked_up_to = 0;   // nothing of interest up to here but what is pending
    storage::StreamPosition passing_up_to = 0;  // ephemeral data was taken up to here
    std::optional<AppserviceTransaction> transaction;
    std::int64_t passing_serial = 0;  // of transactions of ephemeral data alone, which are not kept
    std::int64_t backoff_ms = 0;
  };

  explicit Impl(Parts all) : parts(all) {
    for (const auto& one : parts.appservices.all()) {
      if (!one->registration().url.empty()) lanes.push_back(std::make_unique<Lane>(*one, parts));
    }
  }

  Result<void> start() {
    const storage::StreamPosition now = parts.database.stream().current();
    for (const auto& lane : lanes) {
      storage::AppserviceCursor fresh;
      fresh.sent_up_to = now;
      auto cursor = parts.database.appservices().open_cursor(lane->appservice.id(), fresh);
      if (!cursor) return tl::make_unexpected(cursor.error());
      lane->cursor = std::move(*cursor);
      lane->looked_up_to = lane->cursor.sent_up_to;
      lane->passing_up_to = now;
    }
    {
      const std::lock_guard lock(mutex);
      started = true;
    }
    wake();
    return {};
  }

  void wake() {
    for (const auto& lane : lanes) {
      {
        const std::lock_guard lock(mutex);
        lane->woken = true;
        if (!started || stopped || lane->state != Lane::State::idle) continue;
        lane->state = Lane::State::working;
      }
      post(*lane);
    }
  }

  void post(Lane& lane) {
    if (!parts.pool.post([self = shared_from_this(), &lane] { self->work(lane); })) rest(lane, "this server is busy");
  }

  // On the pool: sends the next transaction, or the last one again, or goes idle.
  void work(Lane& lane) {
    {
      const std::lock_guard lock(mutex);
      if (stopped) return;
      lane.woken = false;
    }
    if (!lane.transaction) {
      if (auto prepared = prepare(lane); !prepared) return rest(lane, prepared.error().text);
    }
    if (lane.transaction) return send(lane);
    {
      const std::lock_guard lock(mutex);
      if (!lane.woken) lane.state = Lane::State::idle;
      if (lane.state == Lane::State::idle) return;
    }
    post(lane);
  }

  // Leaves lane.transaction empty when there is nothing to send.
  Result<void> prepare(Lane& lane) {
    storage::AppserviceCursor& cursor = lane.cursor;
    if (cursor.pending_up_to > 0) {
      auto again = lane.collector.collect_again(cursor.sent_up_to, cursor.pending_up_to, cursor.pending);
      if (!again) return tl::make_unexpected(again.error());
      if (again->events.empty()) return taken(lane, *again), Result<void>();  // an invite that is over by now
      again->id = cursor.name + "-" + std::to_string(cursor.serial);
      lane.transaction = std::move(*again);
      return {};
    }
    auto next = lane.collector.collect(lane.looked_up_to, lane.passing_up_to);
    if (!next) return tl::make_unexpected(next.error());
    if (next->events.empty() && !next->passing) {
      lane.looked_up_to = next->up_to;
      lane.passing_up_to = std::max(lane.passing_up_to, next->passing_up_to);
      if (next->up_to - cursor.sent_up_to >= noted_stretch) {
        cursor.sent_up_to = next->up_to;
        save_lazily(lane);
      }
      return {};
    }
    if (next->events.empty()) {
      next->id = run_name + "-passing-" + std::to_string(++lane.passing_serial);
    } else {
      storage::AppserviceCursor begun = cursor;
      begun.name = run_name;
      ++begun.serial;
      begun.pending_up_to = next->up_to;
      begun.pending = next->events;
      if (auto saved = parts.database.appservices().save_cursor(lane.appservice.id(), begun); !saved) return saved;
      cursor = std::move(begun);
      next->id = cursor.name + "-" + std::to_string(cursor.serial);
    }
    lane.transaction = std::move(*next);
    return {};
  }

  void send(Lane& lane) {
    AppserviceRequest request;
    request.method = "PUT";
    request.path = request.legacy_path = "/transactions/" + net::percent_encode(lane.transaction->id);
    request.body = lane.transaction->body;
    parts.client.send(lane.appservice, std::move(request),
                      [self = shared_from_this(), &lane](Result<net::HttpResponse> answer) {
                        if (!answer && answer.error().code == ErrorCode::cancelled) return;
                        if (!answer) return self->rest(lane, answer.error().text);
                        if (answer->status / 100 != 2)
                          return self->rest(lane, "it answered " + std::to_string(answer->status));
                        self->acknowledged(lane);
                      });
  }

  void acknowledged(Lane& lane) {
    const AppserviceTransaction transaction = std::move(*lane.transaction);
    lane.transaction.reset();
    lane.backoff_ms = 0;
    taken(lane, transaction);
    post(lane);
  }

  void taken(Lane& lane, const AppserviceTransaction& transaction) {
    lane.looked_up_to = std::max(lane.looked_up_to, transaction.up_to);
    lane.passing_up_to = std::max(lane.passing_up_to, transaction.passing_up_to);
    lane.cursor.sent_up_to = lane.looked_up_to;
    if (lane.cursor.pending_up_to == 0) return;
    lane.cursor.pending_up_to = 0;
    lane.cursor.pending.clear();
    save_lazily(lane);
  }

  // What a crash takes of this is sent again under its id, by which the other side knows it.
  void save_lazily(Lane& lane) {
    parts.database.appservices().save_cursor_lazily(lane.appservice.id(), lane.cursor, [](const Result<void>& saved) {
      if (!saved) log::error("appservices", saved.error().text);
    });
  }

  // After a failure: again later, twice as long each time.
  void rest(Lane& lane, const std::string& why) {
    // Ephemeral data alone is not insisted on: by then there may be newer.
    if (lane.transaction && lane.transaction->events.empty()) lane.transaction.reset();
    lane.backoff_ms =
        std::min<std::int64_t>(federation::next_backoff_ms(parts.backoff, lane.backoff_ms), longest_rest.count());
    {
      const std::lock_guard lock(mutex);
      if (stopped) return;
      lane.state = Lane::State::resting;
      lane.rest_began_ms = parts.clock.now_ms();
      lane.timer = timer(lane, lane.backoff_ms);
    }
    log::info("appservices",
              lane.appservice.id() + " is tried again in " + std::to_string(lane.backoff_ms) + " ms: " + why);
  }

  net::Scheduler::Handle timer(Lane& lane, std::int64_t delay_ms) {
    return parts.scheduler.after(std::chrono::milliseconds(delay_ms), [weak = weak_from_this(), &lane] {
      if (auto self = weak.lock()) self->rested(lane);
    });
  }

  void rested(Lane& lane) {
    {
      const std::lock_guard lock(mutex);
      if (stopped || lane.state != Lane::State::resting) return;
      lane.state = Lane::State::working;
    }
    post(lane);
  }

  void saw_alive(const Appservice& appservice) {
    net::Scheduler::Handle old;  // cancelled after the lock is released
    const std::lock_guard lock(mutex);
    for (const auto& lane : lanes) {
      if (&lane->appservice != &appservice || stopped || lane->state != Lane::State::resting) continue;
      const std::int64_t rested_ms = parts.clock.now_ms() - lane->rest_began_ms;
      old = std::exchange(lane->timer, timer(*lane, std::max<std::int64_t>(0, rest_at_least_ms - rested_ms)));
    }
  }

  void stop() {
    std::vector<net::Scheduler::Handle> timers;  // cancelled after the lock is released
    const std::lock_guard lock(mutex);
    stopped = true;
    for (const auto& lane : lanes) timers.push_back(std::move(lane->timer));
  }

  const Parts parts;
  // Begins the ids of this run's transactions: a database that goes back to what it was gives none of them again.
  const std::string run_name = base64url_encode(parts.random.bytes(9));
  std::mutex mutex;
  bool started = false;  // before, no lane knows where it stands
  bool stopped = false;
  std::vector<std::unique_ptr<Lane>> lanes;
};

AppserviceSender::AppserviceSender(Parts parts) : impl_(std::make_shared<Impl>(parts)) {}
AppserviceSender::~AppserviceSender() { stop(); }
Result<void> AppserviceSender::start() { return impl_->start(); }
void AppserviceSender::wake() { impl_->wake(); }
void AppserviceSender::saw_alive(const Appservice& appservice) { impl_->saw_alive(appservice); }
void AppserviceSender::stop() { impl_->stop(); }

}  // namespace skerry::homeserver
