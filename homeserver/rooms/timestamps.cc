#include "homeserver/rooms/timestamps.h"

#include <charconv>

#include "storage/event_index.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t looked_at = 1'000;
constexpr std::size_t batch_size = 20;

}  // namespace

Result<std::optional<storage::StoredEvent>> closest_event(
    storage::Database& database, const RoomId& room, std::int64_t ts_ms, bool forwards,
    const std::function<Result<bool>(const storage::StoredEvent&)>& may_see) {
  if (auto ready = database.index().catch_up(); !ready) return tl::make_unexpected(ready.error());
  for (std::size_t skip = 0; skip < looked_at; skip += batch_size) {
    auto batch = database.index().by_time(room, ts_ms, forwards, skip, batch_size);
    if (!batch) return tl::make_unexpected(batch.error());
    for (storage::StoredEvent& stored : *batch) {
      auto seen = may_see(stored);
      if (!seen) return tl::make_unexpected(seen.error());
      if (*seen) return std::move(stored);
    }
    if (batch->size() < batch_size) break;
  }
  return std::nullopt;
}

Result<TimeQuery> parse_time_query(const std::string* ts, const std::string* dir) {
  if (ts == nullptr || dir == nullptr) return fail(ErrorCode::missing_param, "ts and dir are required");
  TimeQuery query;
  const auto [end, error] = std::from_chars(ts->data(), ts->data() + ts->size(), query.ts_ms);
  if (error != std::errc{} || end != ts->data() + ts->size())
    return fail(ErrorCode::invalid_param, "ts must be a number of milliseconds");
  if (*dir != "f" && *dir != "b") return fail(ErrorCode::invalid_param, "dir must be f or b");
  query.forwards = *dir == "f";
  return query;
}

}  // namespace skerry::homeserver
