#include "core/state_ordering.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <tuple>

namespace skerry::resolution {
namespace {

// An event that waits to be placed, with what it is compared by.
struct Candidate {
  std::int64_t power = 0;
  EventPtr event;

  // `later` in the sense of the comparison relation: less power, then later, then greater id.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return std::make_tuple(-a.power, a.event->origin_server_ts_ms(), std::cref(a.event->id())) >
           std::make_tuple(-b.power, b.event->origin_server_ts_ms(), std::cref(b.event->id()));
  }
};

// The power of an event's sender 'when looking at their respective auth_events'.
std::int64_t sender_power(const RoomRules& rules, AuthGraph& graph, const Event& event) {
  const EventPtr create = rules.room_id_is_create_hash ? graph.find(create_event_id(event.room_id()))
                                                       : graph.find_auth_event(event, "m.room.create", "");
  return power_of_user(rules, event.sender(), create, graph.find_auth_event(event, "m.room.power_levels", ""));
}

// Mainline positions, each found once however many events share the way to it.
class Mainline {
 public:
  static constexpr std::size_t infinity = std::numeric_limits<std::size_t>::max();

  Mainline(AuthGraph& graph, const EventPtr& power_levels) : graph_(graph) {
    for (const EventId& id : mainline_of(graph, power_levels)) positions_.emplace(id, positions_.size());
  }

  std::size_t position_of(const Event& event) {
    std::vector<EventId> way;
    std::size_t position = infinity;
    EventPtr next = graph_.find_auth_event(event, "m.room.power_levels", "");
    while (next != nullptr) {
      // Also the way itself is known: a chain that bites its tail leads nowhere.
      const auto [known, is_new] = positions_.try_emplace(next->id(), infinity);
      if (!is_new) {
        position = known->second;
        break;
      }
      way.push_back(next->id());
      next = graph_.find_auth_event(*next, "m.room.power_levels", "");
    }
    for (const EventId& id : way) positions_[id] = position;
    return position;
  }

 private:
  AuthGraph& graph_;
  std::unordered_map<EventId, std::size_t> positions_;
};

}  // namespace

// Kahn's algorithm; of all events whose auth events in the set are placed, the smallest comes next.
std::vector<EventPtr> order_by_power(const RoomRules& rules, AuthGraph& graph, const EventIds& events) {
  std::unordered_map<EventId, std::size_t> waits_for;
  std::unordered_map<EventId, std::vector<EventId>> cited_by;
  std::priority_queue<Candidate> ready;
  const auto make_ready = [&](const EventPtr& event) { ready.push({sender_power(rules, graph, *event), event}); };
  for (const EventId& id : events) {
    const EventPtr event = graph.find(id);
    std::size_t waits = 0;
    for (const EventId& cited : event->auth_events()) {
      if (!events.contains(cited)) continue;
      cited_by[cited].push_back(id);
      ++waits;
    }
    if (waits == 0) make_ready(event);
    waits_for[id] = waits;
  }
  std::vector<EventPtr> ordered;
  ordered.reserve(events.size());
  while (!ready.empty()) {
    ordered.push_back(ready.top().event);
    ready.pop();
    for (const EventId& citing : cited_by[ordered.back()->id()]) {
      if (--waits_for[citing] == 0) make_ready(graph.find(citing));
    }
  }
  return ordered;
}

std::vector<EventId> mainline_of(AuthGraph& graph, EventPtr power_levels) {
  std::vector<EventId> mainline;
  EventIds seen;  // a chain that bites its tail cannot be made, but may be claimed
  while (power_levels != nullptr && seen.insert(power_levels->id()).second) {
    mainline.push_back(power_levels->id());
    power_levels = graph.find_auth_event(*power_levels, "m.room.power_levels", "");
  }
  return mainline;
}

std::vector<EventPtr> order_by_mainline(AuthGraph& graph, const EventPtr& power_levels, const EventIds& events) {
  struct Placed {
    std::size_t position;
    EventPtr event;
  };
  Mainline mainline(graph, power_levels);
  std::vector<Placed> placed;
  placed.reserve(events.size());
  for (const EventId& id : events) {
    const EventPtr event = graph.find(id);
    placed.push_back({mainline.position_of(*event), event});
  }
  std::sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    if (a.position != b.position) return a.position > b.position;
    if (a.event->origin_server_ts_ms() != b.event->origin_server_ts_ms()) {
      return a.event->origin_server_ts_ms() < b.event->origin_server_ts_ms();
    }
    return a.event->id() < b.event->id();
  });
  std::vector<EventPtr> ordered;
  ordered.reserve(placed.size());
  for (Placed& entry : placed) ordered.push_back(std::move(entry.event));
  return ordered;
}

}  // namespace skerry::resolution
