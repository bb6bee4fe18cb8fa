#include "homeserver/rooms/room_state.h"

#include <algorithm>
#include <set>

namespace skerry::homeserver {

namespace {

// A copy of the map costs as much as several hundred copies of so few changes.
constexpr std::size_t max_changes = 48;

// A state that was read is told by its changes as long as these are few beside the whole.
std::size_t most_changes(const StateMap& base) { return std::max(max_changes, base.size() / 4); }

// REQUIRES: `changes` are in order, as they are in every state here.
template <class Changes>
auto place_in(Changes& changes, std::string_view type, std::string_view state_key) {
  return std::lower_bound(
      changes.begin(), changes.end(), std::pair(type, state_key), [](const auto& entry, const auto& key) {
        return std::pair<std::string_view, std::string_view>(entry.first.type, entry.first.state_key) < key;
      });
}

const StatePtr& empty_map() {
  static const StatePtr empty = std::make_shared<const StateMap>();
  return empty;
}

}  // namespace

StateChanges difference(const StateMap& from, const StateMap& to) {
  StateChanges changes;
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

RoomState::RoomState() : fork_{empty_map(), nullptr} {}

RoomState::RoomState(storage::StateId id, StatePtr map) : id_(id), fork_{map ? std::move(map) : empty_map(), nullptr} {}

const EventId* RoomState::find(std::string_view type, std::string_view state_key) const {
  if (fork_.changes) {
    const auto entry = place_in(*fork_.changes, type, state_key);
    if (entry != fork_.changes->end() && entry->first.type == type && entry->first.state_key == state_key) {
      return entry->second.empty() ? nullptr : &entry->second;
    }
  }
  const auto found = fork_.base->find(StateKey{std::string(type), std::string(state_key)});
  return found == fork_.base->end() ? nullptr : &found->second;
}

RoomState RoomState::with(const StateChanges& more, storage::StateId id) const {
  RoomState result(*this);
  result.id_ = id;
  auto changes = fork_.changes ? std::make_shared<StateChanges>(*fork_.changes) : std::make_shared<StateChanges>();
  for (const auto& [key, event] : more) {
    const auto place = place_in(*changes, key.type, key.state_key);
    if (place != changes->end() && place->first == key) {
      place->second = event;
    } else {
      changes->emplace(place, key, event);
    }
  }
  const bool is_many = changes->size() > max_changes;
  result.fork_.changes = std::move(changes);
  if (is_many) result.fork_ = StateFork{result.map(), nullptr};
  return result;
}

RoomState RoomState::beside(const RoomState& other) const {
  if (fork_.base == other.fork_.base) return *this;
  auto changes = difference(*other.fork_.base, *map());
  if (changes.size() > most_changes(*other.fork_.base)) return *this;
  RoomState result;
  result.id_ = id_;
  result.fork_ = StateFork{other.fork_.base, std::make_shared<const StateChanges>(std::move(changes))};
  return result;
}

StateChanges difference(const RoomState& from, const RoomState& to) {
  const StateFork& before = from.fork();
  const StateFork& after = to.fork();
  if (before.base != after.base) return difference(*from.map(), *to.map());
  StateChanges changes;
  std::set<StateKey> compared;
  for (const auto* side : {&before, &after}) {
    if (!side->changes) continue;
    for (const auto& [key, changed] : *side->changes) {
      if (!compared.insert(key).second) continue;
      const EventId* was = from.find(key.type, key.state_key);
      const EventId* is = to.find(key.type, key.state_key);
      if (was == nullptr ? is == nullptr : is != nullptr && *is == *was) continue;
      changes.emplace_back(key, is == nullptr ? EventId() : *is);
    }
  }
  return changes;
}

}  // namespace skerry::homeserver
