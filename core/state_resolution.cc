// State resolution v2 and v2.1, step by step as the specification numbers them (rooms/v12, 'State resolution').
#include "core/state_resolution.h"

#include <algorithm>
#include <compare>

#include "core/auth_graph.h"
#include "core/state_forks.h"
#include "core/state_ordering.h"
#include "core/state_resolution_v1.h"

namespace skerry {
namespace resolution {
namespace {

// 'Unconflicted state map and conflicted state set.'
struct Separation {
  std::map<StateKey, std::optional<EventId>> keys;  // that may differ; what the forks agree on, or nothing
  std::vector<StateKey> conflicted_keys;
  EventIds conflicted;
  std::vector<EventIds> conflicted_of_fork;
};

// What each fork has for a key; null: nothing.
using Row = std::vector<const EventId*>;

// The keys that not all of these have alike, walked together.
void note_differing(const std::vector<StatePtr>& bases, const std::function<void(const StateKey&)>& note) {
  std::vector<StateMap::const_iterator> at;
  at.reserve(bases.size());
  for (const StatePtr& base : bases) at.push_back(base->begin());
  std::vector<std::size_t> here;  // those that have the key
  for (;;) {
    here.clear();
    for (std::size_t i = 0; i < bases.size(); ++i) {
      if (at[i] == bases[i]->end()) continue;
      const auto order = here.empty() ? std::weak_ordering::equivalent : at[i]->first <=> at[here.front()]->first;
      if (order > 0) continue;
      if (order < 0) here.clear();
      here.push_back(i);
    }
    if (here.empty()) return;
    const auto& entry = *at[here.front()];
    const bool is_everywhere = here.size() == bases.size() && std::all_of(here.begin(), here.end(), [&](std::size_t i) {
                                 return at[i]->second == entry.second;
                               });
    if (!is_everywhere) note(entry.first);
    for (const std::size_t i : here) ++at[i];
  }
}

// Each fork's entry for each key that may differ: one that a base differs in from another, or that a fork changed.
std::map<StateKey, Row> rows_of(const std::vector<StateFork>& forks) {
  std::vector<StatePtr> bases;
  std::vector<std::size_t> base_of;
  for (const StateFork& fork : forks) {
    const auto known = std::find(bases.begin(), bases.end(), fork.base);
    base_of.push_back(static_cast<std::size_t>(known - bases.begin()));
    if (known == bases.end()) bases.push_back(fork.base);
  }
  std::map<StateKey, Row> rows;
  const auto add = [&](const StateKey& key) -> Row& {
    const auto [entry, is_new] = rows.try_emplace(key);
    if (!is_new) return entry->second;
    Row in_bases;
    for (const StatePtr& base : bases) {
      const auto found = base->find(key);
      in_bases.push_back(found == base->end() ? nullptr : &found->second);
    }
    for (const std::size_t base : base_of) entry->second.push_back(in_bases[base]);
    return entry->second;
  };
  if (bases.size() > 1) note_differing(bases, add);
  for (std::size_t i = 0; i < forks.size(); ++i) {
    if (!forks[i].changes) continue;
    for (const auto& [key, id] : *forks[i].changes) add(key)[i] = id.empty() ? nullptr : &id;
  }
  return rows;
}

Separation separate(const std::vector<StateFork>& forks) {
  Separation result;
  result.conflicted_of_fork.resize(forks.size());
  for (const auto& [key, row] : rows_of(forks)) {
    const EventId* first = row.front();
    const bool agree = std::all_of(row.begin(), row.end(), [first](const EventId* id) {
      return id == first || (id != nullptr && first != nullptr && *id == *first);
    });
    result.keys.emplace(key, agree && first != nullptr ? std::optional(*first) : std::nullopt);
    if (agree) continue;
    result.conflicted_keys.push_back(key);
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (row[i] == nullptr) continue;
      result.conflicted_of_fork[i].insert(*row[i]);
      result.conflicted.insert(*row[i]);
    }
  }
  return result;
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
  Resolver(const RoomRules& rules, const std::vector<StateFork>& forks, const EventLookup& events,
           const std::function<bool(const EventId&)>& rejected, ResolutionTrace* trace, const CitingLookup& citing)
      : rules_(rules),
        graph_(events, citing),
        rejected_(rejected),
        trace_(trace),
        state_(separate(forks)),
        unconflicted_(*forks.front().base, std::move(state_.keys)) {}

  std::variant<StateMap, Missing> resolve() {
    if (state_.conflicted_keys.empty()) return StateMap();
    const bool is_v2_1 = rules_.state_resolution == RoomRules::StateResolution::v2_1;
    begins_empty_ = is_v2_1;
    const EventIds full_conflicted = full_conflicted_set(is_v2_1);
    if (!graph_.missing().empty()) return Missing{graph_.missing()};

    // 1. and 2.
    const EventIds power_events = select_power_events(full_conflicted);
    const std::vector<EventPtr> by_power = order_by_power(rules_, graph_, power_events);
    if (trace_ != nullptr) trace_->power_ordering = ids_of(by_power);
    apply_allowed(by_power);
    // 3. and 4.
    EventIds remaining;
    for (const EventId& id : full_conflicted) {
      if (!power_events.contains(id)) remaining.insert(id);
    }
    const EventId* levels = find_resolved({"m.room.power_levels", ""});
    const EventPtr power_levels = levels == nullptr ? nullptr : graph_.find(*levels);
    const std::vector<EventPtr> by_mainline = order_by_mainline(graph_, power_levels, remaining);
    if (trace_ != nullptr) {
      trace_->mainline = mainline_of(graph_, power_levels);
      trace_->mainline_ordering = ids_of(by_mainline);
    }
    apply_allowed(by_mainline);
    // 5. What is unconflicted stays.
    std::erase_if(applied_, [this](const auto& entry) { return unconflicted_.find(entry.first) != nullptr; });
    if (!graph_.missing().empty()) return Missing{graph_.missing()};
    for (const StateKey& key : state_.conflicted_keys) applied_.try_emplace(key);
    return std::move(applied_);
  }

