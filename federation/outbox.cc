#include "federation/outbox.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "core/crypto.h"
#include "core/limits.h"
#include "federation/backoff.h"
#include "net/http.h"
#include "net/log.h"

namespace skerry::federation {

namespace {

constexpr std::size_t kept_ephemeral = 100;  // per destination
constexpr std::size_t response_bytes = 1'048'576;

// How far a transaction goes.
struct Extent {
  storage::StreamPosition last_position = 0;  // 0: no events
  std::int64_t last_edu = 0;                  // 0: no durable EDUs
};

struct Transaction {
  std::string id;
  std::string body;
  Extent extent;
  std::size_t pdus = 0;
  std::size_t edus = 0;
};

// A little earlier for some servers than for others: those that failed together do not all come back together.
std::int64_t spread(std::int64_t delay_ms, const ServerName& server) {
  const auto part = static_cast<std::int64_t>(std::hash<ServerName>{}(server) % 256);
  return delay_ms - delay_ms / 4 * part / 256;
}

}  // namespace

// A destination is idle (not in the map), working (a task of the pool or a request is under way) or resting (a timer
// runs).
struct Outbox::Impl : std::enable_shared_from_this<Impl> {
  struct Destination {
    bool resting = false;
    bool woken = false;                            // something may be new since the store was read
    bool urgent = false;                           // a sign of life came meanwhile: no rest
    std::map<std::string, std::string> ephemeral;  // by key: the newest
    // What was sent and not acknowledged. A retry goes exactly as far, so that it is the same transaction; the bodies
    // of servers that are away are not kept, but read again.
    std::optional<Extent> attempted;
    std::int64_t backoff_ms = 0;
    net::Scheduler::Handle timer;
  };

  Impl(RequestSender& federation_client, storage::FederationStore& federation_store, net::Scheduler& timers,
       net::WorkerPool& workers, net::Clock& time, ServerName name, BackoffOptions options)
      : client(federation_client),
        store(federation_store),
        scheduler(timers),
        pool(workers),
        clock(time),
        us(std::move(name)),
        backoff(options) {}

  RequestSender& client;
  storage::FederationStore& store;
  net::Scheduler& scheduler;
  net::WorkerPool& pool;  // for what waits for the store
  net::Clock& clock;
  const ServerName us;
  const BackoffOptions backoff;
  std::mutex mutex;
  bool stopped = false;
  std::unordered_map<ServerName, Destination> destinations;
  // How far servers acknowledged what the store does not tell yet. It is written later than the next transaction is
  // sent.
  std::unordered_map<ServerName, storage::StreamPosition> unsaved;
  std::atomic<std::uint64_t> serial = 0;
  std::atomic<std::uint64_t> sent_pdus = 0;
  std::atomic<std::uint64_t> sent_edus = 0;

  void wake(const ServerName& server) {
    {
      std::scoped_lock lock(mutex);
      if (stopped || server == us) return;
      const auto [found, idle] = destinations.try_emplace(server);
      found->second.woken = true;
      if (!idle) return;
    }
    work(server);
  }

  void work(const ServerName& server) {
    const bool queued = pool.post([self = shared_from_this(), server] { self->prepare(server); });
    if (!queued) rest(server, "the worker pool is full");
  }

  // On the pool: builds and sends the next transaction, or goes idle.
  void prepare(const ServerName& server) {
    std::map<std::string, std::string> ephemeral;
    std::optional<Extent> again;
    {
      std::scoped_lock lock(mutex);
      const auto found = destinations.find(server);
      if (stopped || found == destinations.end()) return;
      found->second.woken = false;
      again = found->second.attempted;
      ephemeral.swap(found->second.ephemeral);
    }
    auto built = build(server, ephemeral, again);
    if (!built) return rest(server, built.error().text);
    if (!*built) {
      if (goes_idle(server)) return;
      return work(server);
    }
    {
      std::scoped_lock lock(mutex);
      const auto found = destinations.find(server);
      if (stopped || found == destinations.end()) return;
      found->second.attempted = (*built)->extent;
      found->second.urgent = false;
    }
    send(server, std::move(**built));
  }

  // False when there may be something to send that was not looked at.
  bool goes_idle(const ServerName& server) {
    std::scoped_lock lock(mutex);
    const auto found = destinations.find(server);
    if (found == destinations.end()) return true;
    Destination& destination = found->second;
    const bool looked_at_all = !destination.attempted && !destination.woken && destination.ephemeral.empty();
    destination.attempted.reset();
    if (looked_at_all) destinations.erase(found);
    return looked_at_all;
  }

