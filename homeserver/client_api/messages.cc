// GET /rooms/{roomId}/messages             pages history both ways; asks other servers where this one's ends
// GET /rooms/{roomId}/event/{eventId}      one event
// GET /rooms/{roomId}/context/{eventId}    an event, its neighbours and the state there
// Client-server API, 'Getting events for a room', 'Event Context'.
#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/sync/filter.h"
#include "homeserver/sync/tokens.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t default_limit = 10;
constexpr std::size_t scan_factor = 10;  // events looked at per event asked for, before a shorter page is answered
constexpr std::int64_t far_order = INT64_MAX;

Result<EventFilter> query_filter(const Call& call) {
  const std::string* text = call.query_value("filter");
  if (text == nullptr) return EventFilter{};
  auto json = parse_untrusted(*text, JsonNumbers::any);
  if (!json) return fail(ErrorCode::invalid_param, "filter is not JSON");
  return parse_event_filter(*json);
}

Result<std::size_t> query_limit(const Call& call) {
  auto limit = query_number(call, "limit");
  if (!limit) return tl::make_unexpected(limit.error());
  const auto wanted = limit->value_or(default_limit);
  return static_cast<std::size_t>(std::min<std::int64_t>(wanted, limits::page_events));
}

Json show(Services& services, const Call& call, const storage::StoredEvent& stored) {
  return client_event(stored, services.database.rooms(), services.clock.now_ms(), call.caller->user,
                      call.caller->device, true);
}

// Events of one direction that the caller may see and the filter wants.
struct Page {
  std::vector<storage::StoredEvent> events;
  storage::TopologicalPosition reached;  // the last one looked at
  bool more = true;                      // there may be more beyond
};

Result<Page> read_page(Services& services, const Call& call, const RoomId& room, storage::TopologicalPosition from,
                       bool backwards, std::size_t limit, const EventFilter& filter) {
  Page page;
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

Result<Json> member_events(Services& services, const Call& call, const std::vector<storage::StoredEvent>& events) {
  Json state = Json::array();
  std::set<std::string> seen;
  for (const storage::StoredEvent& stored : events) {
    const std::string& sender = stored.event->sender().str();
    if (!seen.insert(sender).second) continue;
    auto id = services.database.rooms().state_event(stored.state_after, {"m.room.member", sender});
    if (!id) return tl::make_unexpected(id.error());
    if (!*id) continue;
    auto member = services.database.rooms().event(**id);
    if (!member) return tl::make_unexpected(member.error());
    if (*member) state.push_back(show(services, call, **member));
  }
  return state;
}

// Where a page begins: the token, or the end of the history that the direction starts from.
Result<storage::TopologicalPosition> start_of(Services& services, const Call& call, const SeenRoom& seen,
                                              bool backwards) {
  auto& store = services.database.rooms();
  if (const std::string* from = call.query_value("from"); from != nullptr && !from->empty()) {
    return parse_history_token(*from, seen.room, store);
  }
  if (!backwards) return storage::TopologicalPosition{-1, -far_order};
  return storage::TopologicalPosition{INT64_MAX, far_order};
}

}  // namespace

void get_messages(Services& services, Call call, Reply reply) {
  auto seen = seen_room(services, call, 0);
  if (!seen) return reply.error(seen.error());
  const std::string* direction = call.query_value("dir");
  if (direction == nullptr) return reply.error({ErrorCode::missing_param, "dir is required"});
  if (*direction != "b" && *direction != "f") return reply.error({ErrorCode::invalid_param, "dir must be b or f"});
  const bool backwards = *direction == "b";
  auto limit = query_limit(call);
  if (!limit) return reply.error(limit.error());
  auto filter = query_filter(call);
  if (!filter) return reply.error(filter.error());
  auto from = start_of(services, call, *seen, backwards);
  if (!from) return reply.error(from.error());
  auto page = read_page(services, call, seen->room, *from, backwards, *limit, *filter);
  if (!page) return reply.error(page.error());
  if (backwards && !page->more && page->events.size() < *limit && seen->membership.membership == "join") {
    // This server's history ends here; that of others may not.
    auto fetched = services.pipeline.backfill(seen->room, std::max(*limit, default_limit));
    if (fetched && *fetched) {
      page = read_page(services, call, seen->room, *from, backwards, *limit, *filter);
      if (!page) return reply.error(page.error());
    }
  }
  Json chunk = Json::array();
  for (const storage::StoredEvent& stored : page->events) chunk.push_back(show(services, call, stored));
  Json body = {{"start", topological_token(*from)}, {"chunk", std::move(chunk)}};
  if (page->more || (!backwards && page->reached != *from)) body["end"] = topological_token(page->reached);
  if (filter->lazy_load_members) {
    auto members = member_events(services, call, page->events);
    if (!members) return reply.error(members.error());
    body["state"] = std::move(*members);
  }
  reply.json(body);
}

namespace {

// The event of the path, when it is of that room and the caller may see it.
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

}  // namespace

void get_event(Services& services, Call call, Reply reply) {
  auto event = visible_event(services, call);
  if (!event) return reply.error(event.error());
  reply.json(show(services, call, *event));
}

void get_context(Services& services, Call call, Reply reply) {
  auto event = visible_event(services, call);
  if (!event) return reply.error(event.error());
  auto limit = query_limit(call);
  if (!limit) return reply.error(limit.error());
  auto filter = query_filter(call);
  if (!filter) return reply.error(filter.error());
  const RoomId& room = event->event->room_id();
  const std::size_t half = (*limit + 1) / 2;
  auto before = read_page(services, call, room, event->topological, true, half, *filter);
  if (!before) return reply.error(before.error());
  auto after = read_page(services, call, room, event->topological, false, *limit - half, *filter);
  if (!after) return reply.error(after.error());

  const auto list = [&](const std::vector<storage::StoredEvent>& events) {
    Json shown = Json::array();
    for (const auto& stored : events) shown.push_back(show(services, call, stored));
    return shown;
  };
  const storage::StoredEvent& last = after->events.empty() ? *event : after->events.back();
  auto state = services.database.rooms().state(last.state_after);
  if (!state) return reply.error(state.error());
  std::set<std::string> senders{event->event->sender().str()};
  for (const auto* page : {&before->events, &after->events}) {
    for (const auto& stored : *page) senders.insert(stored.event->sender().str());
  }
  std::vector<EventId> ids;
  for (const auto& [key, id] : **state) {
    if (filter->lazy_load_members && key.type == "m.room.member" && !senders.contains(key.state_key)) continue;
    ids.push_back(id);
  }
  auto state_events = services.database.rooms().events(ids);
  if (!state_events) return reply.error(state_events.error());
  reply.json({{"event", show(services, call, *event)},
              {"events_before", list(before->events)},
              {"events_after", list(after->events)},
              {"state", list(*state_events)},
              {"start", topological_token(before->reached)},
              {"end", topological_token(after->reached)}});
}

}  // namespace skerry::homeserver::client_api
