// State resolution for those who keep states as what differs from others: it costs what differs, whatever the size of
// the states.
#pragma once

#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "core/state_resolution.h"

namespace skerry {

// What a state has otherwise than another; an empty id: nothing. No key twice.
using StateChanges = std::vector<std::pair<StateKey, EventId>>;

// A state as what another has, but for a few entries. The forks of a room mostly share that other one.
struct StateFork {
  StatePtr base;
  std::shared_ptr<const StateChanges> changes;  // null: none
};

// Makes of a state the other one.
void apply_changes(const StateChanges& changes, StateMap& state);
// In one map; the base, when there are no changes.
StatePtr whole(const StateFork& fork);

// resolve_state(), as what it makes of the keys that not all forks agree on; an empty id: there is none.
// REQUIRES: `forks` is not empty.
std::variant<StateMap, Missing> resolve_conflicts(const RoomRules& rules, const std::vector<StateFork>& forks,
                                                  const EventLookup& events,
                                                  const std::function<bool(const EventId&)>& rejected,
                                                  ResolutionTrace* trace = nullptr, const CitingLookup& citing = {});

}  // namespace skerry
