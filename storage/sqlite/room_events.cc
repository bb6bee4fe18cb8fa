// Reading events: by id, by position in the stream, by place in a room's history.
#include <algorithm>

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

constexpr std::size_t most_events = 100'000;  // in one answer, whatever the caller's limit

}  // namespace

Result<StoredEvent> event_of_row(const Query& query, EventPtr known) {
  StoredEvent stored;
  stored.event = std::move(known);
  if (!stored.event) {
    const auto id = stored_id<EventId>(query.text(0));
    auto event = Event::from_stored(id, query.text(1));
    if (!event) return fail(ErrorCode::storage, "a damaged event in the database: " + id.str());
    stored.event = std::move(*event);
  }
  constexpr Verdict verdicts[] = {Verdict::accepted, Verdict::soft_failed, Verdict::rejected};
  stored.judgement.verdict = verdicts[std::clamp<std::int64_t>(query.integer(2), 0, 2)];
  if (!query.is_null(3)) stored.judgement.rule = query.text(3);
  if (!query.is_null(4)) stored.judgement.reason = query.text(4);
  stored.outlier = query.integer(5) != 0;
  if (!query.is_null(6)) stored.position = query.integer(6);
  stored.topological = {query.integer(7), query.integer(8)};
  stored.state_before = query.integer(9);
  stored.state_after = query.integer(10);
  if (!query.is_null(11)) stored.redacted_by = stored_id<EventId>(query.text(11));
  if (!query.is_null(12)) stored.transaction_id = query.text(12);
  if (!query.is_null(13)) stored.transaction_device = query.text(13);
  return stored;
}

Result<std::vector<StoredEvent>> events_of_rows(Query& query) {
  std::vector<StoredEvent> events;
  while (query.next()) {
    auto stored = event_of_row(query, nullptr);
    if (!stored) return tl::make_unexpected(stored.error());
    events.push_back(std::move(*stored));
  }
  return events;
}

Result<StoredEvent> SqliteRoomStore::stored_event(const Query& query) {
  EventPtr known = events_.find(stored_id<EventId>(query.text(0)));
  const bool is_new = !known;
  auto stored = event_of_row(query, std::move(known));
  if (stored && is_new) events_.put(stored->event);
  return stored;
}

Result<std::vector<StoredEvent>> SqliteRoomStore::read_events(Query& query) {
  std::vector<StoredEvent> events;
  while (query.next()) {
    auto stored = stored_event(query);
    if (!stored) return tl::make_unexpected(stored.error());
    events.push_back(std::move(*stored));
  }
  return events;
}

Result<std::optional<StoredEvent>> SqliteRoomStore::read_event(Connection& connection, const EventId& id) {
  Query query(connection, "SELECT " SKERRY_EVENT_COLUMNS " FROM events WHERE event_id = ?", id.str());
  if (!query.next()) return std::nullopt;
  auto stored = stored_event(query);
  if (!stored) return tl::make_unexpected(stored.error());
  return std::move(*stored);
}

Result<std::optional<StoredEvent>> SqliteRoomStore::event(const EventId& id) {
  return readers_.read([&](Connection& connection) { return read_event(connection, id); });
}

Result<std::vector<StoredEvent>> SqliteRoomStore::events(const std::vector<EventId>& ids) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<StoredEvent>> {
    Snapshot snapshot(connection);
    std::vector<StoredEvent> events;
    events.reserve(ids.size());
    for (const EventId& id : ids) {
      auto stored = read_event(connection, id);
      if (!stored) return tl::make_unexpected(stored.error());
      if (*stored) events.push_back(std::move(**stored));
    }
    return events;
  });
}

Result<std::vector<EventId>> SqliteRoomStore::absent(const std::vector<EventId>& ids) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<EventId>> {
    Snapshot snapshot(connection);
    std::vector<EventId> absent;
    for (const EventId& id : ids) {
      Query query(connection, "SELECT 1 FROM events WHERE event_id = ?", id.str());
      if (!query.next()) absent.push_back(id);
    }
    return absent;
  });
}

