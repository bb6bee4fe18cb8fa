#include "homeserver/inspect/replay.h"

#include <algorithm>
#include <set>

#include "homeserver/rooms/admit.h"

namespace skerry::homeserver::inspect {

namespace {

// Kahn's algorithm over prev_events; among those that may come next, the smallest by (origin_server_ts, id).
Result<std::vector<EventPtr>> in_order(const EventsById& events) {
  const auto later = [](const EventPtr& a, const EventPtr& b) {
    return std::pair(a->origin_server_ts_ms(), a->id()) < std::pair(b->origin_server_ts_ms(), b->id());
  };
  std::set<EventPtr, decltype(later)> ready(later);
  std::unordered_map<EventId, std::size_t> waits_for;
  std::unordered_map<EventId, std::vector<EventPtr>> followed_by;
  for (const auto& [id, event] : events) {
    for (const EventId& prev : event->prev_events()) {
      if (!events.contains(prev)) {
        return fail(ErrorCode::invalid_param,
                    "the event " + prev.str() + ", which comes before " + id.str() + ", is absent");
      }
      followed_by[prev].push_back(event);
    }
    waits_for[id] = event->prev_events().size();
    if (event->prev_events().empty()) ready.insert(event);
  }
  std::vector<EventPtr> order;
  while (!ready.empty()) {
    order.push_back(*ready.begin());
    ready.erase(ready.begin());
    for (const EventPtr& next : followed_by[order.back()->id()]) {
      if (--waits_for[next->id()] == 0) ready.insert(next);
    }
  }
  if (order.size() < events.size()) return fail(ErrorCode::invalid_param, "prev_events go in a circle");
  return order;
}

class Player {
 public:
  Player(const RoomRules& rules, const EventsById& events) : rules_(rules), events_(events) {
    for (const auto& [id, event] : events) {
      if (event->is_state("m.room.create", "")) create_ = event;
    }
  }

  Result<Replay> play() {
    if (auto complete = check_auth_events_are_there(events_); !complete) return tl::make_unexpected(complete.error());
    auto order = in_order(events_);
    if (!order) return tl::make_unexpected(order.error());
    replay_.order = std::move(*order);
    for (const EventPtr& event : replay_.order) {
      if (auto placed = place(*event); !placed) return tl::make_unexpected(placed.error());
    }
    replay_.extremities = {ends_.begin(), ends_.end()};
    auto state = state_at(replay_.extremities, "");
    if (!state) return tl::make_unexpected(state.error());
    replay_.state = **state;
    return std::move(replay_);
  }

 private:
  bool rejected(const EventId& id) const {
    const auto verdict = replay_.verdicts.find(id);
    return verdict != replay_.verdicts.end() && verdict->second.verdict == Verdict::rejected;
  }
  EventPtr find(const EventId& id) const {
    const auto found = events_.find(id);
    return found == events_.end() ? nullptr : found->second;
  }

  Result<void> place(const Event& event) {
    auto before = state_at(event.prev_events(), event.id().str());
    if (!before) return tl::make_unexpected(before.error());
    auto judgement = judge(event, **before);
    if (!judgement) return tl::make_unexpected(judgement.error());
    const bool accepted = judgement->verdict == Verdict::accepted;
    replay_.verdicts.emplace(event.id(), std::move(*judgement));
    StatePtr after = *before;
    if (accepted && event.is_state()) {
      auto changed = std::make_shared<StateMap>(**before);
      changed->insert_or_assign({event.type(), *event.state_key()}, event.id());
      after = std::move(changed);
    }
    states_after_.emplace(event.id(), std::move(after));
    if (!accepted) return {};
    for (const EventId& prev : event.prev_events()) ends_.erase(prev);
    ends_.insert(event.id());
    return {};
  }

  // 'Checks performed on receipt of a PDU', 4 and 5.
  Result<Judgement> judge(const Event& event, const StateMap& before) const {
    auto by_auth_events = judge_by_auth_events(
        rules_, event, create_, [this](const EventId& id) { return find(id); },
        [this](const EventId& id) { return rejected(id); });
    if (!by_auth_events) return tl::make_unexpected(by_auth_events.error());
    if (const auto* needs = std::get_if<Needs>(&*by_auth_events)) {
      const std::string absent = needs->auth_events.empty() ? "" : " " + needs->auth_events.front().str();
      return fail(ErrorCode::invalid_param, event.id().str() + " needs an event that is absent:" + absent);
    }
    auto judgement = std::get<Judgement>(std::move(*by_auth_events));
    if (judgement.verdict == Verdict::rejected || event.is_state("m.room.create", "")) return judgement;
    const StateLookup lookup = [&](std::string_view type, std::string_view state_key) -> EventPtr {
      const auto entry = before.find({std::string(type), std::string(state_key)});
      return entry == before.end() ? nullptr : find(entry->second);
    };
    const AuthVerdict verdict = authorize(rules_, event, create_, lookup);
    if (const auto* refused = std::get_if<Refused>(&verdict)) {
      return Judgement{Verdict::rejected, refused->rule, refused->reason + " (by the state before the event)"};
    }
    return judgement;
  }

  Result<StatePtr> state_at(const std::vector<EventId>& places, const std::string& at) {
    if (places.empty()) return std::make_shared<const StateMap>();
    std::vector<StatePtr> forks;
    for (const EventId& id : places) forks.push_back(states_after_.at(id));
    ResolutionTrace trace;
    auto resolved = resolve_state(
        rules_, forks, [this](const EventId& id) { return find(id); },
        [this](const EventId& id) { return rejected(id); }, &trace);
    if (const auto* missing = std::get_if<Missing>(&resolved)) {
      return fail(ErrorCode::invalid_param, "the auth event " + missing->ids.front().str() + " is absent");
    }
    if (!trace.conflicted.empty()) replay_.resolutions.push_back({at, std::move(trace)});
    return std::make_shared<const StateMap>(std::get<StateMap>(std::move(resolved)));
  }

  const RoomRules& rules_;
  const EventsById& events_;
  EventPtr create_;
  std::unordered_map<EventId, StatePtr> states_after_;
  std::set<EventId> ends_;
  Replay replay_;
};

}  // namespace

Result<Replay> replay(const RoomRules& rules, const EventsById& events) { return Player(rules, events).play(); }

}  // namespace skerry::homeserver::inspect
