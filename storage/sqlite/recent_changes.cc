#include "storage/sqlite/recent_changes.h"

#include <algorithm>
#include <unordered_set>

namespace skerry::storage {

namespace {

constexpr std::size_t remembered = 4'096;

}  // namespace

void RecentChanges::note(StreamPosition position, const RoomId& room) {
  std::scoped_lock lock(mutex_);
  changes_.emplace_back(position, room);
  if (changes_.size() <= remembered) return;
  unknown_to_ = std::max(unknown_to_, changes_.front().first);
  changes_.pop_front();
}

std::optional<std::vector<RoomId>> RecentChanges::between(StreamPosition from, StreamPosition to) const {
  std::unordered_set<RoomId> rooms;
  {
    std::scoped_lock lock(mutex_);
    if (from < unknown_to_) return std::nullopt;
    for (auto change = changes_.rbegin(); change != changes_.rend() && change->first > from; ++change) {
      if (change->first <= to) rooms.insert(change->second);
    }
  }
  return std::vector<RoomId>(rooms.begin(), rooms.end());
}

}  // namespace skerry::storage
