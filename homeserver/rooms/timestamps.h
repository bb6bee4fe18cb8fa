// The event of a room that is closest to a time.
#pragma once

#include <functional>
#include <optional>

#include "storage/database.h"

namespace skerry::homeserver {

// Of the events sent at `ts_ms` or after it (or before, not `forwards`) the closest one that `may_see` admits; nothing
// when there is none, or none among the closest thousand. Brings the index up to date first: waits for the writer.
Result<std::optional<storage::StoredEvent>> closest_event(
    storage::Database& database, const RoomId& room, std::int64_t ts_ms, bool forwards,
    const std::function<Result<bool>(const storage::StoredEvent&)>& may_see);

// What a request says of time and direction; `dir` is f or b.
struct TimeQuery {
  std::int64_t ts_ms = 0;
  bool forwards = true;
};
// Errors: missing_param, invalid_param. Null stands for what is absent.
Result<TimeQuery> parse_time_query(const std::string* ts, const std::string* dir);

}  // namespace skerry::homeserver
