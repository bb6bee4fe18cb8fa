// Walks over the graph that auth_events span, for state resolution. Iterative: chains may be 100,000 events long.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/authorization.h"

namespace skerry::resolution {

using EventIds = std::unordered_set<EventId>;

// Events by id, each looked up once. Remembers what was not at hand.
class AuthGraph {
 public:
  explicit AuthGraph(const EventLookup& lookup) : lookup_(lookup) {}

  // Null when not at hand; then missing() names it.
  const EventPtr& find(const EventId& id);
  // The event of that state key among the auth_events, or null.
  EventPtr find_auth_event(const Event& event, std::string_view type, std::string_view state_key);
  const std::vector<EventId>& missing() const { return missing_; }

  // `starts` and all that is reached from them over auth_events, but not what lies behind events of `stops`.
  EventIds reach(const EventIds& starts, const EventIds& stops);

 private:
  const EventLookup& lookup_;
  std::unordered_map<EventId, EventPtr> events_;
  std::vector<EventId> missing_;
};

// 'Auth difference': events in the full auth chain of some forks but not of all; without the events of the states
// themselves, which count as part of their chains. `common` are the events of all forks, `differing` those of each fork
// that are not common.
EventIds auth_difference(AuthGraph& graph, const EventIds& common, const std::vector<EventIds>& differing);

// 'Conflicted state subgraph' (v2.1): all events on paths from one of `conflicted` to another, ends included.
EventIds conflicted_subgraph(AuthGraph& graph, const EventIds& conflicted);

}  // namespace skerry::resolution
