#include "storage/sqlite/relation_store.h"

#include <algorithm>

#include "core/relations.h"
#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

constexpr std::size_t most_children = 1'000;  // in one answer, whatever the caller's limit
constexpr const char* thread_type = "m.thread";

#define SKERRY_CHILDREN_WANTED                                                                       \
  " AND (?3 IS NULL OR rel_type = ?3) AND (?4 IS NULL OR type = ?4) AND (child_depth, child_place) " \
  "> (?5, ?6) AND (child_depth, child_place) < (?7, ?8) "

constexpr const char* children_backwards =
    "SELECT " SKERRY_EVENT_COLUMNS
    " FROM relations CROSS JOIN events ON events.nid = child WHERE relations.room = ?1 AND parent = "
    "?2" SKERRY_CHILDREN_WANTED "ORDER BY child_depth DESC, child_place DESC LIMIT ?9";
constexpr const char* children_forwards =
    "SELECT " SKERRY_EVENT_COLUMNS
    " FROM relations CROSS JOIN events ON events.nid = child WHERE relations.room = ?1 AND parent = "
    "?2" SKERRY_CHILDREN_WANTED "ORDER BY child_depth, child_place LIMIT ?9";

// Level by level; a family that is larger than 10,000 is shown in part.
#define SKERRY_FAMILY                                                                                           \
  "WITH RECURSIVE family(id, level) AS (SELECT ?2, 0 UNION SELECT event_id, level + 1 FROM family CROSS JOIN "  \
  "relations ON relations.room = ?1 AND parent = id CROSS JOIN events ON events.nid = child WHERE level < ?10 " \
  "- 1 AND (?3 IS NULL OR rel_type = ?3) AND (?4 IS NULL OR type = ?4) ORDER BY 2 LIMIT 10000) "                \
  "SELECT " SKERRY_EVENT_COLUMNS                                                                                \
  " FROM (SELECT DISTINCT id FROM family) CROSS JOIN relations ON relations.room = ?1 AND parent = id CROSS "   \
  "JOIN events ON events.nid = child WHERE 1" SKERRY_CHILDREN_WANTED

constexpr const char* family_backwards = SKERRY_FAMILY "ORDER BY child_depth DESC, child_place DESC LIMIT ?9";
constexpr const char* family_forwards = SKERRY_FAMILY "ORDER BY child_depth, child_place LIMIT ?9";

}  // namespace

Result<std::map<EventId, std::set<std::string>>> SqliteRelationStore::child_types(const RoomId& room,
                                                                                  const std::vector<EventId>& parents) {
  using Types = std::map<EventId, std::set<std::string>>;
  return readers_.read([&](Connection& connection) -> Result<Types> {
    Types types;
    Snapshot snapshot(connection);
    const auto nid = room_nid(connection, room);
    if (!nid) return types;
    for (const EventId& parent : parents) {
      Query query(connection, "SELECT DISTINCT rel_type FROM relations WHERE room = ? AND parent = ?", *nid,
                  parent.str());
      while (query.next()) types[parent].insert(query.text(0));
    }
    return types;
  });
}

Result<std::vector<StoredEvent>> SqliteRelationStore::children(const ChildrenQuery& wanted) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<StoredEvent>> {
    const auto nid = room_nid(connection, wanted.room);
    if (!nid) return std::vector<StoredEvent>{};
    const bool family = wanted.depth > 1;
    const char* sql = family ? (wanted.backwards ? family_backwards : family_forwards)
                             : (wanted.backwards ? children_backwards : children_forwards);
    const TopologicalPosition& low = wanted.backwards ? wanted.to : wanted.from;
    const TopologicalPosition& high = wanted.backwards ? wanted.from : wanted.to;
    const std::size_t limit = std::min(wanted.limit, most_children);
    if (family) {
      Query query(connection, sql, *nid, wanted.parent.str(), wanted.relation_type, wanted.event_type, low.depth,
                  low.order, high.depth, high.order, limit, wanted.depth);
      return events_of_rows(query);
    }
    Query query(connection, sql, *nid, wanted.parent.str(), wanted.relation_type, wanted.event_type, low.depth,
                low.order, high.depth, high.order, limit);
    return events_of_rows(query);
  });
}

Result<std::vector<StoredEvent>> SqliteRelationStore::edits(const Event& original, std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<StoredEvent>> {
    const auto nid = room_nid(connection, original.room_id());
    if (!nid) return std::vector<StoredEvent>{};
    Query query(connection,
                "SELECT " SKERRY_EVENT_COLUMNS
                " FROM relations CROSS JOIN events ON events.nid = child WHERE relations.room = ? AND parent = ? AND "
                "sender = ? AND rel_type = 'm.replace' AND type = ? "
                "ORDER BY json_extract(json, '$.origin_server_ts') DESC, event_id DESC LIMIT ?",
                *nid, original.id().str(), original.sender().str(), original.type(), std::min(limit, most_children));
    return events_of_rows(query);
  });
}

