// State resolution v2 and v2.1 (room versions 2 to 11, and 12). Pure: absent events come back as Missing.
#pragma once

#include <variant>
#include <vector>

#include "core/authorization.h"
#include "core/state.h"

namespace skerry {

// The resolution of the states `forks`. `events` finds any event of the auth chains; `rejected` says whether one was
// rejected. REQUIRES: forks is not empty. One fork, or equal ones, come back as they are.
std::variant<StateMap, Missing> resolve_state(const RoomRules& rules, const std::vector<StatePtr>& forks,
                                              const EventLookup& events,
                                              const std::function<bool(const EventId&)>& rejected);

}  // namespace skerry
