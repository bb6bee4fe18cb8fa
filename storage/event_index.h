// What is looked for rarely and therefore indexed only when someone looks: words, and times. No commit pays for it.
// Thread-safe. Errors: storage.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/types.h"

namespace skerry::storage {

enum class TextField { body, name, topic };  // of an event's content

struct TextQuery {
  std::vector<std::string> words;  // all of them must be there
  std::vector<TextField> fields;   // in any of these
  std::vector<RoomId> rooms;
  bool by_rank = true;               // else the latest first
  StreamPosition until = INT64_MAX;  // leaves out what came later, so that pages fit each other
  std::size_t skip = 0;
  std::size_t limit = 0;
};

struct TextHit {
  StoredEvent event;
  double rank = 0;  // higher is closer
};

class EventIndex {
 public:
  virtual ~EventIndex() = default;

  // Indexes what came since the last call. Waits, for long the first time on a large database: not on `local`.
  virtual Result<void> catch_up() = 0;
  // Accepted events with a place that were not redacted.
  virtual Result<std::vector<TextHit>> find_text(const TextQuery& query) = 0;
  // How many that would be without `skip` and `limit`, at most `most`.
  virtual Result<std::size_t> count_text(const TextQuery& query, std::size_t most) = 0;
  // Accepted events of a room with a place, by origin_server_ts from `ts_ms` on (or back), the closest first.
  virtual Result<std::vector<StoredEvent>> by_time(const RoomId& room, std::int64_t ts_ms, bool forwards,
                                                   std::size_t skip, std::size_t limit) = 0;
};

}  // namespace skerry::storage
