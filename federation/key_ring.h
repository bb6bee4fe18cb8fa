// Other servers' signing keys: cached, stored, fetched from the origin first and a notary second; one fetch per server
// at a time. Server-server API, 'Retrieving server keys'.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "core/event.h"
#include "federation/client.h"
#include "net/runtime.h"
#include "net/worker_pool.h"
#include "storage/federation_store.h"

namespace skerry::federation {

// Thread-safe.
class KeyRing {
 public:
  // `pool` runs what waits for the store.
  KeyRing(FederationClient& client, storage::FederationStore& store, net::Clock& clock, net::WorkerPool& pool,
          ServerName us, SigningKey our_key);
  ~KeyRing();

  // What is known, from memory or store; never fetches. Our own key is known.
  std::optional<KnownKey> find(const ServerName& server, const KeyId& key) const;
  KeyLookup lookup() const;

  // Makes sure that the keys were asked for, then calls `done` (on any thread; it must not block) whether found or not.
  // `notaries` are asked for what the origins did not give. A server that answered without the key is
  // not asked again for a minute; one that gives no answer has its backoff.
  void fetch(std::vector<std::pair<ServerName, KeyId>> keys, std::vector<ServerName> notaries,
             std::function<void()> done);

  // GET /_matrix/key/v2/server: our own keys, signed, valid for a day.
  Json own_keys() const;
  // What POST /_matrix/key/v2/query answers for one server: its response with our signature added, or nothing.
  void notary_answer(const ServerName& server, std::int64_t minimum_valid_until_ms,
                     std::function<void(std::optional<Json>)> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::federation
