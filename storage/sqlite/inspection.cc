#include "storage/inspection.h"

#include <filesystem>

#include "storage/sqlite/federation_store.h"
#include "storage/sqlite/room_store.h"
#include "storage/sqlite/schema.h"

namespace skerry::storage {

namespace {

class SqliteInspection final : public Inspection {
 public:
  explicit SqliteInspection(const std::string& file) : readers_(file) {}

  Result<std::optional<RoomInfo>> room(const RoomId& room) override {
    return readers_.read([&](Connection& connection) -> Result<std::optional<RoomInfo>> {
      Query query(connection, "SELECT version, create_event, published FROM rooms WHERE room_id = ?", room.str());
      if (!query.next()) return std::nullopt;
      return RoomInfo{room, query.text(0), stored_id<EventId>(query.text(1)), query.integer(2) != 0};
    });
  }

  Result<std::optional<RoomId>> resolve_alias(const RoomAlias& alias) override {
    return readers_.read([&](Connection& connection) -> Result<std::optional<RoomId>> {
      Query query(connection, "SELECT room FROM aliases WHERE alias = ?", alias.str());
      return query.next() ? std::optional(stored_id<RoomId>(query.text(0))) : std::nullopt;
    });
  }

  Result<std::optional<RoomHead>> head(const RoomId& room) override {
    return readers_.read([&](Connection& connection) -> Result<std::optional<RoomHead>> {
      Query query(connection, "SELECT heads, current_state, depth FROM rooms WHERE room_id = ? AND heads <> ''",
                  room.str());
      if (!query.next()) return std::nullopt;
      return RoomHead{split_heads(query.text(0)), query.integer(1), query.integer(2)};
    });
  }

  Result<std::vector<StoredEvent>> events(const RoomId& room) override {
    return readers_.read([&](Connection& connection) -> Result<std::vector<StoredEvent>> {
      std::vector<StoredEvent> events;
      const auto nid = room_nid(connection, room);
      if (!nid) return events;
      Query query(connection, "SELECT " SKERRY_EVENT_COLUMNS " FROM events WHERE room = ? ORDER BY depth, place", *nid);
      while (query.next()) {
        auto stored = event_of_row(query, nullptr);
        if (!stored) return tl::make_unexpected(stored.error());
        events.push_back(std::move(*stored));
      }
      return events;
    });
  }

  Result<std::optional<StoredEvent>> event(const EventId& id) override {
    return readers_.read([&](Connection& connection) -> Result<std::optional<StoredEvent>> {
      Query query(connection, "SELECT " SKERRY_EVENT_COLUMNS " FROM events WHERE event_id = ?", id.str());
      if (!query.next()) return std::nullopt;
      auto stored = event_of_row(query, nullptr);
      if (!stored) return tl::make_unexpected(stored.error());
      return std::move(*stored);
    });
  }

  Result<StateMap> state(StateId id) override {
    if (id == 0) return StateMap();
    return readers_.read([&](Connection& connection) -> Result<StateMap> {
      Snapshot snapshot(connection);
      return stored_state(connection, id);
    });
  }

  Result<Destination> destination(const ServerName& server) override {
    return readers_.read(
        [&](Connection& connection) -> Result<Destination> { return stored_destination(connection, server); });
  }

 private:
  Readers readers_;
};

}  // namespace

Result<std::unique_ptr<Inspection>> inspect_sqlite(const std::string& folder) {
  const std::string file = folder + "/homeserver.db";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return fail(ErrorCode::not_found, "there is no database " + file);
  try {
    Connection connection(file, Connection::Mode::read);
    if (auto known = check_version(connection); !known)
      return fail(ErrorCode::storage, file + ": " + known.error().text);
  } catch (const SQLite::Exception& failed) {
    return fail(ErrorCode::storage, "cannot open " + file + ": " + failed.what());
  }
  return std::make_unique<SqliteInspection>(file);
}

}  // namespace skerry::storage
