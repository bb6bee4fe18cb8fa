// GET /timestamp_to_event/{roomId}   the event closest to a time, of those that the asking server may see
// Server-server API, 'Retrieving events'.
#include <nlohmann/json.hpp>

#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"
#include "homeserver/rooms/timestamps.h"

namespace skerry::homeserver::federation_api {

void get_timestamp_to_event(Services& services, Call call, Reply reply) {
  auto room = room_of_origin(services, call, 0);
  if (!room) return reply.error(room.error());
  auto query = parse_time_query(call.query_value("ts"), call.query_value("dir"));
  if (!query) return reply.error(query.error());
  auto found = closest_event(
      services.database, *room, query->ts_ms, query->forwards,
      [&](const storage::StoredEvent& stored) { return services.reader.server_may_see(call.origin, stored); });
  if (!found) return reply.error(found.error());
  if (!*found) return reply.error({ErrorCode::not_found, "no event was found in that direction"});
  const Event& event = *(*found)->event;
  reply.json({{"event_id", event.id().str()}, {"origin_server_ts", event.origin_server_ts_ms()}});
}

}  // namespace skerry::homeserver::federation_api