  // Nothing when there is nothing to send.
  Result<std::optional<Transaction>> build(const ServerName& server,
                                           const std::map<std::string, std::string>& ephemeral,
                                           const std::optional<Extent>& again) {
    auto destination = store.destination(server);
    if (!destination) return tl::make_unexpected(destination.error());
    auto owed =
        store.owed_events(server, std::max(destination->sent_up_to, unsaved_cursor(server)), limits::transaction_pdus);
    if (!owed) return tl::make_unexpected(owed.error());
    auto edus = store.edus(server, limits::transaction_edus - std::min(ephemeral.size(), limits::transaction_edus));
    if (!edus) return tl::make_unexpected(edus.error());
    if (again) {
      std::erase_if(*owed, [&](const auto& event) { return event.position > again->last_position; });
      std::erase_if(*edus, [&](const auto& edu) { return edu.id > again->last_edu; });
    }
    if (owed->empty() && edus->empty() && ephemeral.empty()) return std::nullopt;

    Transaction transaction;
    transaction.pdus = owed->size();
    transaction.edus = edus->size() + ephemeral.size();
    std::string pdus_text, edus_text;
    const auto append = [](std::string& list, const std::string& item) { list += (list.empty() ? "" : ",") + item; };
    for (const auto& event : *owed) {
      append(pdus_text, event.canonical_text);
      transaction.extent.last_position = event.position;
    }
    for (const auto& edu : *edus) {
      append(edus_text, edu.edu_json);
      transaction.extent.last_edu = edu.id;
    }
    const std::string durable_edus = edus_text;
    for (const auto& [key, edu] : ephemeral) append(edus_text, edu);
    // The same durable content gives the same id, also after a restart: the other side answers what it answered. What
    // passes may say the same twice and mean it: somebody types, stops, and types again.
    const bool durable = transaction.extent.last_position > 0 || transaction.extent.last_edu > 0;
    const std::string once =
        durable ? std::string() : std::to_string(clock.now_ms()) + "." + std::to_string(++serial) + edus_text;
    const Sha256 hash =
        sha256(pdus_text + "\n" + durable_edus + "\n" + std::to_string(transaction.extent.last_edu) + "\n" + once);
    transaction.id = base64url_encode(std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size()));
    transaction.body = R"({"edus":[)" + edus_text + R"(],"origin":)" + dump(Json(us.str())) +
                       R"(,"origin_server_ts":)" + std::to_string(clock.now_ms()) + R"(,"pdus":[)" + pdus_text + "]}";
    return transaction;
  }

  storage::StreamPosition unsaved_cursor(const ServerName& server) {
    std::scoped_lock lock(mutex);
    const auto found = unsaved.find(server);
    return found == unsaved.end() ? 0 : found->second;
  }

  void save_cursor(const ServerName& server, storage::StreamPosition position) {
    {
      std::scoped_lock lock(mutex);
      unsaved[server] = position;
    }
    store.save_cursor(server, position, [self = shared_from_this(), server, position](const Result<void>& saved) {
      // What could not be written stays known here, and is written with the next.
      if (!saved) return log::error("outbox", saved.error().text);
      std::scoped_lock lock(self->mutex);
      const auto found = self->unsaved.find(server);
      if (found != self->unsaved.end() && found->second == position) self->unsaved.erase(found);
    });
  }

  void send(const ServerName& server, Transaction transaction) {
    FederationRequest request;
    request.destination = server;
    request.method = "PUT";
    request.target = "/_matrix/federation/v1/send/" + net::percent_encode(transaction.id);
    request.body = std::move(transaction.body);
    request.timeout = limits::outbound_time;
    request.max_response_bytes = response_bytes;
    request.ignore_backoff = true;
    client.send(std::move(request),
                [self = shared_from_this(), server, extent = transaction.extent, pdus = transaction.pdus,
                 edus = transaction.edus](Result<Json> answer, const RemoteFailure&) {
                  if (!answer && answer.error().code == ErrorCode::cancelled) return;
                  if (!answer) return self->rest(server, answer.error().text);
                  self->sent_pdus += pdus;
                  self->sent_edus += edus;
                  log_refusals(server, *answer);
                  const bool queued = self->pool.post([self, server, extent] { self->acknowledged(server, extent); });
                  if (!queued) self->rest(server, "the worker pool is full");
                });
  }

  // What the other side would not take is its decision: it has it, and sending it again would not change that.
  static void log_refusals(const ServerName& server, const Json& answer) {
    const Json* results = answer.is_object() ? find_object(answer, "pdus") : nullptr;
    if (results == nullptr) return;
    for (const auto& [id, result] : results->items()) {
      if (result.is_object() && find_string(result, "error") != nullptr)
        log::info("outbox", server.str() + " refused " + id);
    }
  }

  // On the pool.
  void acknowledged(const ServerName& server, const Extent& extent) {
    if (extent.last_edu > 0) {
      const auto removed = store.remove_edus(server, extent.last_edu);
      if (!removed) return rest(server, removed.error().text);  // the same transaction again: the other side knows it
    }
    if (extent.last_position > 0) save_cursor(server, extent.last_position);
    {
      std::scoped_lock lock(mutex);
      const auto found = destinations.find(server);
      if (stopped || found == destinations.end()) return;
      found->second.attempted.reset();
      found->second.backoff_ms = 0;
    }
    prepare(server);
  }

