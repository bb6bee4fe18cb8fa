// AppserviceStore on SQLite.
#pragma once

#include "storage/appservice_store.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/room_store.h"
#include "storage/sqlite/writer.h"

namespace skerry::storage {

class SqliteAppserviceStore final : public AppserviceStore {
 public:
  SqliteAppserviceStore(Writer& writer, Readers& readers, SqliteRoomStore& rooms)
      : writer_(writer), readers_(readers), rooms_(rooms) {}

  Result<AppserviceCursor> open_cursor(const std::string& id, const AppserviceCursor& fresh) override;
  Result<void> save_cursor(const std::string& id, const AppserviceCursor& cursor) override;
  void save_cursor_lazily(const std::string& id, const AppserviceCursor& cursor, Saved done) override;
  Result<std::vector<StoredEvent>> stream_events(StreamPosition from, StreamPosition to, std::size_t limit) override;
  Result<std::vector<Invite>> stream_invites(StreamPosition from, StreamPosition to, std::size_t limit) override;
  Result<void> set_listed(const std::string& id, const std::string& network, const RoomId& room, bool listed) override;
  Result<std::vector<RoomId>> listed_rooms(const std::string& id, const std::string& network) override;
  Result<std::vector<RoomId>> listed_rooms() override;

 private:
  Writer& writer_;
  Readers& readers_;
  SqliteRoomStore& rooms_;
};

}  // namespace skerry::storage
