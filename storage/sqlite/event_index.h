// EventIndex on SQLite: FTS5 for words.
#pragma once

#include <mutex>

#include "storage/event_index.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/writer.h"

namespace skerry::storage {

class SqliteEventIndex final : public EventIndex {
 public:
  SqliteEventIndex(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}

  Result<void> catch_up() override;
  Result<std::vector<TextHit>> find_text(const TextQuery& query) override;
  Result<std::size_t> count_text(const TextQuery& query, std::size_t most) override;
  Result<std::vector<StoredEvent>> by_time(const RoomId& room, std::int64_t ts_ms, bool forwards, std::size_t skip,
                                           std::size_t limit) override;

 private:
  Writer& writer_;
  Readers& readers_;
  std::mutex catching_up_;  // one at a time: the second finds little left to do
};

}  // namespace skerry::storage
