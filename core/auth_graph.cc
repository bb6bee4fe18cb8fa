#include "core/auth_graph.h"

namespace skerry::resolution {

const EventPtr& AuthGraph::find(const EventId& id) {
  const auto [entry, is_new] = events_.try_emplace(id);
  if (is_new) {
    entry->second = lookup_(id);
    if (entry->second == nullptr) missing_.push_back(id);
  }
  return entry->second;
}

EventPtr AuthGraph::find_auth_event(const Event& event, std::string_view type, std::string_view state_key) {
  for (const EventId& id : event.auth_events()) {
    const EventPtr& cited = find(id);
    if (cited != nullptr && cited->is_state(type, state_key)) return cited;
  }
  return nullptr;
}

EventIds AuthGraph::reach(const EventIds& starts, const EventIds& stops) {
  EventIds reached = starts;
  std::vector<EventId> open(starts.begin(), starts.end());
  while (!open.empty()) {
    const EventId id = std::move(open.back());
    open.pop_back();
    if (stops.contains(id)) continue;
    const EventPtr event = find(id);
    if (event == nullptr) continue;
    for (const EventId& cited : event->auth_events()) {
      if (reached.insert(cited).second) open.push_back(cited);
    }
  }
  return reached;
}

namespace {

// Takes out of `candidates` what is reached from `starts`; ends as soon as nothing is left.
void remove_reached(AuthGraph& graph, const EventIds& starts, EventIds& candidates) {
  EventIds seen = starts;
  std::vector<EventId> open(starts.begin(), starts.end());
  while (!open.empty() && !candidates.empty()) {
    const EventId id = std::move(open.back());
    open.pop_back();
    const EventPtr event = graph.find(id);
    if (event == nullptr) continue;
    for (const EventId& cited : event->auth_events()) {
      if (!seen.insert(cited).second) continue;
      candidates.erase(cited);
      open.push_back(cited);
    }
  }
}

}  // namespace

// Common events, and with them all that lies behind them, are in every fork's chain: the walks from what differs end
// there. What such walks of some forks find and those of others do not is the difference, but for what also lies behind
// a common event. Those are usually few or none, so that the chains of the common events, nearly the whole room, seldom
// need to be walked.
EventIds auth_difference(AuthGraph& graph, const EventIds& common, const std::vector<EventIds>& differing) {
  std::unordered_map<EventId, std::size_t> forks_reaching;
  for (const EventIds& starts : differing) {
    for (const EventId& id : graph.reach(starts, common)) ++forks_reaching[id];
  }
  for (const EventIds& starts : differing) {
    for (const EventId& id : starts) forks_reaching.erase(id);
  }
  EventIds difference;
  for (const auto& [id, forks] : forks_reaching) {
    if (forks < differing.size() && !common.contains(id)) difference.insert(id);
  }
  remove_reached(graph, common, difference);
  return difference;
}

EventIds conflicted_subgraph(AuthGraph& graph, const EventIds& conflicted) {
  std::unordered_map<EventId, std::vector<EventId>> cited_by;
  for (const EventId& id : graph.reach(conflicted, {})) {
    const EventPtr event = graph.find(id);
    if (event == nullptr) continue;
    for (const EventId& cited : event->auth_events()) cited_by[cited].push_back(id);
  }
  // Everything reached lies below a conflicted event; what also lies above one is on a path.
  EventIds subgraph = conflicted;
  std::vector<EventId> open(conflicted.begin(), conflicted.end());
  while (!open.empty()) {
    const EventId id = std::move(open.back());
    open.pop_back();
    const auto above = cited_by.find(id);
    if (above == cited_by.end()) continue;
    for (const EventId& citing : above->second) {
      if (subgraph.insert(citing).second) open.push_back(citing);
    }
  }
  return subgraph;
}

}  // namespace skerry::resolution
