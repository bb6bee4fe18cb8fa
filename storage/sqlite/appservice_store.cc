#include "storage/sqlite/appservice_store.h"

#include <sstream>

namespace skerry::storage {

namespace {

constexpr const char* save_sql =
    "INSERT OR REPLACE INTO appservices(id, name, serial, sent_up_to, pending_up_to, pending) VALUES(?, ?, ?, ?, ?, ?)";

std::string joined(const std::vector<StreamPosition>& positions) {
  std::string text;
  for (const StreamPosition position : positions) text += (text.empty() ? "" : " ") + std::to_string(position);
  return text;
}

std::vector<StreamPosition> split(const std::string& text) {
  std::vector<StreamPosition> positions;
  std::istringstream stream(text);
  for (StreamPosition position = 0; stream >> position;) positions.push_back(position);
  return positions;
}

void save(Connection& connection, const std::string& id, const AppserviceCursor& cursor) {
  Query(connection, save_sql, id, cursor.name, cursor.serial, cursor.sent_up_to, cursor.pending_up_to,
        joined(cursor.pending))
      .run();
}

}  // namespace

Result<AppserviceCursor> SqliteAppserviceStore::open_cursor(const std::string& id, const AppserviceCursor& fresh) {
  auto cursor = std::make_shared<AppserviceCursor>(fresh);
  auto opened = writer_.write([=](Connection& connection) -> Result<void> {
    // Only servers with application services read the stream across rooms, and pay for this.
    Query(connection,
          "CREATE INDEX IF NOT EXISTS events_stream ON events(position) WHERE position IS NOT NULL AND verdict = 0")
        .run();
    Query query(connection, "SELECT name, serial, sent_up_to, pending_up_to, pending FROM appservices WHERE id = ?",
                id);
    if (query.next()) {
      *cursor = {query.text(0), query.integer(1), query.integer(2), query.integer(3), split(query.text(4))};
    } else {
      save(connection, id, *cursor);
    }
    return {};
  });
  if (!opened) return tl::make_unexpected(opened.error());
  return std::move(*cursor);
}

Result<void> SqliteAppserviceStore::save_cursor(const std::string& id, const AppserviceCursor& cursor) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    save(connection, id, cursor);
    return {};
  });
}

void SqliteAppserviceStore::save_cursor_lazily(const std::string& id, const AppserviceCursor& cursor, Saved done) {
  writer_.submit_lazily(
      [=](Connection& connection) -> Result<void> {
        save(connection, id, cursor);
        return {};
      },
      std::move(done));
}

Result<std::vector<StoredEvent>> SqliteAppserviceStore::stream_events(StreamPosition from, StreamPosition to,
                                                                      std::size_t limit) {
  return rooms_.stream_events(from, to, limit);
}

Result<std::vector<AppserviceStore::Invite>> SqliteAppserviceStore::stream_invites(StreamPosition from,
                                                                                   StreamPosition to,
                                                                                   std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Invite>> {
    std::vector<Invite> list;
    Query query(connection,
                "SELECT position, user, room, room_version, event, state FROM stripped_invites "
                "WHERE membership = 'invite' AND position > ? AND position <= ? ORDER BY position LIMIT ?",
                from, to, limit);
    while (query.next()) {
      list.push_back({query.integer(0), stored_id<UserId>(query.text(1)), stored_id<RoomId>(query.text(2)),
                      query.text(3), query.text(4), query.text(5)});
    }
    return list;
  });
}

Result<void> SqliteAppserviceStore::set_listed(const std::string& id, const std::string& network, const RoomId& room,
                                               bool listed) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    const char* sql = listed ? "INSERT OR IGNORE INTO appservice_rooms(id, network, room) VALUES(?, ?, ?)"
                             : "DELETE FROM appservice_rooms WHERE id = ? AND network = ? AND room = ?";
    Query(connection, sql, id, network, room.str()).run();
    return {};
  });
}

Result<std::vector<RoomId>> SqliteAppserviceStore::listed_rooms(const std::string& id, const std::string& network) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<RoomId>> {
    std::vector<RoomId> rooms;
    Query query(connection, "SELECT room FROM appservice_rooms WHERE id = ? AND network = ?", id, network);
    while (query.next()) rooms.push_back(stored_id<RoomId>(query.text(0)));
    return rooms;
  });
}

Result<std::vector<RoomId>> SqliteAppserviceStore::listed_rooms() {
  return readers_.read([&](Connection& connection) -> Result<std::vector<RoomId>> {
    std::vector<RoomId> rooms;
    Query query(connection, "SELECT DISTINCT room FROM appservice_rooms");
    while (query.next()) rooms.push_back(stored_id<RoomId>(query.text(0)));
    return rooms;
  });
}

}  // namespace skerry::storage
