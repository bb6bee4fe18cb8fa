#include "tests/core/literal_resolution.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <tuple>

#include <nlohmann/json.hpp>

#include "core/crypto.h"

namespace skerry::test {
namespace {

using Set = std::set<EventId>;
using List = std::vector<EventPtr>;

Set united(Set a, const Set& b) {
  a.insert(b.begin(), b.end());
  return a;
}

class Literal {
 public:
  Literal(const RoomBuilder& room, const std::vector<StateMap>& states) : room_(room), states_(states) {}

  // rooms/v1, 'State resolution'.
  StateMap v1() const {
    // "Start by setting R to the union of the states to be resolved, excluding any conflicting events."
    StateMap r;
    std::set<StateKey> conflicts;
    for (const StateMap& state : states_) {
      for (const auto& [key, id] : state) {
        if (r.emplace(key, id).first->second != id) conflicts.insert(key);
      }
    }
    for (const StateKey& key : conflicts) r.erase(key);
    // "First we resolve conflicts between m.room.power_levels events ... Repeat the above process for conflicts between
    // m.room.join_rules events. Repeat the above process for conflicts between m.room.member events." All members are
    // resolved against the R from before any of them.
    for (const std::string type : {"m.room.power_levels", "m.room.join_rules", "m.room.member"}) {
      StateMap found;
      for (const StateKey& key : conflicts) {
        if (key.type == type) found[key] = first_to_last_allowed(key, r);
      }
      r.insert(found.begin(), found.end());
    }
    // "for all other conflicts, just pick the event with the highest depth and lowest sha1(event_id) that passes
    // authentication in R"; when none does, the one that would be tried last.
    StateMap found;
    for (const StateKey& key : conflicts) {
      if (r.contains(key)) continue;
      List list = by_depth_and_hash(key);
      found[key] = list.front()->id();
      for (const EventPtr& event : list) {
        if (allowed(*event, r, false)) found[key] = event->id();
      }
    }
    r.insert(found.begin(), found.end());
    return r;
  }

  // fragments/v2-state-res, 'Algorithm', and its changes in rooms/v12.
  StateMap v2(bool is_v2_1) const {
    const StateMap unconflicted = unconflicted_state_map();
    const Set conflicted = conflicted_state_set(unconflicted);
    // One state, or equal ones: nothing to resolve.
    if (conflicted.empty()) return unconflicted;
    Set full = united(conflicted, auth_difference());
    if (is_v2_1) full = united(full, conflicted_state_subgraph(conflicted));
    // 1.
    Set x;
    for (const EventId& id : full) {
      if (is_power_event(*find(id))) x = united(united(x, {id}), auth_chain_inside(id, full));
    }
    // 2.
    StateMap state = iterative_auth_checks(is_v2_1 ? StateMap{} : unconflicted, reverse_topological_power_ordering(x));
    // 3.
    List remaining;
    for (const EventId& id : full) {
      if (!x.contains(id)) remaining.push_back(find(id));
    }
    const auto levels = state.find({"m.room.power_levels", ""});
    const List ordered = mainline_ordering(levels == state.end() ? nullptr : find(levels->second), remaining);
    // 4.
    state = iterative_auth_checks(state, ordered);
    // 5.
    for (const auto& [key, id] : unconflicted) state[key] = id;
    return state;
  }

 private:
  EventPtr find(const EventId& id) const {
    EventPtr event = room_.find(id);
    if (event == nullptr) throw std::runtime_error("no event " + id.str());
    return event;
  }

  // -- v1
  // By ascending depth, then descending SHA-1 of the id.
  List by_depth_and_hash(const StateKey& key) const {
    Set ids;
    for (const StateMap& state : states_) {
      if (state.contains(key)) ids.insert(state.at(key));
    }
    List list;
    for (const EventId& id : ids) list.push_back(find(id));
    std::stable_sort(list.begin(), list.end(), [](const EventPtr& a, const EventPtr& b) {
      return a->depth() < b->depth() || (a->depth() == b->depth() && sha1(a->id().str()) > sha1(b->id().str()));
    });
    return list;
  }

  // "Add the first event in the list to R. For each subsequent event in the list, check that the event would be allowed
  // ... If it would not be allowed, stop."
  EventId first_to_last_allowed(const StateKey& key, StateMap r) const {
    for (const EventPtr& event : by_depth_and_hash(key)) {
      if (r.contains(key) && !allowed(*event, r, false)) break;
      r[key] = event->id();
    }
    return r.at(key);
  }

  // -- definitions
  StateMap unconflicted_state_map() const {
    StateMap map;
    for (const auto& [key, id] : states_.front()) {
      bool same = true;
      for (const StateMap& state : states_) same = same && state.contains(key) && state.at(key) == id;
      if (same) map[key] = id;
    }
    return map;
  }

  Set conflicted_state_set(const StateMap& unconflicted) const {
    Set set;
    for (const StateMap& state : states_) {
      for (const auto& [key, id] : state) {
        if (!unconflicted.contains(key)) set.insert(id);
      }
    }
    return set;
  }

  // Each is found once: else the time would double with every step of a chain.
  const Set& auth_chain(const EventId& id) const {
    if (const auto known = chains_.find(id); known != chains_.end()) return known->second;
    Set chain;
    for (const EventId& cited : find(id)->auth_events()) chain = united(united(chain, {cited}), auth_chain(cited));
    return chains_[id] = chain;
  }

