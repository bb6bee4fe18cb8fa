// A room's state at a point, as cheap to copy as to change: a shared map, and the few entries that differ from it.
#pragma once

#include <memory>
#include <string_view>

#include "core/state_forks.h"
#include "storage/types.h"

namespace skerry::homeserver {

// Immutable; thread-safe.
class RoomState {
 public:
  RoomState();  // the empty state
  // REQUIRES: `id` names `map` in the store.
  RoomState(storage::StateId id, StatePtr map);

  storage::StateId id() const { return id_; }
  // Null when the state has none.
  const EventId* find(std::string_view type, std::string_view state_key) const;
  // The state with some entries more, replaced, or (an empty id) removed. REQUIRES: `id` names it in the store.
  RoomState with(const StateChanges& more, storage::StateId id) const;
  // The same state, told as what differs from what `other` shares with its own forks, where that is little: so it takes
  // little memory, and little time to resolve them.
  RoomState beside(const RoomState& other) const;
  // The whole of it in one map; a copy when it was changed since it was last whole.
  StatePtr map() const { return whole(fork_); }
  const StateFork& fork() const { return fork_; }

 private:
  storage::StateId id_ = 0;
  StateFork fork_;
};

// What turns `from` into `to`. Of states that share a base it costs what differs.
StateChanges difference(const StateMap& from, const StateMap& to);
StateChanges difference(const RoomState& from, const RoomState& to);

}  // namespace skerry::homeserver
