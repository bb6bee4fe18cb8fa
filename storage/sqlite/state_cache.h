// States at hand: what was read lately, and what was made and is not on the disk yet.
#pragma once

#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "storage/types.h"

namespace skerry::storage {

struct CachedState {
  StatePtr state;
  std::size_t since_copy = 0;  // entries of the deltas since the last whole copy
};

// Thread-safe. Bounded by the entries of the states that may be dropped; at least the newest one stays.
class StateCache {
 public:
  explicit StateCache(std::size_t most_entries) : most_entries_(most_entries) {}

  std::optional<CachedState> find(StateId id);
  void put(StateId id, CachedState state);
  // Made now: stays until written() or lost().
  void put_unwritten(StateId id, CachedState state);
  void written(StateId id);
  void lost(StateId id);

 private:
  void drop_oldest();

  const std::size_t most_entries_;
  std::mutex mutex_;
  std::map<StateId, CachedState> unwritten_;
  struct Entry {
    CachedState state;
    std::list<StateId>::iterator place;
  };
  std::unordered_map<StateId, Entry> kept_;
  std::list<StateId> order_;  // oldest use first
  std::size_t entries_ = 0;
};

// Parsed events by id, bounded by the bytes of their texts. Thread-safe.
class EventCache {
 public:
  explicit EventCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  EventPtr find(const EventId& id);
  void put(const EventPtr& event);

 private:
  const std::size_t most_bytes_;
  std::mutex mutex_;
  struct Entry {
    EventPtr event;
    std::list<EventId>::iterator place;
  };
  std::unordered_map<EventId, Entry> kept_;
  std::list<EventId> order_;
  std::size_t bytes_ = 0;
};

}  // namespace skerry::storage
