// Auth chains: each event's row holds the row ids of its auth_events, so that a walk neither parses events nor looks
// ids up.
#include <charconv>
#include <unordered_set>

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

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

std::optional<std::string> auth_nids(Connection& connection, const Event& event) {
  std::string nids;
  for (const EventId& id : event.auth_events()) {
    const auto nid = event_nid(connection, id);
    if (!nid) return std::nullopt;
    nids += (nids.empty() ? "" : " ") + std::to_string(*nid);
  }
  return nids;
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
