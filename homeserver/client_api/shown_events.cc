#include "homeserver/client_api/shown_events.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/limits.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t scan_factor = 10;  // events looked at per event asked for, before a shorter page is answered

}  // namespace

Result<EventFilter> query_filter(const Call& call) {
  const std::string* text = call.query_value("filter");
  if (text == nullptr) return EventFilter{};
  auto json = parse_untrusted(*text, JsonNumbers::any);
  if (!json) return fail(ErrorCode::invalid_param, "filter is not JSON");
  return parse_event_filter(*json);
}

Result<std::size_t> query_limit(const Call& call, std::size_t otherwise) {
  auto limit = query_number(call, "limit");
  if (!limit) return tl::make_unexpected(limit.error());
  const auto wanted = limit->value_or(otherwise);
  return static_cast<std::size_t>(std::min<std::int64_t>(wanted, limits::page_events));
}

Aggregator aggregator(Services& services, const Call& call) {
  return Aggregator(services.database, services.clock.now_ms(), call.caller->user, call.caller->device);
}

Result<HistoryPage> read_page(Services& services, const Call& call, const RoomId& room,
                              storage::TopologicalPosition from, bool backwards, std::size_t limit,
                              const EventFilter& filter) {
  HistoryPage page;
  page.reached = from;
  for (std::size_t looked_at = 0; page.events.size() < limit && looked_at < limit * scan_factor;) {
    auto batch = services.database.rooms().history(room, page.reached, backwards, limit - page.events.size());
    if (!batch) return tl::make_unexpected(batch.error());
    if (batch->empty()) {
      page.more = false;
      break;
    }
    looked_at += batch->size();
    page.reached = batch->back().topological;
    for (storage::StoredEvent& stored : *batch) {
      if (!filter.wants(*stored.event)) continue;
      auto visible = services.reader.may_see(call.caller->user, stored);
      if (!visible) return tl::make_unexpected(visible.error());
      if (*visible) page.events.push_back(std::move(stored));
    }
  }
  return page;
}

Result<storage::StoredEvent> visible_event(Services& services, const Call& call) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return tl::make_unexpected(room.error());
  auto id = path_id<EventId>(call, 1);
  if (!id) return tl::make_unexpected(id.error());
  auto stored = services.database.rooms().event(*id);
  if (!stored) return tl::make_unexpected(stored.error());
  const auto hidden = fail(ErrorCode::not_found, "no such event, or none that you may see");
  if (!*stored || (*stored)->outlier || (*stored)->judgement.verdict != Verdict::accepted) return hidden;
  if ((*stored)->event->room_id() != *room) return hidden;
  auto visible = services.reader.may_see(call.caller->user, **stored);
  if (!visible) return tl::make_unexpected(visible.error());
  if (!*visible) return hidden;
  return std::move(**stored);
}

}  // namespace skerry::homeserver::client_api
