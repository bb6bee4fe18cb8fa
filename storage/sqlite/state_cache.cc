#include "storage/sqlite/state_cache.h"

namespace skerry::storage {

namespace {

std::size_t cost_of(const CachedState& state) { return state.whole ? state.whole->size() + 1 : 1; }

// Ids, lists and the parsed content take about twice the text once more.
std::size_t cost_of(const Event& event) { return 1'000 + 3 * event.canonical_text().size(); }

}  // namespace

std::optional<CachedState> StateCache::find(StateId id) {
  std::scoped_lock lock(mutex_);
  if (const auto made = unwritten_.find(id); made != unwritten_.end()) return made->second.state;
  const auto found = kept_.find(id);
  if (found == kept_.end()) return std::nullopt;
  order_.splice(order_.end(), order_, found->second.place);
  return found->second.state;
}

void StateCache::put(StateId id, CachedState state) {
  std::scoped_lock lock(mutex_);
  if (!unwritten_.contains(id)) keep(id, std::move(state), false);
}

void StateCache::keep(StateId id, CachedState state, bool ends_line) {
  if (const auto known = kept_.find(id); known != kept_.end()) {
    if (known->second.state.whole || !state.whole) return;
    ends_line = known->second.ends_line;
    entries_ -= cost_of(known->second.state);
    order_.erase(known->second.place);
    kept_.erase(known);
  }
  entries_ += cost_of(state);
  order_.push_back(id);
  kept_.emplace(id, Entry{std::move(state), ends_line, std::prev(order_.end())});
  while (entries_ > most_entries_ && order_.size() > 1) {
    const auto oldest = kept_.find(order_.front());
    entries_ -= cost_of(oldest->second.state);
    kept_.erase(oldest);
    order_.pop_front();
  }
}

void StateCache::put_whole(StateId id, const StatePtr& whole) {
  std::scoped_lock lock(mutex_);
  if (const auto made = unwritten_.find(id); made != unwritten_.end()) {
    made->second.state.whole = whole;
    return;
  }
  const auto known = kept_.find(id);
  if (known == kept_.end()) return;
  CachedState state = known->second.state;
  state.whole = whole;
  keep(id, std::move(state), false);
}

void StateCache::put_unwritten(StateId id, CachedState state) {
  std::scoped_lock lock(mutex_);
  unwritten_.emplace(id, Unwritten{std::move(state)});
}

void StateCache::written(StateId id) {
  std::scoped_lock lock(mutex_);
  const auto made = unwritten_.find(id);
  if (made == unwritten_.end()) return;
  CachedState state = std::move(made->second.state);
  const bool ends_line = made->second.ends_line;
  unwritten_.erase(made);
  state.changes.reset();
  keep(id, std::move(state), ends_line);
}

void StateCache::lost(StateId id) {
  std::scoped_lock lock(mutex_);
  unwritten_.erase(id);
}

bool StateCache::take_end_of_line(StateId id) {
  std::scoped_lock lock(mutex_);
  if (const auto made = unwritten_.find(id); made != unwritten_.end())
    return std::exchange(made->second.ends_line, false);
  const auto found = kept_.find(id);
  return found != kept_.end() && std::exchange(found->second.ends_line, false);
}

EventPtr EventCache::find(const EventId& id) {
  std::scoped_lock lock(mutex_);
  const auto found = kept_.find(id);
  if (found == kept_.end()) return nullptr;
  order_.splice(order_.end(), order_, found->second.place);
  return found->second.event;
}

void EventCache::put(const EventPtr& event) {
  std::scoped_lock lock(mutex_);
  if (kept_.contains(event->id())) return;
  bytes_ += cost_of(*event);
  order_.push_back(event->id());
  kept_.emplace(event->id(), Entry{event, std::prev(order_.end())});
  while (bytes_ > most_bytes_ && order_.size() > 1) {
    const auto oldest = kept_.find(order_.front());
    bytes_ -= cost_of(*oldest->second.event);
    kept_.erase(oldest);
    order_.pop_front();
  }
}

}  // namespace skerry::storage
