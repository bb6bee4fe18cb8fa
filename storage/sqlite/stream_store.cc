#include "storage/sqlite/stream_store.h"

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

StreamPosition SqliteStreamStore::next_ephemeral() {
  for (;;) {
    if (const auto position = sequencer_.take_ephemeral()) return *position;
    // The reserved block is used up: any write reserves another. If the disk refuses, the last position must do: what
    // lives in memory is then seen with the next thing that gets one.
    const auto written = writer_.run([](WriteContext&) -> Result<StreamPosition> { return StreamPosition{0}; });
    if (!written) return sequencer_.visible();
  }
}

Result<StreamPosition> SqliteStreamStore::put_receipt(const Receipt& receipt) {
  return writer_.run([=, this](WriteContext& context) -> Result<StreamPosition> {
    const StreamPosition position = context.take_position();
    changes_.note(position, receipt.room);
    Query(context.connection, "INSERT OR REPLACE INTO receipts VALUES(?, ?, ?, ?, ?, ?, ?)", receipt.room.str(),
          receipt.user.str(), receipt.type, receipt.thread_id, receipt.event.str(), receipt.ts_ms, position)
        .run();
    return position;
  });
}

namespace {

// Of columns user, type, thread, event_id, ts_ms, position.
std::vector<Receipt> list_of(const RoomId& room, Query query) {
  std::vector<Receipt> list;
  while (query.next()) {
    list.push_back({room, stored_id<UserId>(query.text(0)), query.text(1), query.text(2),
                    stored_id<EventId>(query.text(3)), query.integer(4), query.integer(5)});
  }
  return list;
}

}  // namespace

Result<std::vector<Receipt>> SqliteStreamStore::receipts(const RoomId& room, StreamPosition from, StreamPosition to) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Receipt>> {
    return list_of(room, Query(connection,
                               "SELECT user, type, thread, event_id, ts_ms, position FROM receipts "
                               "WHERE room = ? AND position > ? AND position <= ? ORDER BY position",
                               room.str(), from, to));
  });
}

Result<std::vector<Receipt>> SqliteStreamStore::receipts_of(const RoomId& room, const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Receipt>> {
    return list_of(room, Query(connection,
                               "SELECT user, type, thread, event_id, ts_ms, position FROM receipts "
                               "WHERE room = ? AND user = ?",
                               room.str(), user.str()));
  });
}

}  // namespace skerry::storage
