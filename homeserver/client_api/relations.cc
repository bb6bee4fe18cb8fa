// GET /rooms/{roomId}/relations/{eventId}[/{relType}[/{eventType}]]   what relates to an event
// GET /rooms/{roomId}/threads                                         the room's threads, the most recent first
// Client-server API, 'Relationships API', 'Querying threads in a room'.
#include <nlohmann/json.hpp>

#include "homeserver/client_api/handlers.h"
#include "homeserver/client_api/shown_events.h"
#include "homeserver/sync/tokens.h"
#include "storage/relation_store.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr int recursion_depth = 3;   // 'recurse': servers should go at least so deep
constexpr std::size_t batches = 10;  // read in search of a page's worth of events that the caller may see

Result<storage::TopologicalPosition> place_of(Services& services, const Call& call, const RoomId& room,
                                              std::string_view name, storage::TopologicalPosition otherwise) {
  const std::string* token = call.query_value(name);
  if (token == nullptr || token->empty()) return otherwise;
  return parse_history_token(*token, room, services.database.rooms());
}

Result<storage::ChildrenQuery> query_of(Services& services, const Call& call, const storage::StoredEvent& parent) {
  storage::ChildrenQuery query;
  query.room = parent.event->room_id();
  query.parent = parent.event->id();
  if (call.parameters.size() > 2) query.relation_type = call.parameters[2];
  if (call.parameters.size() > 3) query.event_type = call.parameters[3];
  if (const std::string* direction = call.query_value("dir")) {
    if (*direction != "b" && *direction != "f") return fail(ErrorCode::invalid_param, "dir must be b or f");
    query.backwards = *direction == "b";
  }
  if (const std::string* recurse = call.query_value("recurse"); recurse != nullptr && *recurse == "true") {
    query.depth = recursion_depth;
  }
  auto from = place_of(services, call, query.room, "from", query.backwards ? after_all : before_all);
  if (!from) return tl::make_unexpected(from.error());
  auto to = place_of(services, call, query.room, "to", query.backwards ? before_all : after_all);
  if (!to) return tl::make_unexpected(to.error());
  query.from = *from;
  query.to = *to;
  return query;
}

// A page of children that the caller may see.
Result<HistoryPage> read_children(Services& services, const Call& call, storage::ChildrenQuery query,
                                  std::size_t limit) {
  HistoryPage page;
  page.reached = query.from;
  for (std::size_t batch = 0; batch < batches && page.events.size() < limit; ++batch) {
    query.from = page.reached;
    query.limit = limit - page.events.size() + 1;  // one more tells whether there are more
    auto children = services.database.relations().children(query);
    if (!children) return tl::make_unexpected(children.error());
    page.more = children->size() == query.limit;
    if (page.more) children->pop_back();
    for (storage::StoredEvent& child : *children) {
      page.reached = child.topological;
      auto visible = services.reader.may_see(call.caller->user, child);
      if (!visible) return tl::make_unexpected(visible.error());
      if (*visible) page.events.push_back(std::move(child));
    }
    if (!page.more) break;
  }
  return page;
}

}  // namespace

void get_relations(Services& services, Call call, Reply reply) {
  auto parent = visible_event(services, call);
  if (!parent) return reply.error(parent.error());
  auto limit = query_limit(call);
  if (!limit) return reply.error(limit.error());
  auto query = query_of(services, call, *parent);
  if (!query) return reply.error(query.error());
  auto page = read_children(services, call, *query, std::max<std::size_t>(*limit, 1));
  if (!page) return reply.error(page.error());
  auto chunk = aggregator(services, call).show(page->events, true);
  if (!chunk) return reply.error(chunk.error());
  Json body = {{"chunk", std::move(*chunk)}};
  if (page->more) body["next_batch"] = topological_token(page->reached);
  if (call.query_value("from") != nullptr) body["prev_batch"] = topological_token(query->from);
  if (call.query_value("recurse") != nullptr) body["recursion_depth"] = query->depth;
  reply.json(body);
}

namespace {

struct ThreadsPage {
  std::vector<storage::StoredEvent> roots;
  storage::TopologicalPosition reached;
  bool more = true;
};

Result<ThreadsPage> read_threads(Services& services, const Call& call, const RoomId& room,
                                 storage::TopologicalPosition from, const std::optional<UserId>& participant,
                                 std::size_t limit) {
  ThreadsPage page;
  page.reached = from;
  for (std::size_t batch = 0; batch < batches && page.roots.size() < limit && page.more; ++batch) {
    const std::size_t wanted = limit - page.roots.size() + 1;
    auto threads = services.database.relations().threads(room, page.reached, participant, wanted);
    if (!threads) return tl::make_unexpected(threads.error());
    page.more = threads->size() == wanted;
    if (page.more) threads->pop_back();
    for (const storage::Thread& thread : *threads) {
      page.reached = thread.latest;
      auto root = services.database.rooms().event(thread.root);
      if (!root) return tl::make_unexpected(root.error());
      if (!*root) continue;
      auto visible = services.reader.may_see(call.caller->user, **root);
      if (!visible) return tl::make_unexpected(visible.error());
      if (*visible) page.roots.push_back(std::move(**root));
    }
  }
  return page;
}

}  // namespace

void get_threads(Services& services, Call call, Reply reply) {
  auto seen = seen_room(services, call, 0);
  if (!seen) return reply.error(seen.error());
  auto limit = query_limit(call);
  if (!limit) return reply.error(limit.error());
  if (*limit == 0) return reply.error({ErrorCode::invalid_param, "limit must be greater than 0"});
  std::optional<UserId> participant;
  if (const std::string* include = call.query_value("include"); include != nullptr && *include != "all") {
    if (*include != "participated") return reply.error({ErrorCode::invalid_param, "include: all or participated"});
    participant = call.caller->user;
  }
  auto from = place_of(services, call, seen->room, "from", after_all);
  if (!from) return reply.error(from.error());
  auto page = read_threads(services, call, seen->room, *from, participant, *limit);
  if (!page) return reply.error(page.error());
  auto chunk = aggregator(services, call).show(page->roots, true);
  if (!chunk) return reply.error(chunk.error());
  Json body = {{"chunk", std::move(*chunk)}};
  if (page->more) body["next_batch"] = topological_token(page->reached);
  reply.json(body);
}

}  // namespace skerry::homeserver::client_api
