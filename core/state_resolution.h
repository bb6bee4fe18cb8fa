// State resolution v1, v2 and v2.1 (room versions 1, 2 to 11, and 12). Pure: absent events come back as Missing.
#pragma once

#include <cstdint>
#include <functional>
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

// Of the events that cite one in their auth_events, some, in any order, and where to go on for more (0: there are
// none).
struct CitingPage {
  std::vector<EventId> events;
  std::int64_t next = 0;
};
// `from` is 0 at first, then the last page's `next`. An index may leave out events that no accepted event cites and
// that are in no fork: rejected ones, and what is not state.
using CitingLookup = std::function<CitingPage(const EventId& cited, std::int64_t from)>;

// The resolution of the states `forks`. `events` finds any event of the auth chains; `rejected` says whether one was
// rejected. REQUIRES: forks is not empty. One fork, or equal ones, come back as they are.
// `trace`, when given, is filled as far as the resolution went. With `citing` the answer is the same and comes without
// walking whole auth chains.
std::variant<StateMap, Missing> resolve_state(const RoomRules& rules, const std::vector<StatePtr>& forks,
                                              const EventLookup& events,
                                              const std::function<bool(const EventId&)>& rejected,
                                              ResolutionTrace* trace = nullptr, const CitingLookup& citing = {});

}  // namespace skerry
