#include "core/auth_graph.h"

#include <bit>
#include <cstdint>

namespace skerry::resolution {

namespace {

// After one question for so many entries of the state a list of its events is cheaper than to look up each event.
constexpr std::size_t questions_worth_a_list = 16;

}  // namespace

const EventPtr& AuthGraph::find(const EventId& id) {
  const auto [entry, is_new] = events_.try_emplace(id);
  if (is_new) {
    entry->second = lookup_(id);
    if (entry->second == nullptr) missing_.push_back(id);
  }
  return entry->second;
}

EventPtr AuthGraph::peek(const EventId& id) {
  if (const auto known = events_.find(id); known != events_.end()) return known->second;
  EventPtr event = lookup_(id);
  if (event != nullptr) events_.emplace(id, event);
  return event;
}

EventPtr AuthGraph::find_auth_event(const Event& event, std::string_view type, std::string_view state_key) {
  for (const EventId& id : event.auth_events()) {
    const EventPtr& cited = find(id);
    if (cited != nullptr && cited->is_state(type, state_key)) return cited;
  }
  return nullptr;
}

const EventId* Unconflicted::find(const StateKey& key) const {
  if (const auto other = others_.find(key); other != others_.end()) {
    return other->second ? &*other->second : nullptr;
  }
  const auto entry = base_.find(key);
  return entry == base_.end() ? nullptr : &entry->second;
}

bool Unconflicted::contains(AuthGraph& graph, const EventId& id) {
  if (!ids_ && ++asked_ <= base_.size() / questions_worth_a_list) {
    if (const EventPtr event = graph.peek(id)) {
      const EventId* found = event->is_state() ? find({event->type(), *event->state_key()}) : nullptr;
      return found != nullptr && *found == id;
    }
  }
  return ids().contains(id);
}

const EventIds& Unconflicted::ids() {
  if (ids_) return *ids_;
  ids_.emplace();
  for (const auto& [key, id] : base_) {
    if (!others_.contains(key)) ids_->insert(id);
  }
  for (const auto& [key, id] : others_) {
    if (id) ids_->insert(*id);
  }
  return *ids_;
}

namespace {

// Which of the forks reach an event: a bit each.
class ForkSet {
 public:
  explicit ForkSet(std::size_t forks) : words_((forks + 63) / 64) {}
  void add(std::size_t fork) { words_[fork / 64] |= std::uint64_t{1} << fork % 64; }
  // True when that changed something.
  bool add_all(const ForkSet& other) {
    bool is_more = false;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      is_more = is_more || (other.words_[i] & ~words_[i]) != 0;
      words_[i] |= other.words_[i];
    }
    return is_more;
  }
  std::size_t size() const {
    std::size_t forks = 0;
    for (const std::uint64_t word : words_) forks += static_cast<std::size_t>(std::popcount(word));
    return forks;
  }

 private:
  std::vector<std::uint64_t> words_;
};

// All that is reached from the forks' events over auth_events, themselves included, and by which forks; without what
// `is_end` says yes to and what is reached through that only. Forks mostly differ in little: they walk together.
template <class IsEnd>
std::unordered_map<EventId, ForkSet> reach(AuthGraph& graph, const std::vector<EventIds>& forks, const IsEnd& is_end) {
  std::unordered_map<EventId, ForkSet> reached;
  EventIds ends;
  std::vector<EventId> open;  // has forks to hand on
  EventIds waiting;           // the same
  const auto hand_on = [&](const EventId& id) {
    if (waiting.insert(id).second) open.push_back(id);
  };
  for (std::size_t i = 0; i < forks.size(); ++i) {
    for (const EventId& id : forks[i]) {
      reached.try_emplace(id, forks.size()).first->second.add(i);
      hand_on(id);
    }
  }
  while (!open.empty()) {
    const EventId id = std::move(open.back());
    open.pop_back();
    waiting.erase(id);
    if (ends.contains(id)) continue;
    if (is_end(id)) {
      ends.insert(id);
      continue;
    }
    const EventPtr event = graph.find(id);
    if (event == nullptr) continue;
    const ForkSet here = reached.at(id);
    for (const EventId& cited : event->auth_events()) {
      const auto [entry, is_new] = reached.try_emplace(cited, forks.size());
      if (entry->second.add_all(here)) hand_on(cited);
    }
  }
  for (const EventId& id : ends) reached.erase(id);
  return reached;
}

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

// Which events are common ones or lie in the auth chain of one: asked from above, event by event, until a common event
// is met. What was found out of an event on the way is kept, so that all questions together look at each citation once
// at most.
class CommonChains {
 public:
  CommonChains(AuthGraph& graph, Unconflicted& common) : graph_(graph), common_(common) {}

