// Which rooms changed lately, in memory: so that a /sync need not ask about each room that is idle.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "storage/types.h"

namespace skerry::storage {

// Thread-safe.
class RecentChanges {
 public:
  // What changed up to `before` is not known.
  explicit RecentChanges(StreamPosition before) : unknown_to_(before) {}

  // On the writer's thread, before the position becomes visible. A job that fails later leaves a room too many, which
  // harms nobody.
  void note(StreamPosition position, const RoomId& room);
  // As StreamStore::changed_rooms().
  std::optional<std::vector<RoomId>> between(StreamPosition from, StreamPosition to) const;

 private:
  mutable std::mutex mutex_;
  // In the order of writing. Positions rise, but for those of a group that failed, which may be given again.
  std::deque<std::pair<StreamPosition, RoomId>> changes_;
  StreamPosition unknown_to_;
};

}  // namespace skerry::storage