Result<RoomStore::Page> SqliteRoomStore::live_events(const RoomId& room, StreamPosition from, StreamPosition to,
                                                     std::size_t limit, bool newest) {
  return readers_.read([&](Connection& connection) -> Result<Page> {
    const auto nid = room_nid(connection, room);
    if (!nid) return Page{};
    limit = std::min(limit, most_events);
    // One more than asked for tells whether there are more.
    const char* sql = newest ? "SELECT " SKERRY_EVENT_COLUMNS
                               " FROM events WHERE room = ? AND position > ? AND position <= ? AND verdict = 0 "
                               "ORDER BY position DESC LIMIT ?"
                             : "SELECT " SKERRY_EVENT_COLUMNS
                               " FROM events WHERE room = ? AND position > ? AND position <= ? AND verdict = 0 "
                               "ORDER BY position LIMIT ?";
    Query query(connection, sql, *nid, from, to, limit + 1);
    auto events = read_events(query);
    if (!events) return tl::make_unexpected(events.error());
    Page page{std::move(*events), false};
    if (page.events.size() > limit) {
      page.limited = true;
      page.events.pop_back();
    }
    if (newest) std::reverse(page.events.begin(), page.events.end());
    return page;
  });
}

Result<std::vector<StoredEvent>> SqliteRoomStore::stream_events(StreamPosition from, StreamPosition to,
                                                                std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<StoredEvent>> {
    Query query(connection,
                "SELECT " SKERRY_EVENT_COLUMNS
                " FROM events INDEXED BY events_stream WHERE position IS NOT NULL AND position > ? AND position <= ? "
                "AND verdict = 0 ORDER BY position LIMIT ?",
                from, to, std::min(limit, most_events));
    return read_events(query);
  });
}

Result<std::vector<StoredEvent>> SqliteRoomStore::history(const RoomId& room, TopologicalPosition from, bool backwards,
                                                          std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<StoredEvent>> {
    const auto nid = room_nid(connection, room);
    if (!nid) return std::vector<StoredEvent>{};
    const char* sql = backwards
                          ? "SELECT " SKERRY_EVENT_COLUMNS
                            " FROM events WHERE room = ? AND (depth, place) < (?, ?) AND outlier = 0 AND verdict = 0 "
                            "ORDER BY depth DESC, place DESC LIMIT ?"
                          : "SELECT " SKERRY_EVENT_COLUMNS
                            " FROM events WHERE room = ? AND (depth, place) > (?, ?) AND outlier = 0 AND verdict = 0 "
                            "ORDER BY depth, place LIMIT ?";
    Query query(connection, sql, *nid, from.depth, from.order, std::min(limit, most_events));
    return read_events(query);
  });
}

Result<TopologicalPosition> SqliteRoomStore::topological_at(const RoomId& room, StreamPosition position) {
  return readers_.read([&](Connection& connection) -> Result<TopologicalPosition> {
    const auto nid = room_nid(connection, room);
    if (!nid) return TopologicalPosition{};
    // After the deepest event that had arrived by then: of a fork that arrived late, less deep events are newer.
    Query query(connection,
                "SELECT depth FROM events WHERE room = ? AND place > 0 AND place <= ? AND outlier = 0 AND verdict = 0 "
                "ORDER BY depth DESC LIMIT 1",
                *nid, position);
    if (!query.next()) return TopologicalPosition{};
    // No later arrival at this depth has a smaller order.
    return TopologicalPosition{query.integer(0), position + 1};
  });
}

Result<std::vector<EventId>> SqliteRoomStore::backward_extremities(const RoomId& room, std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<EventId>> {
    std::vector<EventId> ids;
    const auto nid = room_nid(connection, room);
    if (!nid) return ids;
    Query query(connection, "SELECT event_id FROM missing_events WHERE room = ? ORDER BY depth DESC LIMIT ?", *nid,
                limit);
    while (query.next()) ids.push_back(stored_id<EventId>(query.text(0)));
    return ids;
  });
}

Result<bool> SqliteRoomStore::is_backward_extremity(const EventId& id) {
  return readers_.read([&](Connection& connection) -> Result<bool> {
    Query query(connection, "SELECT 1 FROM missing_events WHERE event_id = ?", id.str());
    return query.next();
  });
}

Result<std::optional<EventId>> SqliteRoomStore::transaction_event(const ClientTransaction& transaction) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<EventId>> {
    Query query(connection, "SELECT event_id FROM client_transactions WHERE key = ?", transaction_key(transaction));
    return query.next() ? std::optional(stored_id<EventId>(query.text(0))) : std::nullopt;
  });
}

Result<std::vector<EventId>> SqliteRoomStore::redactions_of(const EventId& target) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<EventId>> {
    std::vector<EventId> ids;
    Query query(
        connection,
        "SELECT redaction FROM redactions JOIN events ON event_id = redaction WHERE target = ? ORDER BY depth, place",
        target.str());
    while (query.next()) ids.push_back(stored_id<EventId>(query.text(0)));
    return ids;
  });
}

}  // namespace skerry::storage
