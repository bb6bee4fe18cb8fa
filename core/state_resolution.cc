// State resolution v2 and v2.1, step by step as the specification numbers them (rooms/v12, 'State resolution').
#include "core/state_resolution.h"

#include <algorithm>
#include <compare>

#include "core/auth_graph.h"
#include "core/state_ordering.h"
#include "core/state_resolution_v1.h"

namespace skerry {
namespace resolution {
namespace {

// 'Unconflicted state map and conflicted state set.'
struct Separation {
  StateMap unconflicted;
  EventIds conflicted;
  std::vector<EventIds> conflicted_of_fork;
};

// All forks are walked together, key by key.
Separation separate(const std::vector<StatePtr>& forks) {
  Separation result;
  result.conflicted_of_fork.resize(forks.size());
  std::vector<StateMap::const_iterator> at;
  at.reserve(forks.size());
  for (const StatePtr& fork : forks) at.push_back(fork->begin());
  std::vector<std::size_t> here;  // the forks that have the key
  for (;;) {
    here.clear();
    for (std::size_t i = 0; i < forks.size(); ++i) {
      if (at[i] == forks[i]->end()) continue;
      const auto order = here.empty() ? std::weak_ordering::equivalent : at[i]->first <=> at[here.front()]->first;
      if (order > 0) continue;
      if (order < 0) here.clear();
      here.push_back(i);
    }
    if (here.empty()) return result;
    const auto& entry = *at[here.front()];
    const bool is_everywhere = here.size() == forks.size() && std::all_of(here.begin(), here.end(), [&](std::size_t i) {
                                 return at[i]->second == entry.second;
                               });
    if (is_everywhere) result.unconflicted.insert(result.unconflicted.end(), entry);
    for (const std::size_t i : here) {
      if (!is_everywhere) {
        result.conflicted_of_fork[i].insert(at[i]->second);
        result.conflicted.insert(at[i]->second);
      }
      ++at[i];
    }
  }
}

bool is_power_event(const Event& event) {
  if (event.is_state("m.room.power_levels", "") || event.is_state("m.room.join_rules", "")) return true;
  const std::string_view membership = event.membership();
  return (membership == "leave" || membership == "ban") && event.is_state() &&
         *event.state_key() != event.sender().str();
}

std::vector<EventId> sorted(const EventIds& ids) {
  std::vector<EventId> list(ids.begin(), ids.end());
  std::sort(list.begin(), list.end());
  return list;
}

std::vector<EventId> ids_of(const std::vector<EventPtr>& events) {
  std::vector<EventId> ids;
  ids.reserve(events.size());
  for (const EventPtr& event : events) ids.push_back(event->id());
  return ids;
}

class Resolver {
 public:
  Resolver(const RoomRules& rules, const EventLookup& events, const std::function<bool(const EventId&)>& rejected,
           ResolutionTrace* trace, const CitingLookup& citing)
      : rules_(rules), graph_(events, citing), rejected_(rejected), trace_(trace) {}

  std::variant<StateMap, Missing> resolve(const std::vector<StatePtr>& forks) {
    Separation state = separate(forks);
    if (state.conflicted.empty()) return std::move(state.unconflicted);
    const bool is_v2_1 = rules_.state_resolution == RoomRules::StateResolution::v2_1;
    const EventIds full_conflicted = full_conflicted_set(state, is_v2_1);
    if (!graph_.missing().empty()) return Missing{graph_.missing()};

    StateMap resolved = is_v2_1 ? StateMap{} : state.unconflicted;
    // 1. and 2.
    const EventIds power_events = select_power_events(full_conflicted);
    const std::vector<EventPtr> by_power = order_by_power(rules_, graph_, power_events);
    if (trace_ != nullptr) trace_->power_ordering = ids_of(by_power);
    apply_allowed(by_power, resolved);
    // 3. and 4.
    EventIds remaining;
    for (const EventId& id : full_conflicted) {
      if (!power_events.contains(id)) remaining.insert(id);
    }
    const auto levels = resolved.find({"m.room.power_levels", ""});
    const EventPtr power_levels = levels == resolved.end() ? nullptr : graph_.find(levels->second);
    const std::vector<EventPtr> by_mainline = order_by_mainline(graph_, power_levels, remaining);
    if (trace_ != nullptr) {
      trace_->mainline = mainline_of(graph_, power_levels);
      trace_->mainline_ordering = ids_of(by_mainline);
    }
    apply_allowed(by_mainline, resolved);
    // 5.
    for (auto& [key, id] : state.unconflicted) resolved.insert_or_assign(key, std::move(id));
    if (!graph_.missing().empty()) return Missing{graph_.missing()};
    return resolved;
  }

