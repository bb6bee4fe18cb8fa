#include "storage/sqlite/event_index.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

constexpr std::int64_t rows_per_job = 500;  // other writes come between two jobs
constexpr std::size_t most_hits = 1'000;
// A row that is an outlier now may get its place later, and one may be redacted: both are looked at when asked.
constexpr const char* text_sql_recent =
    "SELECT " SKERRY_EVENT_COLUMNS
    ", -bm25(event_texts) FROM event_texts CROSS JOIN events ON events.nid = event_texts.rowid WHERE event_texts MATCH "
    "? AND room IN (SELECT nid FROM rooms WHERE room_id IN (SELECT value FROM json_each(?))) AND outlier = 0 AND "
    "verdict = 0 AND redacted_by IS NULL AND coalesce(position, 0) <= ? ORDER BY json_extract(json, "
    "'$.origin_server_ts') DESC, events.nid DESC LIMIT "
    "? OFFSET ?";
constexpr const char* text_sql_rank =
    "SELECT " SKERRY_EVENT_COLUMNS
    ", -bm25(event_texts) FROM event_texts CROSS JOIN events ON events.nid = event_texts.rowid WHERE event_texts MATCH "
    "? AND room IN (SELECT nid FROM rooms WHERE room_id IN (SELECT value FROM json_each(?))) AND outlier = 0 AND "
    "verdict = 0 AND redacted_by IS NULL AND coalesce(position, 0) <= ? ORDER BY bm25(event_texts), events.nid DESC "
    "LIMIT ? OFFSET ?";

// FTS5's own grammar, with everything that came from outside in quotes.
std::string match_of(const TextQuery& query) {
  std::string match = "{";
  for (const TextField field : query.fields) {
    match += field == TextField::body ? " body" : field == TextField::name ? " name" : " topic";
  }
  match += " } : (";
  for (std::size_t i = 0; i < query.words.size(); ++i) {
    if (i > 0) match += " AND ";
    match += '"';
    for (const char c : query.words[i]) match += c == '"' ? std::string("\"\"") : std::string(1, c);
    match += '"';
  }
  return match + ")";
}

std::string rooms_of(const TextQuery& query) {
  Json rooms = Json::array();
  for (const RoomId& room : query.rooms) rooms.push_back(room.str());
  return dump(rooms);
}

// The keys that can be searched are those of certain types ('Search Categories').
std::optional<std::string> text_member(const Event& event, std::string_view type, const char* key) {
  const std::string* text = event.type() == type ? find_string(event.content(), key) : nullptr;
  return text == nullptr || text->empty() ? std::nullopt : std::optional(*text);
}

void index_event(Connection& connection, std::int64_t nid, std::int64_t room, const Event& event) {
  Query(connection, "INSERT OR IGNORE INTO event_times VALUES(?, ?, ?)", room, event.origin_server_ts_ms(), nid).run();
  const auto body = text_member(event, "m.room.message", "body");
  const auto name = text_member(event, "m.room.name", "name");
  const auto topic = text_member(event, "m.room.topic", "topic");
  if (!body && !name && !topic) return;
  Query(connection, "INSERT INTO event_texts(rowid, body, name, topic) VALUES(?, ?, ?, ?)", nid, body, name, topic)
      .run();
}

// Indexes the next rows; false when there are none.
Result<bool> index_rows(Connection& connection) {
  Query progress(connection, "SELECT value FROM meta WHERE name = 'indexed_events'");
  const std::int64_t from = progress.next() ? progress.integer(0) : 0;
  std::int64_t last = from;
  Query rows(connection, "SELECT nid, room, event_id, json FROM events WHERE nid > ? ORDER BY nid LIMIT ?", from,
             rows_per_job);
  while (rows.next()) {
    last = rows.integer(0);
    const auto event = Event::from_stored(stored_id<EventId>(rows.text(2)), rows.text(3));
    if (event) index_event(connection, last, rows.integer(1), **event);
  }
  if (last == from) return false;
  Query(connection, "UPDATE meta SET value = ? WHERE name = 'indexed_events'", last).run();
  return true;
}

