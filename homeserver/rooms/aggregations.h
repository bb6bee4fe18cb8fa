// Events as clients see them, with what others say of them bundled in unsigned.m.relations. Client-server API,
// 'Aggregations of child events'.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/json.h"
#include "homeserver/rooms/reader.h"
#include "storage/database.h"

namespace skerry::homeserver {

// The users whose events a user does not want to see ('Ignoring Users'). Errors: storage.
Result<std::vector<UserId>> ignored_users(storage::Database& database, const UserId& user);

// For one request of one device; not thread-safe.
class Aggregator {
 public:
  Aggregator(storage::Database& database, std::int64_t now_ms, UserId reader, std::string reader_device)
      : database_(database), now_ms_(now_ms), reader_(std::move(reader)), device_(std::move(reader_device)) {}

  // client_event() of each, in that order. REQUIRES: the reader may see them; they are of one room. Errors: storage.
  Result<Json> show(const std::vector<storage::StoredEvent>& events, bool with_room_id);
  Result<Json> show(const storage::StoredEvent& event, bool with_room_id = true);

 private:
  Result<Json> bundle(const storage::StoredEvent& event, const std::set<std::string>& types, bool with_room_id);
  Result<std::optional<Json>> latest_edit(const storage::StoredEvent& event, bool with_room_id);
  Result<std::optional<Json>> thread(const storage::StoredEvent& root, bool with_room_id);
  Result<std::optional<Json>> references(const storage::StoredEvent& event);
  Result<bool> counts(const storage::StoredEvent& child);
  Result<const std::vector<UserId>*> ignored();
  Json plain(const storage::StoredEvent& event, bool with_room_id);

  storage::Database& database_;
  const std::int64_t now_ms_;
  const UserId reader_;
  const std::string device_;
  std::optional<std::vector<UserId>> ignored_;
};

}  // namespace skerry::homeserver
