// A room's state at a point, as cheap to copy as to change: a shared map, and the few entries that differ from it.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "core/state.h"
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
  // The state with one entry more or replaced. REQUIRES: `id` names it in the store.
  RoomState with(const StateKey& key, const EventId& event, storage::StateId id) const;
  // The whole of it in one map; a copy when it was changed since it was last whole.
  StatePtr map() const;

 private:
  using Changes = std::vector<std::pair<StateKey, EventId>>;
  storage::StateId id_ = 0;
  StatePtr map_;
  std::shared_ptr<const Changes> changes_;  // null: none
};

// What turns `from` into `to`; an empty id removes.
std::vector<std::pair<StateKey, EventId>> difference(const StateMap& from, const StateMap& to);

}  // namespace skerry::homeserver
