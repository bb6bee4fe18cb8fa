// GET /rooms/{roomId}/timestamp_to_event   the event closest to a time; asks other servers where this one's history
// ends Client-server API, 'Getting events for a room'.
#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/rooms/timestamps.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr int backfills = 3;  // at most, so that a request ends
constexpr std::size_t backfilled_at_once = 200;

// Whether there may be events that this server has not got, and that were sent before all those it has from then on.
Result<bool> history_ends_after(Services& services, const RoomId& room, std::int64_t ts_ms) {
  auto gaps = services.database.rooms().backward_extremities(room, 1);
  if (!gaps) return tl::make_unexpected(gaps.error());
  if (gaps->empty()) return false;
  const auto any = [](const storage::StoredEvent&) -> Result<bool> { return true; };
  auto earlier = closest_event(services.database, room, ts_ms, false, any);
  if (!earlier) return tl::make_unexpected(earlier.error());
  return !earlier->has_value();
}

}  // namespace

void get_timestamp_to_event(Services& services, Call call, Reply reply) {
  auto seen = seen_room(services, call, 0);
  if (!seen) return reply.error(seen.error());
  auto query = parse_time_query(call.query_value("ts"), call.query_value("dir"));
  if (!query) return reply.error(query.error());
  for (int i = 0; i < backfills && seen->membership.membership == "join"; ++i) {
    auto incomplete = history_ends_after(services, seen->room, query->ts_ms);
    if (!incomplete) return reply.error(incomplete.error());
    if (!*incomplete) break;
    auto fetched = services.pipeline.backfill(seen->room, backfilled_at_once);
    if (!fetched || !*fetched) break;
  }
  auto found = closest_event(
      services.database, seen->room, query->ts_ms, query->forwards,
      [&](const storage::StoredEvent& stored) { return services.reader.may_see(call.caller->user, stored); });
  if (!found) return reply.error(found.error());
  if (!*found) return reply.error({ErrorCode::not_found, "no event was found in that direction"});
  const Event& event = *(*found)->event;
  reply.json({{"event_id", event.id().str()}, {"origin_server_ts", event.origin_server_ts_ms()}});
}

}  // namespace skerry::homeserver::client_api
