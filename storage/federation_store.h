// What federation keeps: other servers' keys, where the outbox stands per destination, transactions already answered.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/types.h"
#include "storage/writer.h"

namespace skerry::storage {

struct StoredServerKey {
  KeyId key_id;
  Ed25519PublicKey key{};
  std::int64_t valid_until_ms = 0;
  bool old = false;  // from old_verify_keys: valid_until_ms is expired_ts
};

struct OutboxEdu {
  std::int64_t id = 0;
  std::string edu_json;  // {"edu_type":..., "content":...}
};

struct Destination {
  ServerName server;
  StreamPosition sent_up_to = 0;  // every event owed at or before it was acknowledged
  std::int64_t retry_at_ms = 0;   // 0: not failing
  std::int64_t backoff_ms = 0;
};

// Thread-safe. Writes return when durable.
class FederationStore {
 public:
  virtual ~FederationStore() = default;

  // A server's keys, with the response they came in for notary answers. Replaces what is newer only.
  virtual Result<void> save_server_keys(const ServerName& server, const std::vector<StoredServerKey>& keys,
                                        const std::string& response_json) = 0;
  virtual Result<std::vector<StoredServerKey>> server_keys(const ServerName& server) = 0;
  virtual Result<std::optional<std::string>> server_keys_response(const ServerName& server) = 0;

  // -- outbox: a cursor per server, no row per message. What a server is owed follows from the events marked
  // `distribute` and from the stretches of the stream during which it had a user in their room (its last user's leave
  // included).
  virtual Result<Destination> destination(const ServerName& server) = 0;
  virtual Result<std::vector<ServerName>> servers_owed() = 0;  // events or EDUs; for start-up
  // The next events owed: canonical texts with position > after, oldest first; for each its position.
  struct Owed {
    StreamPosition position = 0;
    EventId event;
    RoomId room;
    std::string canonical_text;
  };
  virtual Result<std::vector<Owed>> owed_events(const ServerName& server, StreamPosition after, std::size_t limit) = 0;
  // On the disk with the next commit, or soon without one: what a crash takes of it is sent again, and known there.
  // `done` runs on the writer's thread: it must not block.
  virtual void save_cursor(const ServerName& server, StreamPosition sent_up_to, Saved done) = 0;
  virtual Result<void> save_retry(const ServerName& server, std::int64_t retry_at_ms, std::int64_t backoff_ms) = 0;
  virtual Result<void> add_edus(const std::vector<ServerName>& servers, const std::string& edu_json) = 0;
  virtual Result<std::vector<OutboxEdu>> edus(const ServerName& server, std::size_t limit) = 0;
  virtual Result<void> remove_edus(const ServerName& server, std::int64_t up_to_id) = 0;

  // -- inbound transactions
  virtual Result<std::optional<std::string>> transaction_response(const ServerName& origin,
                                                                  const std::string& transaction_id) = 0;
  // As save_cursor(): an answer that a crash took is made again, for events that are known by then.
  virtual void save_transaction_response(const ServerName& origin, const std::string& transaction_id,
                                         const std::string& response_json, Saved done) = 0;
};

}  // namespace skerry::storage
