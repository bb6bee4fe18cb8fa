// States: whole copies and deltas. A delta is written until the deltas since the last copy have as many entries as the
// state.
#include <algorithm>
#include <unordered_set>

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

constexpr std::size_t state_cache_entries = 65'536;
constexpr std::size_t event_cache_bytes = 8 * 1'048'576;
constexpr std::size_t least_delta_entries = 32;

}  // namespace

SqliteRoomStore::SqliteRoomStore(Writer& writer, Readers& readers, ServerName us, StateId next_state)
    : writer_(writer),
      readers_(readers),
      us_(std::move(us)),
      next_state_(next_state),
      states_(state_cache_entries),
      events_(event_cache_bytes) {}

Result<StateId> SqliteRoomStore::make_state(const RoomId& room, StateId base,
                                            const std::vector<std::pair<StateKey, EventId>>& changes) {
  auto before = cached_state(base);
  if (!before) return tl::make_unexpected(before.error());
  auto state = std::make_shared<StateMap>(*before->state);
  for (const auto& [key, id] : changes) {
    if (id.empty()) {
      state->erase(key);
    } else {
      (*state)[key] = id;
    }
  }
  const std::size_t since_copy = before->since_copy + changes.size();
  if (base == 0 || since_copy >= std::max(state->size(), least_delta_entries)) return store_state(room, *state);
  return save_made_state(room, std::move(state), base, since_copy, changes);
}

Result<StateId> SqliteRoomStore::store_state(const RoomId& room, const StateMap& state) {
  return save_made_state(room, std::make_shared<StateMap>(state), 0, 0, {state.begin(), state.end()});
}

StateId SqliteRoomStore::save_made_state(const RoomId& room, StatePtr state, StateId base, std::size_t since_copy,
                                         std::vector<std::pair<StateKey, EventId>> entries) {
  const StateId id = next_state_++;
  states_.put_unwritten(id, {std::move(state), since_copy});
  writer_.submit(
      room,
      [id, room, base, since_copy, entries = std::move(entries)](WriteContext& context) -> Result<StreamPosition> {
        Connection& connection = context.connection;
        Query(connection, "INSERT INTO states VALUES(?, ?, ?, ?)", id, room.str(), base, since_copy).run();
        for (const auto& [key, event] : entries) {
          Query(connection, "INSERT OR IGNORE INTO state_keys(type, state_key) VALUES(?, ?)", key.type, key.state_key)
              .run();
          Query(connection,
                "INSERT INTO state_entries SELECT ?, nid, ? FROM state_keys WHERE type = ? AND state_key = ?", id,
                event.str(), key.type, key.state_key)
              .run();
        }
        return StreamPosition{0};
      },
      [this, id](const Result<StreamPosition>& result) {
        if (result) {
          states_.written(id);
        } else {
          states_.lost(id);
        }
      });
  return id;
}

Result<CachedState> SqliteRoomStore::cached_state(StateId id) {
  if (id == 0) return CachedState{std::make_shared<StateMap>(), 0};
  if (auto found = states_.find(id)) return *found;
  return readers_.read([&](Connection& connection) { return read_state(connection, id); });
}

Result<CachedState> SqliteRoomStore::read_state(Connection& connection, StateId id) {
  CachedState read;
  auto state = std::make_shared<StateMap>();
  std::vector<StateKey> removed;
  bool first = true;
  for (StateId at = id; at != 0;) {
    Query row(connection, "SELECT base, since_copy FROM states WHERE id = ?", at);
    if (!row.next()) return fail(ErrorCode::storage, "a state is missing from the database");
    if (first) read.since_copy = static_cast<std::size_t>(row.integer(1));
    first = false;
    Query entries(connection,
                  "SELECT type, state_key, event_id FROM state_entries JOIN state_keys ON key = nid WHERE state = ?",
                  at);
    // The newest entry of a key counts: what is there already is newer.
    while (entries.next()) state->try_emplace({entries.text(0), entries.text(1)}, stored_id<EventId>(entries.text(2)));
    at = row.integer(0);
  }
  std::erase_if(*state, [](const auto& entry) { return entry.second.empty(); });
  read.state = std::move(state);
  states_.put(id, read);
  return read;
}

Result<StatePtr> SqliteRoomStore::state(StateId id) {
  auto found = cached_state(id);
  if (!found) return tl::make_unexpected(found.error());
  return found->state;
}

Result<std::optional<EventId>> SqliteRoomStore::state_event(StateId id, const StateKey& key) {
  auto found = cached_state(id);
  if (!found) return tl::make_unexpected(found.error());
  const auto entry = found->state->find(key);
  return entry == found->state->end() ? std::nullopt : std::optional(entry->second);
}

Result<std::vector<EventId>> SqliteRoomStore::auth_chain(const std::vector<EventId>& ids) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<EventId>> {
    const std::unordered_set<EventId> start(ids.begin(), ids.end());
    std::unordered_set<EventId> seen;
    std::vector<EventId> open = ids, chain;
    while (!open.empty()) {
      const EventId id = std::move(open.back());
      open.pop_back();
      EventPtr event = events_.find(id);
      if (!event) {
        auto stored = read_event(connection, id);
        if (!stored) return tl::make_unexpected(stored.error());
        if (!*stored) continue;
        event = (*stored)->event;
      }
      if (!start.contains(id)) chain.push_back(id);
      for (const EventId& auth : event->auth_events()) {
        if (!start.contains(auth) && seen.insert(auth).second) open.push_back(auth);
      }
    }
    return chain;
  });
}

}  // namespace skerry::storage
