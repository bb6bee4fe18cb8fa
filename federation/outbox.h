// What this server owes others: per destination a cursor into the stream, order kept, one request in flight, backoff.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/ids.h"
#include "federation/client.h"
#include "net/runtime.h"
#include "net/worker_pool.h"
#include "storage/federation_store.h"

namespace skerry::federation {

struct OutboxStats {
  std::uint64_t pdus = 0;  // acknowledged since the start
  std::uint64_t edus = 0;
  std::size_t sending = 0;  // servers that are being sent to
  std::size_t resting = 0;  // and those that are owed something and gave no answer lately
};

// Thread-safe. Holds no thread per destination and none while waiting for an answer.
class Outbox {
 public:
  // `pool` runs what waits for the store.
  Outbox(RequestSender& client, storage::FederationStore& store, net::Scheduler& scheduler, net::WorkerPool& pool,
         net::Clock& clock, ServerName us, BackoffOptions backoff);
  ~Outbox();

  // Takes up what was owed when the program last ended.
  void start();
  // There may be something new in the store for these servers (after a commit was answered).
  void wake(const std::vector<ServerName>& servers);
  // Durable EDUs (receipts, to-device): stored first, sent in order.
  Result<void> queue_edu(const std::vector<ServerName>& servers, const Json& edu);
  // EDUs that may be lost (typing): sent with the next transaction if the server is up, replaced by a newer one of the
  // same `key`.
  void send_ephemeral_edu(const std::vector<ServerName>& servers, const std::string& key, const Json& edu);
  // A valid request came from this server: try at once.
  void saw_alive(const ServerName& server);
  OutboxStats stats() const;
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::federation
