// GET  /event/{eventId}                          one event
// GET  /state/{roomId}, /state_ids/{roomId}      the state before an event, and its authorization chain
// GET  /event_auth/{roomId}/{eventId}            an event's authorization chain
// GET  /backfill/{roomId}                        history before some events
// POST /get_missing_events/{roomId}              what lies between two sets of events
// For servers that are in the room, and only what they may see: other events come redacted. Server-server API,
// 'Events', 'Backfilling and retrieving missing events', 'Retrieving events'.
#include <algorithm>
#include <deque>
#include <set>

#include <nlohmann/json.hpp>

#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"

namespace skerry::homeserver::federation_api {

namespace {

constexpr std::size_t most_backfilled = 100;
constexpr std::size_t most_missing = 100;
constexpr std::size_t named_events = 100;

// The event as text for the asking server: redacted when it was, or when that server may not see it.
Result<std::string> shown(Services& services, const ServerName& server, const storage::StoredEvent& stored) {
  auto visible = services.reader.server_may_see(server, stored);
  if (!visible) return tl::make_unexpected(visible.error());
  if (*visible && !stored.redacted_by) return stored.event->canonical_text();
  if (*visible) {
    auto pdu = services.reader.federation_pdu(stored);
    if (!pdu) return tl::make_unexpected(pdu.error());
    return dump(*pdu);
  }
  auto rules = services.reader.rules(stored.event->room_id());
  if (!rules) return tl::make_unexpected(rules.error());
  return dump(redact(**rules, stored.event->pdu()));
}

std::string transaction_text(Services& services, std::string pdus) {
  return R"({"origin":)" + dump(Json(services.config.server_name.str())) + R"(,"origin_server_ts":)" +
         std::to_string(services.clock.now_ms()) + R"(,"pdus":)" + std::move(pdus) + "}";
}

// The event of a path or query in a room of the asking server's.
Result<storage::StoredEvent> stored_in_room(Services& services, const RoomId& room, const EventId& id) {
  auto stored = services.database.rooms().event(id);
  if (!stored) return tl::make_unexpected(stored.error());
  if (!*stored || (*stored)->event->room_id() != room) return fail(ErrorCode::not_found, "no such event in this room");
  return std::move(**stored);
}

struct StateAt {
  std::vector<EventId> state;
  std::vector<EventId> auth_chain;
};

Result<StateAt> state_before(Services& services, const Call& call) {
  auto room = room_of_origin(services, call, 0);
  if (!room) return tl::make_unexpected(room.error());
  auto id = query_id<EventId>(call, "event_id");
  if (!id) return tl::make_unexpected(id.error());
  auto stored = stored_in_room(services, *room, *id);
  if (!stored) return tl::make_unexpected(stored.error());
  if (stored->outlier) return fail(ErrorCode::not_found, "the state before that event is not known here");
  auto visible = services.reader.server_may_see(call.origin, *stored);
  if (!visible) return tl::make_unexpected(visible.error());
  if (!*visible) return fail(ErrorCode::forbidden, "your server may not see that event");
  auto state = services.database.rooms().state(stored->state_before);
  if (!state) return tl::make_unexpected(state.error());
  StateAt at;
  for (const auto& [key, event] : **state) at.state.push_back(event);
  auto chain = services.database.rooms().auth_chain(at.state);
  if (!chain) return tl::make_unexpected(chain.error());
  at.auth_chain = std::move(*chain);
  return at;
}

Result<std::string> texts(Services& services, const std::vector<EventId>& ids) {
  auto events = services.database.rooms().events(ids);
  if (!events) return tl::make_unexpected(events.error());
  JsonArrayText list;
  for (const auto& stored : *events) {
    if (!stored.redacted_by) {
      list.add(stored.event->canonical_text());
      continue;
    }
    auto pdu = services.reader.federation_pdu(stored);
    if (!pdu) return tl::make_unexpected(pdu.error());
    list.add(dump(*pdu));
  }
  return std::move(list).take();
}

Json id_list(const std::vector<EventId>& ids) {
  Json list = Json::array();
  for (const EventId& id : ids) list.push_back(id.str());
  return list;
}

// Walks from `from` towards the past, nearest first, and gives each event with its place to `take` until that says
// enough.
void walk_back(Services& services, const RoomId& room, const std::vector<EventId>& from, std::size_t most,
               const std::function<bool(const storage::StoredEvent&)>& take) {
  std::deque<EventId> open(from.begin(), from.end());
  std::set<EventId> seen(from.begin(), from.end());
  for (std::size_t steps = 0; !open.empty() && steps < most; ++steps) {
    auto stored = services.database.rooms().event(open.front());
    open.pop_front();
    if (!stored || !*stored || (*stored)->outlier || (*stored)->event->room_id() != room) continue;
    if ((*stored)->judgement.verdict == Verdict::rejected) continue;
    if (!take(**stored)) continue;
    for (const EventId& parent : (*stored)->event->prev_events()) {
      if (seen.insert(parent).second) open.push_back(parent);
    }
  }
}

}  // namespace

void get_event(Services& services, Call call, Reply reply) {
  auto id = parse_id<EventId>(call.parameters[0]);
  if (!id) return reply.error(id.error());
  auto stored = services.database.rooms().event(*id);
  if (!stored) return reply.error(stored.error());
  const Error hidden{ErrorCode::not_found, "no such event, or none that your server may see"};
  if (!*stored || (*stored)->judgement.verdict == Verdict::rejected) return reply.error(hidden);
  const RoomId& room = (*stored)->event->room_id();
  auto allowed = services.reader.acl_allows(room, call.origin);
  auto is_in = services.reader.server_in_room(room, call.origin);
  if (!allowed || !is_in || !*allowed || !*is_in) return reply.error(hidden);
  auto text = shown(services, call.origin, **stored);
  if (!text) return reply.error(text.error());
  reply.text(transaction_text(services, "[" + *text + "]"));
}

void get_state(Services& services, Call call, Reply reply) {
  auto at = state_before(services, call);
  if (!at) return reply.error(at.error());
  auto state = texts(services, at->state);
  auto chain = texts(services, at->auth_chain);
  if (!state) return reply.error(state.error());
  if (!chain) return reply.error(chain.error());
  reply.text(R"({"auth_chain":)" + *chain + R"(,"pdus":)" + *state + "}");
}

void get_state_ids(Services& services, Call call, Reply reply) {
  auto at = state_before(services, call);
  if (!at) return reply.error(at.error());
  reply.json({{"pdu_ids", id_list(at->state)}, {"auth_chain_ids", id_list(at->auth_chain)}});
}

void get_event_auth(Services& services, Call call, Reply reply) {
  auto room = room_of_origin(services, call, 0);
  if (!room) return reply.error(room.error());
  auto id = parse_id<EventId>(call.parameters[1]);
  if (!id) return reply.error(id.error());
  if (auto stored = stored_in_room(services, *room, *id); !stored) return reply.error(stored.error());
  auto chain = services.database.rooms().auth_chain({*id});
  if (!chain) return reply.error(chain.error());
  auto list = texts(services, *chain);
  if (!list) return reply.error(list.error());
  reply.text(R"({"auth_chain":)" + *list + "}");
}

void backfill(Services& services, Call call, Reply reply) {
  auto room = room_of_origin(services, call, 0);
  if (!room) return reply.error(room.error());
  const auto from = query_event_ids(call, "v", named_events);
  const std::size_t limit = query_limit(call, most_backfilled, most_backfilled);
  JsonArrayText pdus;
  std::size_t count = 0;
  walk_back(services, *room, from, limit, [&](const storage::StoredEvent& stored) {
    auto text = shown(services, call.origin, stored);
    if (text) pdus.add(*text);
    return text.has_value() && ++count < limit;
  });
  reply.text(transaction_text(services, std::move(pdus).take()));
}

void get_missing_events(Services& services, Call call, Reply reply) {
  auto room = room_of_origin(services, call, 0);
  if (!room) return reply.error(room.error());
  const auto ids_of = [&](const char* key) {
    std::vector<EventId> ids;
    const Json* list = find_array(*call.body, key);
    if (list == nullptr) return ids;
    for (const Json& entry : *list) {
      auto id = entry.is_string() ? EventId::parse(entry.get<std::string>()) : fail(ErrorCode::bad_json, "");
      if (id && ids.size() < named_events) ids.push_back(std::move(*id));
    }
    return ids;
  };
  const auto earliest = ids_of("earliest_events");
  const auto latest = ids_of("latest_events");
  std::size_t limit = 10;
  if (const Json* wanted = find_member(*call.body, "limit"); wanted != nullptr && wanted->is_number_unsigned()) {
    limit = std::clamp<std::size_t>(wanted->get<std::size_t>(), 1, most_missing);
  }
  std::int64_t min_depth = 0;
  if (const Json* depth = find_member(*call.body, "min_depth"); depth != nullptr && depth->is_number_integer()) {
    min_depth = depth->get<std::int64_t>();
  }
  const std::set<EventId> stop(earliest.begin(), earliest.end());
  const std::set<EventId> start(latest.begin(), latest.end());
  std::vector<storage::StoredEvent> found;
  walk_back(services, *room, latest, limit + latest.size(), [&](const storage::StoredEvent& stored) {
    if (start.contains(stored.event->id())) return true;
    if (stop.contains(stored.event->id()) || stored.event->depth() < min_depth || found.size() >= limit) return false;
    found.push_back(stored);
    return true;
  });
  // Oldest first, so that each can be built on the ones before it.
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.topological < b.topological; });
  JsonArrayText events;
  for (const auto& stored : found) {
    if (auto text = shown(services, call.origin, stored)) events.add(*text);
  }
  reply.text(R"({"events":)" + std::move(events).take() + "}");
}

}  // namespace skerry::homeserver::federation_api
