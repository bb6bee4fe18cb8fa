// GET /rooms/{roomId}/messages             pages history both ways; asks other servers where this one's ends
// GET /rooms/{roomId}/event/{eventId}      one event
// GET /rooms/{roomId}/context/{eventId}    an event, its neighbours and the state there
// Client-server API, 'Getting events for a room', 'Event Context'.
#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/shown_events.h"
#include "homeserver/sync/tokens.h"

namespace skerry::homeserver::client_api {

namespace {

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
    if (!*member) continue;
    state.push_back(client_event(**member, services.database.rooms(), services.clock.now_ms(), call.caller->user,
                                 call.caller->device, true));
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
  return backwards ? after_all : before_all;
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
    auto fetched = services.pipeline.backfill(seen->room, std::max(*limit, default_page_limit));
    if (fetched && *fetched) {
      page = read_page(services, call, seen->room, *from, backwards, *limit, *filter);
      if (!page) return reply.error(page.error());
    }
  }
  auto chunk = aggregator(services, call).show(page->events, true);
  if (!chunk) return reply.error(chunk.error());
  Json body = {{"start", topological_token(*from)}, {"chunk", std::move(*chunk)}};
  if (page->more || (!backwards && page->reached != *from)) body["end"] = topological_token(page->reached);
  if (filter->lazy_load_members) {
    auto members = member_events(services, call, page->events);
    if (!members) return reply.error(members.error());
    body["state"] = std::move(*members);
  }
  reply.json(body);
}

void get_event(Services& services, Call call, Reply reply) {
  auto event = visible_event(services, call);
  if (!event) return reply.error(event.error());
  reply.result(aggregator(services, call).show(*event));
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
  auto shown = aggregator(services, call);
  Json body = {{"start", topological_token(before->reached)}, {"end", topological_token(after->reached)}};
  const auto add = [&](const char* key, Result<Json> events) -> Result<void> {
    if (!events) return tl::make_unexpected(events.error());
    body[key] = std::move(*events);
    return {};
  };
  for (const auto& added :
       {add("event", shown.show(*event)), add("events_before", shown.show(before->events, true)),
        add("events_after", shown.show(after->events, true)), add("state", shown.show(*state_events, true))}) {
    if (!added) return reply.error(added.error());
  }
  reply.json(body);
}

}  // namespace skerry::homeserver::client_api
