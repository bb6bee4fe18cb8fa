#include "homeserver/rooms/room_state.h"

#include <algorithm>

namespace skerry::homeserver {

namespace {

// A copy of the map costs as much as several hundred copies of so few changes.
constexpr std::size_t max_changes = 48;

const StatePtr& empty_map() {
  static const StatePtr empty = std::make_shared<const StateMap>();
  return empty;
}

}  // namespace

RoomState::RoomState() : map_(empty_map()) {}

RoomState::RoomState(storage::StateId id, StatePtr map) : id_(id), map_(map ? std::move(map) : empty_map()) {}

const EventId* RoomState::find(std::string_view type, std::string_view state_key) const {
  if (changes_) {
    for (const auto& [key, event] : *changes_) {
      if (key.type == type && key.state_key == state_key) return &event;
    }
  }
  const auto found = map_->find(StateKey{std::string(type), std::string(state_key)});
  return found == map_->end() ? nullptr : &found->second;
}

RoomState RoomState::with(const StateKey& key, const EventId& event, storage::StateId id) const {
  RoomState result(*this);
  result.id_ = id;
  auto changes = changes_ ? std::make_shared<Changes>(*changes_) : std::make_shared<Changes>();
  const auto same =
      std::find_if(changes->begin(), changes->end(), [&](const auto& entry) { return entry.first == key; });
  if (same != changes->end()) {
    same->second = event;
  } else {
    changes->emplace_back(key, event);
  }
  result.changes_ = std::move(changes);
  if (result.changes_->size() > max_changes) {
    result.map_ = result.map();
    result.changes_ = nullptr;
  }
  return result;
}

StatePtr RoomState::map() const {
  if (!changes_) return map_;
  auto whole = std::make_shared<StateMap>(*map_);
  for (const auto& [key, event] : *changes_) (*whole)[key] = event;
  return whole;
}

std::vector<std::pair<StateKey, EventId>> difference(const StateMap& from, const StateMap& to) {
  std::vector<std::pair<StateKey, EventId>> changes;
  auto old_entry = from.begin();
  auto new_entry = to.begin();
  while (old_entry != from.end() || new_entry != to.end()) {
    if (new_entry == to.end() || (old_entry != from.end() && old_entry->first < new_entry->first)) {
      changes.emplace_back(old_entry->first, EventId());
      ++old_entry;
    } else if (old_entry == from.end() || new_entry->first < old_entry->first) {
      changes.emplace_back(new_entry->first, new_entry->second);
      ++new_entry;
    } else {
      if (old_entry->second != new_entry->second) changes.emplace_back(new_entry->first, new_entry->second);
      ++old_entry;
      ++new_entry;
    }
  }
  return changes;
}

}  // namespace skerry::homeserver
