// From (user, device, since, now) to the body of a /sync response. Read-only. Client-server API, 'Syncing'.
#pragma once

#include <optional>
#include <string>

#include "core/json.h"
#include "homeserver/rooms/reader.h"
#include "homeserver/sync/filter.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/typing.h"
#include "homeserver/sync/unread.h"
#include "storage/database.h"

namespace skerry::homeserver {

struct SyncRequest {
  UserId user;
  std::string device;
  std::optional<storage::StreamPosition> since;  // absent: initial
  bool full_state = false;
  bool use_state_after = false;
  Filter filter;
};

// Thread-safe.
class SyncBuilder {
 public:
  SyncBuilder(storage::Database& database, RoomReader& reader, const Typing& typing, const Presence& presence,
              UnreadCounter& unread);
  // The response up to position `now`, next_batch included. `*empty` becomes true when nothing in it is worth waking a
  // client for. Errors: storage.
  Result<Json> build(const SyncRequest& request, storage::StreamPosition now, std::int64_t now_ms, bool* empty);

 private:
  storage::Database& database_;
  RoomReader& reader_;
  const Typing& typing_;
  const Presence& presence_;
  UnreadCounter& unread_;
};

}  // namespace skerry::homeserver
