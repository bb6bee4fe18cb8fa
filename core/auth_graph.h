// Walks over the graph that auth_events span, for state resolution. Iterative: chains may be 100,000 events long. With
// an index of who cites an event they look at what differs and its neighbours; without one, at whole chains.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/authorization.h"
#include "core/state_resolution.h"

namespace skerry::resolution {

using EventIds = std::unordered_set<EventId>;

// Events by id, each looked up once. Remembers what was not at hand.
class AuthGraph {
 public:
  // `citing` may be empty.
  AuthGraph(const EventLookup& lookup, const CitingLookup& citing) : lookup_(lookup), citing_(citing) {}

  // Null when not at hand; then missing() names it.
  const EventPtr& find(const EventId& id);
  // Null when not at hand, which is not noted.
  EventPtr peek(const EventId& id);
  // The event of that state key among the auth_events, or null.
  EventPtr find_auth_event(const Event& event, std::string_view type, std::string_view state_key);
  const std::vector<EventId>& missing() const { return missing_; }
  bool has_index() const { return static_cast<bool>(citing_); }
  // REQUIRES: has_index().
  CitingPage citing(const EventId& id, std::int64_t from) const { return citing_(id, from); }

 private:
  const EventLookup& lookup_;
  const CitingLookup& citing_;
  std::unordered_map<EventId, EventPtr> events_;
  std::vector<EventId> missing_;
};

// 'Unconflicted state map': what all forks agree on, as what one of them has but for some keys.
class Unconflicted {
 public:
  // Of `others` the forks have what is told here; nothing where they do not agree. REQUIRES: `base` outlives this
  // object.
  Unconflicted(const StateMap& base, std::map<StateKey, std::optional<EventId>> others)
      : base_(base), others_(std::move(others)) {}

  // Null where the forks do not agree, or agree that there is none.
  const EventId* find(const StateKey& key) const;
  // Whether the event is one of these. A few answers need no list of all.
  bool contains(AuthGraph& graph, const EventId& id);
  const EventIds& ids();

 private:
  const StateMap& base_;
  std::map<StateKey, std::optional<EventId>> others_;
  std::size_t asked_ = 0;
  std::optional<EventIds> ids_;
};

// 'Auth difference': events in the full auth chain of some forks but not of all; without the events of the states
// themselves, which count as part of their chains. `common` is what all forks have, `differing` the other events of
// each.
EventIds auth_difference(AuthGraph& graph, Unconflicted& common, const std::vector<EventIds>& differing);

// 'Conflicted state subgraph' (v2.1): all events on paths from one of `conflicted` to another, ends included.
EventIds conflicted_subgraph(AuthGraph& graph, const EventIds& conflicted);

}  // namespace skerry::resolution
