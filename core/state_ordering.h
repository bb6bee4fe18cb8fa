// The two orders in which state resolution applies events.
#pragma once

#include <vector>

#include "core/auth_graph.h"

namespace skerry::resolution {

// 'Reverse topological power ordering' of a set of events, earliest first. All must be at hand.
std::vector<EventPtr> order_by_power(const RoomRules& rules, AuthGraph& graph, const EventIds& events);

// 'Mainline of a power levels event': it and those that it stands on, newest first. Empty for null.
std::vector<EventId> mainline_of(AuthGraph& graph, EventPtr power_levels);

// 'Mainline ordering' of a set of events based on `power_levels`, which may be null, earliest first. All must be at
// hand.
std::vector<EventPtr> order_by_mainline(AuthGraph& graph, const EventPtr& power_levels, const EventIds& events);

}  // namespace skerry::resolution