 private:
  EventIds full_conflicted_set(const Separation& state, bool with_subgraph) {
    EventIds common;
    for (const auto& [key, id] : state.unconflicted) common.insert(id);
    EventIds full = auth_difference(graph_, common, state.conflicted_of_fork);
    if (trace_ != nullptr) {
      trace_->conflicted = sorted(state.conflicted);
      trace_->auth_difference = sorted(full);
    }
    full.insert(state.conflicted.begin(), state.conflicted.end());
    if (with_subgraph) {
      EventIds subgraph = conflicted_subgraph(graph_, state.conflicted);
      if (trace_ != nullptr) trace_->subgraph = sorted(subgraph);
      full.merge(subgraph);
    }
    for (const EventId& id : full) graph_.find(id);  // all are needed from here on
    return full;
  }

  // Step 1: the power events, and of their auth chains what is in the full conflicted set. Chains are followed inside
  // the set only, as all implementations do: what leaves it is in every fork's chain, and so is all behind it.
  EventIds select_power_events(const EventIds& full_conflicted) {
    EventIds selected;
    std::vector<EventId> open;
    for (const EventId& id : full_conflicted) {
      if (is_power_event(*graph_.find(id)) && selected.insert(id).second) open.push_back(id);
    }
    while (!open.empty()) {
      const EventPtr event = graph_.find(open.back());
      open.pop_back();
      for (const EventId& cited : event->auth_events()) {
        if (full_conflicted.contains(cited) && selected.insert(cited).second) open.push_back(cited);
      }
    }
    return selected;
  }

  // 'Iterative auth checks.'
  void apply_allowed(const std::vector<EventPtr>& events, StateMap& state) {
    for (const EventPtr& event : events) {
      if (!event->is_state()) continue;
      const StateLookup lookup = [&](std::string_view type, std::string_view state_key) {
        const auto entry = state.find({std::string(type), std::string(state_key)});
        return entry != state.end() ? graph_.find(entry->second) : find_unrejected(*event, type, state_key);
      };
      const AuthVerdict verdict = authorize(rules_, *event, create_of(*event, lookup), lookup);
      if (trace_ != nullptr) trace_->checks.push_back({event->id(), verdict});
      if (std::holds_alternative<Allowed>(verdict)) {
        state.insert_or_assign(StateKey{event->type(), *event->state_key()}, event->id());
      }
    }
  }

  EventPtr find_unrejected(const Event& event, std::string_view type, std::string_view state_key) {
    EventPtr cited = graph_.find_auth_event(event, type, state_key);
    return cited == nullptr || rejected_(cited->id()) ? nullptr : cited;
  }

  EventPtr create_of(const Event& event, const StateLookup& lookup) {
    if (event.type() == "m.room.create") return nullptr;
    if (!rules_.room_id_is_create_hash) return lookup("m.room.create", "");
    return graph_.find(create_event_id(event.room_id()));
  }

  const RoomRules& rules_;
  AuthGraph graph_;
  const std::function<bool(const EventId&)>& rejected_;
  ResolutionTrace* const trace_;  // null: nobody wants to know
};

}  // namespace
}  // namespace resolution

std::variant<StateMap, Missing> resolve_state(const RoomRules& rules, const std::vector<StatePtr>& forks,
                                              const EventLookup& events,
                                              const std::function<bool(const EventId&)>& rejected,
                                              ResolutionTrace* trace, const CitingLookup& citing) {
  // Forks that are equal make no difference, but cost.
  std::vector<StatePtr> distinct = forks;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct.size() == 1) return *distinct.front();
  if (rules.state_resolution == RoomRules::StateResolution::v1) {
    return resolution::resolve_v1(rules, distinct, events, trace);
  }
  return resolution::Resolver(rules, events, rejected, trace, citing).resolve(distinct);
}

}  // namespace skerry
