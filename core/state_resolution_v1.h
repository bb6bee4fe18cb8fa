// State resolution v1, called by resolve_state for the rooms that have it.
#pragma once

#include "core/state_resolution.h"

namespace skerry::resolution {

// REQUIRES: forks are two or more and differ.
std::variant<StateMap, Missing> resolve_v1(const RoomRules& rules, const std::vector<StatePtr>& forks,
                                           const EventLookup& events, ResolutionTrace* trace);

}  // namespace skerry::resolution
