// Auth chains: each event's row holds the row ids of its auth_events, so that a walk neither parses events nor looks
// ids up. The other way, from an event to those that cite it, leads a table of pairs of rows. In it are those state
// events that were not rejected when they were written, which are all that a chain of an accepted event can consist of:
// an event that cites a rejected one, or one that is not state, is rejected itself. So messages cost it nothing.
#include <charconv>
#include <limits>
#include <unordered_set>

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

constexpr std::size_t first_citing_page = 8;
constexpr std::size_t citing_page = 256;

std::optional<std::int64_t> event_nid(Connection& connection, const EventId& id) {
  Query query(connection, "SELECT nid FROM events WHERE event_id = ?", id.str());
  return query.next() ? std::optional(query.integer(0)) : std::nullopt;
}

std::vector<std::int64_t> split_nids(const std::string& text) {
  std::vector<std::int64_t> nids;
  for (const char *at = text.data(), *end = at + text.size(); at < end; ++at) {
    std::int64_t nid = 0;
    at = std::from_chars(at, end, nid).ptr;
    nids.push_back(nid);
  }
  return nids;
}

}  // namespace

CitedRows::CitedRows(Connection& connection, const Event& event) {
  for (const EventId& id : event.auth_events()) {
    if (const auto row = event_nid(connection, id)) {
      rows_.push_back(*row);
    } else {
      absent_.push_back(id);
    }
  }
}

std::optional<std::string> CitedRows::text() const {
  if (!absent_.empty()) return std::nullopt;
  std::string text;
  for (const std::int64_t row : rows_) text += (text.empty() ? "" : " ") + std::to_string(row);
  return text;
}

void CitedRows::note_citing(Connection& connection, std::int64_t citing) const {
  for (const std::int64_t cited : rows_) {
    Query(connection, "INSERT OR IGNORE INTO auth_citations VALUES(?, ?)", cited, citing).run();
  }
  for (const EventId& id : absent_) {
    Query(connection, "INSERT OR IGNORE INTO awaited_auth_events VALUES(?, ?)", id.str(), citing).run();
  }
}

void note_cited(Connection& connection, const EventId& id, std::int64_t row) {
  {
    Query waiting(connection, "SELECT 1 FROM awaited_auth_events WHERE event_id = ? LIMIT 1", id.str());
    if (!waiting.next()) return;
  }
  Query(connection, "INSERT OR IGNORE INTO auth_citations SELECT ?, citing FROM awaited_auth_events WHERE event_id = ?",
        row, id.str())
      .run();
  Query(connection, "DELETE FROM awaited_auth_events WHERE event_id = ?", id.str()).run();
}

Result<CitingPage> SqliteRoomStore::citing(const EventId& id, std::int64_t from) {
  return readers_.read([&](Connection& connection) -> Result<CitingPage> {
    // The latest are most likely to be what is looked for: pages begin small.
    const std::size_t size = from == 0 ? first_citing_page : citing_page;
    Query query(connection,
                "SELECT event_id, citing FROM auth_citations JOIN events ON nid = citing "
                "WHERE cited = (SELECT nid FROM events WHERE event_id = ?) AND citing < ? ORDER BY citing DESC LIMIT ?",
                id.str(), from == 0 ? std::numeric_limits<std::int64_t>::max() : from, size);
    CitingPage page;
    while (query.next()) {
      page.events.push_back(stored_id<EventId>(query.text(0)));
      page.next = query.integer(1);
    }
    if (page.events.size() < size) page.next = 0;
    return page;
  });
}

// For an event whose auth_events were not all there when it came.
Result<std::vector<std::int64_t>> SqliteRoomStore::read_auth_nids(Connection& connection, const EventId& id) {
  const auto stored = read_event(connection, id);
  if (!stored) return tl::make_unexpected(stored.error());
  std::vector<std::int64_t> nids;
  if (!*stored) return nids;
  for (const EventId& auth : (*stored)->event->auth_events()) {
    if (const auto nid = event_nid(connection, auth)) nids.push_back(*nid);
  }
  return nids;
}

Result<std::vector<EventId>> SqliteRoomStore::auth_chain(const std::vector<EventId>& ids) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<EventId>> {
    Snapshot snapshot(connection);
    std::unordered_set<std::int64_t> seen;
    std::vector<std::int64_t> open;
    for (const EventId& id : ids) {
      const auto nid = event_nid(connection, id);
      if (nid && seen.insert(*nid).second) open.push_back(*nid);
    }
    const std::unordered_set<std::int64_t> start = seen;
    std::vector<EventId> chain;
    while (!open.empty()) {
      const std::int64_t nid = open.back();
      open.pop_back();
      Query row(connection, "SELECT event_id, auth FROM events WHERE nid = ?", nid);
      if (!row.next()) continue;
      auto id = stored_id<EventId>(row.text(0));
      auto auth = row.is_null(1) ? read_auth_nids(connection, id) : split_nids(row.text(1));
      if (!auth) return tl::make_unexpected(auth.error());
      for (const std::int64_t next : *auth) {
        if (seen.insert(next).second) open.push_back(next);
      }
      if (!start.contains(nid)) chain.push_back(std::move(id));
    }
    return chain;
  });
}

}  // namespace skerry::storage
