#include "storage/sqlite/state_cache.h"

namespace skerry::storage {

std::optional<CachedState> StateCache::find(StateId id) {
  std::scoped_lock lock(mutex_);
  if (const auto made = unwritten_.find(id); made != unwritten_.end()) return made->second;
  const auto found = kept_.find(id);
  if (found == kept_.end()) return std::nullopt;
  order_.splice(order_.end(), order_, found->second.place);
  return found->second.state;
}

void StateCache::put(StateId id, CachedState state) {
  std::scoped_lock lock(mutex_);
  if (kept_.contains(id)) return;
  entries_ += state.state->size() + 1;
  order_.push_back(id);
  kept_.emplace(id, Entry{std::move(state), std::prev(order_.end())});
  drop_oldest();
}

void StateCache::drop_oldest() {
  while (entries_ > most_entries_ && order_.size() > 1) {
    const auto oldest = kept_.find(order_.front());
    entries_ -= oldest->second.state.state->size() + 1;
    kept_.erase(oldest);
    order_.pop_front();
  }
}

void StateCache::put_unwritten(StateId id, CachedState state) {
  std::scoped_lock lock(mutex_);
  unwritten_.emplace(id, std::move(state));
}

void StateCache::written(StateId id) {
  CachedState state;
  {
    std::scoped_lock lock(mutex_);
    const auto made = unwritten_.find(id);
    if (made == unwritten_.end()) return;
    state = std::move(made->second);
    unwritten_.erase(made);
  }
  put(id, std::move(state));
}

void StateCache::lost(StateId id) {
  std::scoped_lock lock(mutex_);
  unwritten_.erase(id);
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
  bytes_ += event->canonical_text().size();
  order_.push_back(event->id());
  kept_.emplace(event->id(), Entry{event, std::prev(order_.end())});
  while (bytes_ > most_bytes_ && order_.size() > 1) {
    const auto oldest = kept_.find(order_.front());
    bytes_ -= oldest->second.event->canonical_text().size();
    kept_.erase(oldest);
    order_.pop_front();
  }
}

}  // namespace skerry::storage