  // As in other servers, the events of a state are part of its full auth chain.
  Set auth_difference() const {
    Set in_any;
    std::optional<Set> in_all;
    for (const StateMap& state : states_) {
      Set full_chain;
      for (const auto& [key, id] : state) full_chain = united(united(full_chain, {id}), auth_chain(id));
      in_any = united(in_any, full_chain);
      Set common;
      for (const EventId& id : in_all.value_or(full_chain)) {
        if (full_chain.contains(id)) common.insert(id);
      }
      in_all = common;
    }
    for (const EventId& id : *in_all) in_any.erase(id);
    return in_any;
  }

  // "The union of all such paths between any pair of events in the conflicted state set (including endpoints)": what a
  // conflicted event leads to and what leads to a conflicted event.
  Set conflicted_state_subgraph(const Set& conflicted) const {
    Set below = conflicted;
    for (const EventId& id : conflicted) below = united(below, auth_chain(id));
    Set subgraph;
    for (const EventId& id : below) {
      const Set& chain = auth_chain(id);
      const bool leads_on =
          std::any_of(conflicted.begin(), conflicted.end(), [&](const EventId& end) { return chain.contains(end); });
      if (conflicted.contains(id) || leads_on) subgraph.insert(id);
    }
    return subgraph;
  }

  // As in other servers, chains are followed inside the full conflicted set only.
  Set auth_chain_inside(const EventId& id, const Set& full) const {
    Set chain;
    for (const EventId& cited : find(id)->auth_events()) {
      if (full.contains(cited)) chain = united(united(chain, {cited}), auth_chain_inside(cited, full));
    }
    return chain;
  }

  static bool is_power_event(const Event& event) {
    if (!event.is_state()) return false;
    if (event.type() == "m.room.power_levels" || event.type() == "m.room.join_rules") return true;
    return event.type() == "m.room.member" && (event.membership() == "leave" || event.membership() == "ban") &&
           *event.state_key() != event.sender().str();
  }

  EventPtr cited(const Event& event, std::string_view type, std::string_view state_key) const {
    for (const EventId& id : event.auth_events()) {
      if (find(id)->is_state(type, state_key)) return find(id);
    }
    return nullptr;
  }

  std::int64_t sender_power(const Event& event) const {
    return power_of_user(room_.rules(), event.sender(), room_.create(), cited(event, "m.room.power_levels", ""));
  }

  bool comes_first(const Event& x, const Event& y) const {
    if (sender_power(x) != sender_power(y)) return sender_power(x) > sender_power(y);
    return std::make_tuple(x.origin_server_ts_ms(), x.id().str()) <
           std::make_tuple(y.origin_server_ts_ms(), y.id().str());
  }

  List reverse_topological_power_ordering(Set waiting) const {
    List order;
    while (!waiting.empty()) {
      EventPtr smallest;
      for (const EventId& id : waiting) {
        const EventPtr event = find(id);
        const auto& parents = event->auth_events();
        const bool is_candidate =
            std::none_of(parents.begin(), parents.end(), [&](const EventId& p) { return waiting.contains(p); });
        if (is_candidate && (smallest == nullptr || comes_first(*event, *smallest))) smallest = event;
      }
      order.push_back(smallest);
      waiting.erase(smallest->id());
    }
    return order;
  }

  // The event's power levels event, that one's, and so on.
  std::vector<EventId> levels_behind(const Event& event) const {
    std::vector<EventId> list;
    for (EventPtr levels = cited(event, "m.room.power_levels", ""); levels != nullptr;
         levels = cited(*levels, "m.room.power_levels", "")) {
      list.push_back(levels->id());
    }
    return list;
  }

  List mainline_ordering(const EventPtr& levels, List events) const {
    std::vector<EventId> mainline;
    if (levels != nullptr) {
      mainline = levels_behind(*levels);
      mainline.insert(mainline.begin(), levels->id());
    }
    const auto position = [&](const Event& event) {
      for (const EventId& id : levels_behind(event)) {
        const auto found = std::find(mainline.begin(), mainline.end(), id);
        if (found != mainline.end()) return static_cast<double>(found - mainline.begin());
      }
      return std::numeric_limits<double>::infinity();
    };
    std::stable_sort(events.begin(), events.end(), [&](const EventPtr& x, const EventPtr& y) {
      return std::make_tuple(-position(*x), x->origin_server_ts_ms(), x->id().str()) <
             std::make_tuple(-position(*y), y->origin_server_ts_ms(), y->id().str());
    });
    return events;
  }

  StateMap iterative_auth_checks(StateMap state, const List& events) const {
    for (const EventPtr& event : events) {
      if (allowed(*event, state, true)) state[{event->type(), *event->state_key()}] = event->id();
    }
    return state;
  }

  bool allowed(const Event& event, const StateMap& state, bool may_use_auth_events) const {
    const StateLookup lookup = [&](std::string_view type, std::string_view state_key) -> EventPtr {
      const auto entry = state.find({std::string(type), std::string(state_key)});
      if (entry != state.end()) return find(entry->second);
      EventPtr from_event = may_use_auth_events ? cited(event, type, state_key) : nullptr;
      return from_event == nullptr || room_.is_rejected()(from_event->id()) ? nullptr : from_event;
    };
    const EventPtr create = event.type() == "m.room.create" ? nullptr : room_.create();
    return std::holds_alternative<Allowed>(authorize(room_.rules(), event, create, lookup));
  }

  const RoomBuilder& room_;
  const std::vector<StateMap>& states_;
  mutable std::map<EventId, Set> chains_;
};

}  // namespace

StateMap resolve_literally(const RoomBuilder& room, const std::vector<StateMap>& states) {
  const Literal literal(room, states);
  switch (room.rules().state_resolution) {
    case RoomRules::StateResolution::v1:
      return literal.v1();
    case RoomRules::StateResolution::v2:
      return literal.v2(false);
    case RoomRules::StateResolution::v2_1:
      return literal.v2(true);
  }
  return {};
}

}  // namespace skerry::test
