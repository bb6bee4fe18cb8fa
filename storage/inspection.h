// Looks into a homeserver's database from beside the server, also while it runs: nothing is written.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "storage/federation_store.h"
#include "storage/room_store.h"

namespace skerry::storage {

// Each method sees the database as it is at that moment. Not thread-safe. Errors: storage.
class Inspection {
 public:
  virtual ~Inspection() = default;

  virtual Result<std::optional<RoomInfo>> room(const RoomId& room) = 0;
  virtual Result<std::optional<RoomId>> resolve_alias(const RoomAlias& alias) = 0;
  virtual Result<std::optional<RoomHead>> head(const RoomId& room) = 0;
  // Everything that is kept of a room, whatever its verdict, outliers too: by depth, then by order of arrival.
  virtual Result<std::vector<StoredEvent>> events(const RoomId& room) = 0;
  virtual Result<std::optional<StoredEvent>> event(const EventId& id) = 0;
  virtual Result<StateMap> state(StateId id) = 0;
  // How this server's outbox stands with another. Zeros for one that was never sent to.
  virtual Result<Destination> destination(const ServerName& server) = 0;
};

// Opens `folder`/homeserver.db, which another process may be using. Errors: not_found (there is none), storage (made by
// another version of this program).
Result<std::unique_ptr<Inspection>> inspect_sqlite(const std::string& folder);

}  // namespace skerry::storage