  // After a failure: again later, twice as long each time.
  void rest(const ServerName& server, const std::string& why) {
    std::int64_t delay_ms = 0;
    std::int64_t backoff_ms = 0;
    {
      std::scoped_lock lock(mutex);
      const auto found = destinations.find(server);
      if (stopped || found == destinations.end()) return;
      Destination& destination = found->second;
      destination.backoff_ms = backoff_ms = next_backoff_ms(backoff, destination.backoff_ms);
      delay_ms = std::exchange(destination.urgent, false) ? 0 : spread(destination.backoff_ms, server);
      rest_for(server, destination, delay_ms);
    }
    log::info("outbox", server.str() + " is tried again in " + std::to_string(delay_ms) + " ms: " + why);
    (void)pool.post([self = shared_from_this(), server, retry_at_ms = clock.now_ms() + delay_ms, backoff_ms] {
      (void)self->store.save_retry(server, retry_at_ms, backoff_ms);
    });
  }

  // REQUIRES: mutex is held.
  void rest_for(const ServerName& server, Destination& destination, std::int64_t delay_ms) {
    destination.resting = true;
    destination.timer = scheduler.after(std::chrono::milliseconds(delay_ms), [weak = weak_from_this(), server] {
      if (auto self = weak.lock()) self->rested(server);
    });
  }

  void rested(const ServerName& server) {
    {
      std::scoped_lock lock(mutex);
      const auto found = destinations.find(server);
      if (stopped || found == destinations.end() || !found->second.resting) return;
      found->second.resting = false;
    }
    work(server);
  }

  void saw_alive(const ServerName& server) {
    net::Scheduler::Handle timer;  // cancelled after the lock is released
    {
      std::scoped_lock lock(mutex);
      const auto found = destinations.find(server);
      if (stopped || found == destinations.end()) return;
      found->second.backoff_ms = 0;
      found->second.urgent = true;
      if (!found->second.resting) return;
      found->second.resting = false;
      timer = std::move(found->second.timer);
    }
    work(server);
  }

  void send_ephemeral(const ServerName& server, const std::string& key, const std::string& edu) {
    {
      std::scoped_lock lock(mutex);
      if (stopped || server == us) return;
      const auto [found, idle] = destinations.try_emplace(server);
      if (found->second.resting) return;  // it is away: what passes has passed
      if (found->second.ephemeral.size() >= kept_ephemeral && !found->second.ephemeral.contains(key)) return;
      found->second.ephemeral[key] = edu;
      if (!idle) return;
    }
    work(server);
  }

  void start() {
    auto servers = store.servers_owed();
    if (!servers) return log::error("outbox", servers.error().text);
    for (const ServerName& server : *servers) {
      auto stored = store.destination(server);
      const std::int64_t left_ms =
          stored ? std::min<std::int64_t>(stored->retry_at_ms - clock.now_ms(), backoff.max.count()) : 0;
      if (left_ms <= 0) {
        wake(server);
        continue;
      }
      std::scoped_lock lock(mutex);
      const auto [found, idle] = destinations.try_emplace(server);
      if (!idle) continue;
      found->second.backoff_ms = stored->backoff_ms;
      rest_for(server, found->second, left_ms);
    }
  }

  OutboxStats stats() {
    OutboxStats stats{sent_pdus, sent_edus, 0, 0};
    std::scoped_lock lock(mutex);
    for (const auto& [server, destination] : destinations) ++(destination.resting ? stats.resting : stats.sending);
    return stats;
  }

  void stop() {
    std::unordered_map<ServerName, Destination> ended;  // timers are cancelled after the lock is released
    std::scoped_lock lock(mutex);
    stopped = true;
    ended.swap(destinations);
  }
};

Outbox::Outbox(RequestSender& client, storage::FederationStore& store, net::Scheduler& scheduler, net::WorkerPool& pool,
               net::Clock& clock, ServerName us, BackoffOptions backoff)
    : impl_(std::make_shared<Impl>(client, store, scheduler, pool, clock, std::move(us), backoff)) {}

Outbox::~Outbox() { stop(); }

void Outbox::start() { impl_->start(); }

void Outbox::wake(const std::vector<ServerName>& servers) {
  for (const ServerName& server : servers) impl_->wake(server);
}

Result<void> Outbox::queue_edu(const std::vector<ServerName>& servers, const Json& edu) {
  if (servers.empty()) return {};
  if (auto added = impl_->store.add_edus(servers, dump(edu)); !added) return added;
  wake(servers);
  return {};
}

void Outbox::send_ephemeral_edu(const std::vector<ServerName>& servers, const std::string& key, const Json& edu) {
  const std::string text = dump(edu);
  for (const ServerName& server : servers) impl_->send_ephemeral(server, key, text);
}

void Outbox::saw_alive(const ServerName& server) { impl_->saw_alive(server); }

OutboxStats Outbox::stats() const { return impl_->stats(); }

void Outbox::stop() { impl_->stop(); }

}  // namespace skerry::federation
