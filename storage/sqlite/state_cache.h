// States and events at hand: what was read lately, and the states that were made and are not on the disk yet.
#pragma once

#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "storage/types.h"

namespace skerry::storage {

using StateChanges = std::vector<std::pair<StateKey, EventId>>;  // an empty id removes

// Where a state stands in the tables (schema.cc, `states`).
struct StatePlace {
  StateId line = 0;            // the line of states, each made from the one before, that it belongs to
  StateId base = 0;            // what it was made from; 0: a whole copy
  std::size_t since_copy = 0;  // changes since the last whole copy
  std::size_t copy_size = 0;   // entries of that copy
};

// What is at hand of one state.
struct CachedState {
  StatePlace place;
  StatePtr whole;  // null: not put together yet
  // Of a state that is not written yet: how it differs from its base. Null once it is written, and for whole copies.
  std::shared_ptr<const StateChanges> changes;
};

// Thread-safe. Bounded by the entries of the states that may be dropped; at least the newest one stays.
class StateCache {
 public:
  explicit StateCache(std::size_t most_entries) : most_entries_(most_entries) {}

  std::optional<CachedState> find(StateId id);
  // Read from the database.
  void put(StateId id, CachedState state);
  // Put together from its base.
  void put_whole(StateId id, const StatePtr& whole);
  // Made now: stays until written() or lost().
  void put_unwritten(StateId id, CachedState state);
  void written(StateId id);
  void lost(StateId id);
  // True once for a state that is the last of its line: the next state goes on with the line. False when it is not
  // known to be, after which another line must begin.
  bool take_end_of_line(StateId id);

 private:
  struct Entry {
    CachedState state;
    bool ends_line = false;
    std::list<StateId>::iterator place;
  };
  void keep(StateId id, CachedState state, bool ends_line);

  const std::size_t most_entries_;
  std::mutex mutex_;
  struct Unwritten {
    CachedState state;
    bool ends_line = true;
  };
  std::unordered_map<StateId, Unwritten> unwritten_;
  std::unordered_map<StateId, Entry> kept_;
  std::list<StateId> order_;  // oldest use first
  std::size_t entries_ = 0;
};

// Parsed events by id, bounded by about the memory that they take. Thread-safe.
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