  bool contains(const EventId& id) {
    if (const auto known = known_.find(id); known != known_.end()) return known->second;
    if (common_.contains(graph_, id)) return true;
    begin(id);
    // Depth first: the way to here is in one chain with what is met.
    while (!way_.empty()) {
      Step& step = way_.back();
      if (step.at == step.page.events.size()) {
        if (step.page.next == 0) {
          known_[step.id] = false;
          way_.pop_back();
        } else {
          step.page = graph_.citing(step.id, step.page.next);
          step.at = 0;
        }
        continue;
      }
      const EventId& above = step.page.events[step.at++];
      const auto known = known_.find(above);
      if (known == known_.end() ? common_.contains(graph_, above) : known->second) {
        for (const Step& passed : way_) known_[passed.id] = true;
        way_.clear();
        return true;
      }
      // One that is on the way itself cannot be above: ids are hashes, or the events were stored one after the other.
      if (known == known_.end()) begin(above);
    }
    return false;
  }

 private:
  struct Step {
    EventId id;
    CitingPage page;
    std::size_t at = 0;
  };

  void begin(EventId id) {
    known_.emplace(id, false);
    CitingPage page = graph_.citing(id, 0);
    way_.push_back({std::move(id), std::move(page)});
  }

  AuthGraph& graph_;
  Unconflicted& common_;
  std::unordered_map<EventId, bool> known_;
  std::vector<Step> way_;
};

}  // namespace

// Common events, and with them all that lies behind them, are in every fork's chain: the walks from what differs end
// there. What such walks of some forks find and those of others do not is the difference. Without an index the walks
// end at common events themselves only, and what they found behind them has to be taken out afterwards; that is little
// or nothing as a rule, so that the chains of the common events, nearly the whole room, seldom need to be walked.
EventIds auth_difference(AuthGraph& graph, Unconflicted& common, const std::vector<EventIds>& differing) {
  CommonChains chains(graph, common);
  const bool has_index = graph.has_index();
  const auto is_common = [&](const EventId& id) {
    return has_index ? chains.contains(id) : common.contains(graph, id);
  };
  auto reached = reach(graph, differing, is_common);
  for (const EventIds& starts : differing) {
    for (const EventId& id : starts) reached.erase(id);
  }
  EventIds difference;
  for (const auto& [id, forks] : reached) {
    if (forks.size() < differing.size()) difference.insert(id);
  }
  if (!has_index) remove_reached(graph, common.ids(), difference);
  return difference;
}

namespace {

using Citations = std::unordered_map<EventId, std::vector<EventId>>;

// `from` and all that is reached from it by `next`.
template <class Next>
EventIds closure(const EventIds& from, const Next& next) {
  EventIds reached = from;
  std::vector<EventId> open(from.begin(), from.end());
  while (!open.empty()) {
    const EventId id = std::move(open.back());
    open.pop_back();
    for (const EventId& neighbour : next(id)) {
      if (reached.insert(neighbour).second) open.push_back(neighbour);
    }
  }
  return reached;
}

// All that lies below some events, or all that lies above, found step by step.
class Side {
 public:
  explicit Side(const EventIds& from) : reached(from), open_(from.begin(), from.end()) {}
  bool is_whole() const { return open_.empty(); }

  void step_down(AuthGraph& graph) {
    const EventId id = std::move(open_.back());
    open_.pop_back();
    if (const EventPtr event = graph.find(id)) add(id, event->auth_events());
  }

  void step_up(const AuthGraph& graph) {
    const EventId id = open_.back();
    CitingPage page = graph.citing(id, from_);
    from_ = page.next;
    if (from_ == 0) open_.pop_back();
    add(id, page.events);
  }

  EventIds reached;
  Citations met_from;  // by what an event was met: those that cite it, or those that it cites

 private:
  void add(const EventId& id, const std::vector<EventId>& neighbours) {
    for (const EventId& neighbour : neighbours) {
      met_from[neighbour].push_back(id);
      // Before an event whose pages are not all read yet.
      if (reached.insert(neighbour).second) open_.insert(open_.end() - (from_ == 0 ? 0 : 1), neighbour);
    }
  }

  std::vector<EventId> open_;
  std::int64_t from_ = 0;
};

}  // namespace

// Of all that lies below the conflicted events, what lies above one of them; or of all that lies above them, what lies
// below one. Where there is an index both sides are walked by turns and the smaller one serves: little cites a new
// event, and little is cited by an old one.
EventIds conflicted_subgraph(AuthGraph& graph, const EventIds& conflicted) {
  Side below(conflicted);
  Side above(conflicted);
  while (!below.is_whole() && !above.is_whole()) {
    below.step_down(graph);
    if (graph.has_index()) above.step_up(graph);
  }
  const Side& whole = below.is_whole() ? below : above;
  return closure(conflicted, [&whole](const EventId& id) -> const std::vector<EventId>& {
    static const std::vector<EventId> none;
    const auto met = whole.met_from.find(id);
    return met == whole.met_from.end() ? none : met->second;
  });
}

}  // namespace skerry::resolution