Result<ThreadSummary> SqliteRelationStore::thread(const RoomId& room, const EventId& root, const UserId& user,
                                                  const std::vector<UserId>& ignored) {
  return readers_.read([&](Connection& connection) -> Result<ThreadSummary> {
    ThreadSummary summary;
    Snapshot snapshot(connection);
    const auto nid = room_nid(connection, room);
    if (!nid) return summary;
    Query all(connection, "SELECT count FROM threads WHERE room = ? AND root = ?", *nid, root.str());
    if (all.next()) summary.count = all.integer(0);
    const auto of_sender = [&](const UserId& sender) {
      Query query(connection,
                  "SELECT count(*) FROM relations WHERE room = ? AND parent = ? AND sender = ? AND rel_type = ?", *nid,
                  root.str(), sender.str(), thread_type);
      return query.next() ? query.integer(0) : 0;
    };
    for (const UserId& sender : ignored) summary.count -= of_sender(sender);
    summary.participated = of_sender(user) > 0;
    return summary;
  });
}

Result<bool> SqliteRelationStore::is_annotated(const RoomId& room, const EventId& parent, const UserId& sender,
                                               const std::string& event_type, const std::string& key) {
  return readers_.read([&](Connection& connection) -> Result<bool> {
    const auto nid = room_nid(connection, room);
    if (!nid) return false;
    Query query(connection,
                "SELECT 1 FROM relations WHERE room = ? AND parent = ? AND sender = ? AND rel_type = 'm.annotation' "
                "AND type = ? AND annotation = ?",
                *nid, parent.str(), sender.str(), event_type, key);
    return query.next();
  });
}

Result<std::vector<Thread>> SqliteRelationStore::threads(const RoomId& room, TopologicalPosition from,
                                                         const std::optional<UserId>& participant, std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Thread>> {
    std::vector<Thread> threads;
    const auto nid = room_nid(connection, room);
    if (!nid) return threads;
    const auto user = participant ? std::optional(participant->str()) : std::nullopt;
    Query query(
        connection,
        "SELECT root, threads.depth, threads.place FROM threads JOIN events ON event_id = root AND events.room "
        "= threads.room AND outlier = 0 AND verdict = 0 WHERE threads.room = ?1 AND (threads.depth, "
        "threads.place) < (?2, ?3) AND (?4 IS NULL OR json_extract(json, '$.sender') = ?4 OR EXISTS (SELECT 1 "
        "FROM relations WHERE relations.room = ?1 AND parent = root AND sender = ?4 AND rel_type = 'm.thread')) "
        "ORDER BY threads.depth DESC, threads.place DESC LIMIT ?5",
        *nid, from.depth, from.order, user, std::min(limit, most_children));
    while (query.next()) threads.push_back({stored_id<EventId>(query.text(0)), {query.integer(1), query.integer(2)}});
    return threads;
  });
}

void note_relation(Connection& connection, std::int64_t room, const Event& event, std::int64_t nid,
                   std::int64_t place) {
  const auto relation = relation_of(event);
  if (!relation) return;
  const bool annotates = relation->type == "m.annotation";
  Query(connection, "INSERT OR REPLACE INTO relations VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", room, relation->parent.str(),
        event.depth(), place, nid, relation->type, event.type(), event.sender().str(),
        annotates ? std::optional(relation->key) : std::nullopt)
      .run();
  if (relation->type != thread_type) return;
  Query(connection,
        "INSERT INTO threads VALUES(?1, ?2, ?3, ?4, 1) ON CONFLICT(room, root) DO UPDATE SET count = count + 1, "
        "depth = CASE WHEN (?3, ?4) > (depth, place) THEN ?3 ELSE depth END, "
        "place = CASE WHEN (?3, ?4) > (depth, place) THEN ?4 ELSE place END",
        room, relation->parent.str(), event.depth(), place)
      .run();
}

void forget_relation(Connection& connection, std::int64_t room, const EventId& redacted) {
  Query query(connection, "SELECT json, depth, place FROM events WHERE event_id = ? AND room = ? AND outlier = 0",
              redacted.str(), room);
  if (!query.next()) return;
  const auto event = Event::from_stored(redacted, query.text(0));
  const auto relation = event ? relation_of(**event) : std::nullopt;
  if (!relation) return;
  Query(connection, "DELETE FROM relations WHERE room = ? AND parent = ? AND child_depth = ? AND child_place = ?", room,
        relation->parent.str(), query.integer(1), query.integer(2))
      .run();
  if (relation->type != thread_type || connection.database().getChanges() == 0) return;
  const std::string root = relation->parent.str();
  Query latest(connection,
               "SELECT child_depth, child_place FROM relations WHERE room = ? AND parent = ? AND rel_type = ? "
               "ORDER BY child_depth DESC, child_place DESC LIMIT 1",
               room, root, thread_type);
  if (latest.next()) {
    Query(connection, "UPDATE threads SET count = count - 1, depth = ?, place = ? WHERE room = ? AND root = ?",
          latest.integer(0), latest.integer(1), room, root)
        .run();
  } else {
    Query(connection, "DELETE FROM threads WHERE room = ? AND root = ?", room, root).run();
  }
}

}  // namespace skerry::storage
