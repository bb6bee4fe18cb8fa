// Who is to hear of a presence: this server's users in a room with that user, and the other servers there.
#pragma once

#include <memory>

#include "federation/outbox.h"
#include "homeserver/sync/notifier.h"
#include "homeserver/sync/presence.h"
#include "net/worker_pool.h"
#include "storage/database.h"

namespace skerry::homeserver {

// Thread-safe. Does its work on the pool: who is in a room is read from the store.
class PresenceNews {
 public:
  PresenceNews(storage::Database& database, Notifier& notifier, federation::Outbox& outbox, net::WorkerPool& pool,
               net::Clock& clock, ServerName us);
  void tell(const Presence& presence, PresenceChange change);
  // Somebody joined a room: their server hears of our users there, or the servers there of our user.
  void joined(const Presence& presence, const RoomId& room, const UserId& user);

 private:
  void send(const Presence& presence, const std::vector<ServerName>& servers, const std::string& key,
            const std::vector<UserId>& users);

  storage::Database& database_;
  Notifier& notifier_;
  federation::Outbox& outbox_;
  net::WorkerPool& pool_;
  net::Clock& clock_;
  const ServerName us_;
};

}  // namespace skerry::homeserver
