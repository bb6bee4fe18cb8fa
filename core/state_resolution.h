// State resolution v1, v2 and v2.1 (room versions 1, 2 to 11, and 12). Pure: absent events come back as Missing.
#pragma once

#include <variant>
#include <vector>

#include "core/authorization.h"
#include "core/state.h"

namespace skerry {

// What a resolution did, step by step, for people who want to know why. Sets are sorted; orders go earliest first. Of
// v1 there are conflicted and checks.
struct ResolutionTrace {
  struct Check {
    EventId event;
    AuthVerdict verdict;
  };
  std::vector<EventId> conflicted;  // the conflicted state set; empty: nothing was to be resolved
  std::vector<EventId> auth_difference;
  std::vector<EventId> subgraph;  // the conflicted state subgraph (v2.1)
  std::vector<EventId> power_ordering;
  std::vector<EventId> mainline;  // the power levels events, newest first
  std::vector<EventId> mainline_ordering;
  std::vector<Check> checks;  // the iterative auth checks, in their order
};

// The resolution of the states `forks`. `events` finds any event of the auth chains; `rejected` says whether one was
// rejected. REQUIRES: forks is not empty. One fork, or equal ones, come back as they are.
// `trace`, when given, is filled as far as the resolution went.
std::variant<StateMap, Missing> resolve_state(const RoomRules& rules, const std::vector<StatePtr>& forks,
                                              const EventLookup& events,
                                              const std::function<bool(const EventId&)>& rejected,
                                              ResolutionTrace* trace = nullptr);

}  // namespace skerry
