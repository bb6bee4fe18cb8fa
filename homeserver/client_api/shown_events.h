// What the handlers that show events of a room share.
#pragma once

#include <vector>

#include "homeserver/client_api/common.h"
#include "homeserver/rooms/aggregations.h"
#include "homeserver/sync/filter.h"

namespace skerry::homeserver::client_api {

inline constexpr std::size_t default_page_limit = 10;
inline constexpr storage::TopologicalPosition before_all{-1, INT64_MIN};
inline constexpr storage::TopologicalPosition after_all{INT64_MAX, INT64_MAX};

// The query's `filter`. Errors: invalid_param, bad_json.
Result<EventFilter> query_filter(const Call& call);
// The query's `limit`, at most limits::page_events. Errors: invalid_param.
Result<std::size_t> query_limit(const Call& call, std::size_t otherwise = default_page_limit);

// Shows events to the caller.
Aggregator aggregator(Services& services, const Call& call);

// Events of one direction that the caller may see and the filter wants.
struct HistoryPage {
  std::vector<storage::StoredEvent> events;
  storage::TopologicalPosition reached;  // the last one looked at
  bool more = true;                      // there may be more beyond
};
Result<HistoryPage> read_page(Services& services, const Call& call, const RoomId& room,
                              storage::TopologicalPosition from, bool backwards, std::size_t limit,
                              const EventFilter& filter);

// The event that the path's second parameter names, when it is of the room that the first one names and the caller may
// see it. Errors: invalid_param, not_found.
Result<storage::StoredEvent> visible_event(Services& services, const Call& call);

}  // namespace skerry::homeserver::client_api
