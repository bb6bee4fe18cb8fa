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
  // `pool` runs what waits for the store. `trusted_notaries` are believed about other servers' keys.
  KeyRing(FederationClient& client, storage::FederationStore& store, net::Clock& clock, net::WorkerPool& pool,
          ServerName us, SigningKey our_key, std::vector<ServerName> trusted_notaries = {});
  ~KeyRing();

  // A key that may sign requests: given by its server or a trusted notary, not one of its old_verify_keys. From memory
  // or store; never fetches. Our own key is known. The caller looks at its validity.
  std::optional<KnownKey> find(const ServerName& server, const KeyId& key) const;
  // Keys that may sign events: those, old ones, and what peers told of servers that could not be asked.
  KeyLookup lookup() const;

  // Makes sure that the keys were asked for, then calls `done` (on any thread; it must not block) whether found or not.
  // What the origins did not give is asked of the trusted notaries and then of `peers`: servers that passed on what has
  // to be checked. A peer is believed less: see lookup(). A server that answered without the key is not asked again for
  // a minute; one that gives no answer has its backoff.
  void fetch(std::vector<std::pair<ServerName, KeyId>> keys, const std::vector<ServerName>& peers,
             std::function<void()> done);

  // GET /_matrix/key/v2/server: our own keys, signed, valid for a day.
  Json own_keys() const;
  // What POST /_matrix/key/v2/query answers for one server: its response with our signature added, or nothing. It is
  // asked when what is stored lacks one of `keys` or ends too soon. `done` runs on any thread and must not block.
  void notary_answer(const ServerName& server, const std::vector<KeyId>& keys, std::int64_t minimum_valid_until_ms,
                     std::function<void(std::optional<Json>)> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::federation