 private:
  EventIds full_conflicted_set(bool with_subgraph) {
    EventIds full = auth_difference(graph_, unconflicted_, state_.conflicted_of_fork);
    if (trace_ != nullptr) {
      trace_->conflicted = sorted(state_.conflicted);
      trace_->auth_difference = sorted(full);
    }
    full.insert(state_.conflicted.begin(), state_.conflicted.end());
    if (with_subgraph) {
      EventIds subgraph = conflicted_subgraph(graph_, state_.conflicted);
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

  // The partially resolved state: of v2.1 it begins empty, else with what is unconflicted.
  const EventId* find_resolved(const StateKey& key) const {
    if (const auto entry = applied_.find(key); entry != applied_.end()) return &entry->second;
    return begins_empty_ ? nullptr : unconflicted_.find(key);
  }

  // 'Iterative auth checks.'
  void apply_allowed(const std::vector<EventPtr>& events) {
    for (const EventPtr& event : events) {
      if (!event->is_state()) continue;
      const StateLookup lookup = [&](std::string_view type, std::string_view state_key) {
        const EventId* resolved = find_resolved({std::string(type), std::string(state_key)});
        return resolved != nullptr ? graph_.find(*resolved) : find_unrejected(*event, type, state_key);
      };
      const AuthVerdict verdict = authorize(rules_, *event, create_of(*event, lookup), lookup);
      if (trace_ != nullptr) trace_->checks.push_back({event->id(), verdict});
      if (std::holds_alternative<Allowed>(verdict)) {
        applied_.insert_or_assign(StateKey{event->type(), *event->state_key()}, event->id());
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
  Separation state_;
  Unconflicted unconflicted_;
  bool begins_empty_ = false;
  StateMap applied_;  // events that the iterative auth checks allowed
};

}  // namespace
}  // namespace resolution

void apply_changes(const StateChanges& changes, StateMap& state) {
  for (const auto& [key, id] : changes) {
    if (id.empty()) {
      state.erase(key);
    } else {
      state.insert_or_assign(key, id);
    }
  }
}

StatePtr whole(const StateFork& fork) {
  if (!fork.changes) return fork.base;
  auto state = std::make_shared<StateMap>(*fork.base);
  apply_changes(*fork.changes, *state);
  return state;
}

namespace {

// v1 resolves whole states.
std::variant<StateMap, Missing> resolve_whole_v1(const RoomRules& rules, const std::vector<StateFork>& forks,
                                                 const EventLookup& events, ResolutionTrace* trace) {
  std::vector<StatePtr> states;
  for (const StateFork& fork : forks) states.push_back(whole(fork));
  auto resolved = resolution::resolve_v1(rules, states, events, trace);
  auto* state = std::get_if<StateMap>(&resolved);
  if (state == nullptr) return resolved;
  StateMap conflicts;
  for (const StateKey& key : resolution::separate(forks).conflicted_keys) {
    const auto entry = state->find(key);
    conflicts.emplace(key, entry == state->end() ? EventId() : entry->second);
  }
  return conflicts;
}

}  // namespace

std::variant<StateMap, Missing> resolve_conflicts(const RoomRules& rules, const std::vector<StateFork>& forks,
                                                  const EventLookup& events,
                                                  const std::function<bool(const EventId&)>& rejected,
                                                  ResolutionTrace* trace, const CitingLookup& citing) {
  if (rules.state_resolution == RoomRules::StateResolution::v1) return resolve_whole_v1(rules, forks, events, trace);
  return resolution::Resolver(rules, forks, events, rejected, trace, citing).resolve();
}

std::variant<StateMap, Missing> resolve_state(const RoomRules& rules, const std::vector<StatePtr>& forks,
                                              const EventLookup& events,
                                              const std::function<bool(const EventId&)>& rejected,
                                              ResolutionTrace* trace, const CitingLookup& citing) {
  // Forks that are equal make no difference, but cost.
  std::vector<StatePtr> distinct = forks;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  if (distinct.size() == 1) return *distinct.front();
  std::vector<StateFork> bare;
  for (const StatePtr& fork : distinct) bare.push_back(StateFork{fork, nullptr});
  auto conflicts = resolve_conflicts(rules, bare, events, rejected, trace, citing);
  auto* resolved = std::get_if<StateMap>(&conflicts);
  if (resolved == nullptr) return conflicts;
  StateMap state = *distinct.front();
  apply_changes(StateChanges(resolved->begin(), resolved->end()), state);
  return state;
}

}  // namespace skerry