constexpr int rank_column = 14;  // after SKERRY_EVENT_COLUMNS

}  // namespace

Result<void> SqliteEventIndex::catch_up() {
  const std::scoped_lock lock(catching_up_);
  const auto behind = readers_.read([](Connection& connection) -> Result<bool> {
    Query query(connection,
                "SELECT 1 FROM events WHERE nid > (SELECT value FROM meta WHERE name = 'indexed_events') LIMIT 1");
    return query.next();
  });
  if (!behind) return tl::make_unexpected(behind.error());
  auto more = std::make_shared<bool>(*behind);
  while (*more) {
    auto written = writer_.write([more](Connection& connection) -> Result<void> {
      auto indexed = index_rows(connection);
      if (!indexed) return tl::make_unexpected(indexed.error());
      *more = *indexed;
      return {};
    });
    if (!written) return written;
  }
  return {};
}

Result<std::vector<TextHit>> SqliteEventIndex::find_text(const TextQuery& wanted) {
  if (wanted.words.empty() || wanted.fields.empty()) return std::vector<TextHit>{};
  return readers_.read([&](Connection& connection) -> Result<std::vector<TextHit>> {
    std::vector<TextHit> hits;
    Query query(connection, wanted.by_rank ? text_sql_rank : text_sql_recent, match_of(wanted), rooms_of(wanted),
                wanted.until, std::min(wanted.limit, most_hits), wanted.skip);
    while (query.next()) {
      auto stored = event_of_row(query, nullptr);
      if (!stored) return tl::make_unexpected(stored.error());
      hits.push_back({std::move(*stored), query.real(rank_column)});
    }
    return hits;
  });
}

Result<std::size_t> SqliteEventIndex::count_text(const TextQuery& wanted, std::size_t most) {
  if (wanted.words.empty() || wanted.fields.empty()) return std::size_t{0};
  return readers_.read([&](Connection& connection) -> Result<std::size_t> {
    Query query(connection,
                "SELECT count(*) FROM (SELECT 1 FROM event_texts CROSS JOIN events ON events.nid = event_texts.rowid "
                "WHERE event_texts MATCH ? AND room IN (SELECT nid FROM rooms WHERE room_id IN (SELECT value FROM "
                "json_each(?))) AND outlier = 0 AND verdict = 0 AND redacted_by IS NULL LIMIT ?)",
                match_of(wanted), rooms_of(wanted), most);
    return query.next() ? static_cast<std::size_t>(query.integer(0)) : std::size_t{0};
  });
}

Result<std::vector<StoredEvent>> SqliteEventIndex::by_time(const RoomId& room, std::int64_t ts_ms, bool forwards,
                                                           std::size_t skip, std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<StoredEvent>> {
    const auto nid = room_nid(connection, room);
    if (!nid) return std::vector<StoredEvent>{};
    const char* sql = forwards ? "SELECT " SKERRY_EVENT_COLUMNS
                                 " FROM event_times JOIN events USING(nid) WHERE event_times.room = ? AND ts_ms >= ? "
                                 "AND outlier = 0 AND verdict = 0 ORDER BY ts_ms, depth, place LIMIT ? OFFSET ?"
                               : "SELECT " SKERRY_EVENT_COLUMNS
                                 " FROM event_times JOIN events USING(nid) WHERE event_times.room = ? AND ts_ms <= ? "
                                 "AND outlier = 0 AND verdict = 0 ORDER BY ts_ms DESC, depth DESC, place DESC LIMIT ? "
                                 "OFFSET ?";
    Query query(connection, sql, *nid, ts_ms, std::min(limit, most_hits), skip);
    return events_of_rows(query);
  });
}

}  // namespace skerry::storage
