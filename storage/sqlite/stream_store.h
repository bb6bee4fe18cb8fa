// StreamStore on SQLite.
#pragma once

#include "storage/sqlite/connection.h"
#include "storage/sqlite/recent_changes.h"
#include "storage/sqlite/writer.h"
#include "storage/stream_store.h"

namespace skerry::storage {

class SqliteStreamStore final : public StreamStore {
 public:
  SqliteStreamStore(Writer& writer, Readers& readers, Sequencer& sequencer, RecentChanges& changes)
      : writer_(writer), readers_(readers), sequencer_(sequencer), changes_(changes) {}

  StreamPosition current() override { return sequencer_.visible(); }
  StreamPosition next_ephemeral() override;
  void on_advance(std::function<void(StreamPosition)> reached) override { sequencer_.on_advance(std::move(reached)); }
  std::optional<std::vector<RoomId>> changed_rooms(StreamPosition from, StreamPosition to) override {
    return changes_.between(from, to);
  }
  Result<StreamPosition> put_receipt(const Receipt& receipt) override;
  Result<std::vector<Receipt>> receipts(const RoomId& room, StreamPosition from, StreamPosition to) override;
  Result<std::vector<Receipt>> receipts_of(const RoomId& room, const UserId& user) override;

 private:
  Writer& writer_;
  Readers& readers_;
  Sequencer& sequencer_;
  RecentChanges& changes_;
};

}  // namespace skerry::storage
