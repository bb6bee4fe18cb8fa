// States. A room's state changes one entry at a time, so states are kept as lines: a line begins with a whole copy, or
// forks off a state of another line, and each state of it differs from the one before by a few entries. The state S of
// a line is then, for each key, the newest entry up to S: one look-up for a key, one walk along the index for a whole
// state. A whole copy is made when the changes since the last one are as many as its entries, so that reading never
// costs much more than the state itself.
#include <algorithm>

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

constexpr std::size_t state_cache_entries = 32'768;  // some 200 bytes each
constexpr std::size_t event_cache_bytes = 8 * 1'048'576;
constexpr std::size_t least_copy_size = 32;  // smaller states are not copied more often than ones of this size

void apply(const StateChanges& changes, StateMap& state) {
  for (const auto& [key, id] : changes) {
    if (id.empty()) {
      state.erase(key);
    } else {
      state[key] = id;
    }
  }
}

std::optional<StatePlace> read_place(Connection& connection, StateId id) {
  Query row(connection, "SELECT line, base, since_copy, copy_size FROM states WHERE id = ?", id);
  if (!row.next()) return std::nullopt;
  return StatePlace{row.integer(0), row.integer(1), static_cast<std::size_t>(row.integer(2)),
                    static_cast<std::size_t>(row.integer(3))};
}

tl::unexpected<Error> missing_state() {
  return fail(ErrorCode::storage, "a state is missing from the database, or was lost with a write that failed");
}

// The line that another one forked off, and the last state that they share; nothing for a line that begins with a
// whole copy.
std::optional<std::pair<StateId, StateId>> parent_line(Connection& connection, StateId line) {
  const auto first = read_place(connection, line);
  if (!first || first->base == 0) return std::nullopt;
  const auto base = read_place(connection, first->base);
  if (!base) return std::nullopt;
  return std::pair(base->line, first->base);
}

}  // namespace

SqliteRoomStore::SqliteRoomStore(Writer& writer, Readers& readers, RecentChanges& changes, ServerName us,
                                 StateId next_state)
    : writer_(writer),
      readers_(readers),
      changes_(changes),
      us_(std::move(us)),
      next_state_(next_state),
      states_(state_cache_entries),
      events_(event_cache_bytes) {}

std::int64_t state_key_nid(Connection& connection, const StateKey& key) {
  {
    Query known(connection, "SELECT nid FROM state_keys WHERE type = ? AND state_key = ?", key.type, key.state_key);
    if (known.next()) return known.integer(0);
  }
  Query(connection, "INSERT INTO state_keys(type, state_key) VALUES(?, ?)", key.type, key.state_key).run();
  return connection.database().getLastInsertRowid();
}

bool state_is_written(Connection& connection, StateId id) {
  if (id == 0) return true;
  Query query(connection, "SELECT 1 FROM states WHERE id = ?", id);
  return query.next();
}

Result<StateId> SqliteRoomStore::make_state(const RoomId& room, StateId base,
                                            const std::vector<std::pair<StateKey, EventId>>& changes) {
  if (changes.empty()) return base;
  StatePlace before;
  if (base != 0) {
    auto place = place_of(base);
    if (!place) return tl::make_unexpected(place.error());
    before = *place;
  }
  const std::size_t since_copy = before.since_copy + changes.size();
  if (base == 0 || since_copy >= std::max(before.copy_size, least_copy_size)) {
    auto from = state(base);
    if (!from) return tl::make_unexpected(from.error());
    StateMap copy = **from;
    apply(changes, copy);
    return store_state(room, copy);
  }
  CachedState made;
  made.place = {states_.take_end_of_line(base) ? before.line : 0, base, since_copy, before.copy_size};
  made.changes = std::make_shared<const StateChanges>(changes);
  return save_made_state(room, std::move(made));
}

Result<StateId> SqliteRoomStore::store_state(const RoomId& room, const StateMap& state) {
  if (state.empty()) return StateId{0};
  CachedState made;
  made.place.copy_size = state.size();
  made.whole = std::make_shared<const StateMap>(state);
  return save_made_state(room, std::move(made));
}

StateId SqliteRoomStore::save_made_state(const RoomId& room, CachedState made) {
  const StateId id = next_state_++;
  if (made.place.line == 0) made.place.line = id;
  states_.put_unwritten(id, made);
  writer_.submit(
      room,
      [id, room, made = std::move(made)](WriteContext& context) -> Result<StreamPosition> {
        Connection& connection = context.connection;
        const StatePlace& place = made.place;
        if (!state_is_written(connection, place.base)) return missing_state();
        Query(connection, "INSERT INTO states VALUES(?, ?, ?, ?, ?)", id, place.line, place.base, place.since_copy,
              place.copy_size)
            .run();
        const auto add = [&](const StateKey& key, const EventId& event) {
          Query(connection, "INSERT OR REPLACE INTO state_entries VALUES(?, ?, ?, ?)", place.line,
                state_key_nid(connection, key), id, event.str())
              .run();
        };
        if (made.changes) {
          for (const auto& [key, event] : *made.changes) add(key, event);
        } else {
          for (const auto& [key, event] : *made.whole) add(key, event);
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

Result<StatePlace> SqliteRoomStore::place_of(StateId id) {
  if (auto found = states_.find(id)) return found->place;
  return readers_.read([&](Connection& connection) -> Result<StatePlace> {
    const auto place = read_place(connection, id);
    if (!place) return missing_state();
    return *place;
  });
}

Result<StatePtr> SqliteRoomStore::state(StateId id) {
  if (id == 0) return std::make_shared<const StateMap>();
  // From the state that is asked for down to one that is whole or on the disk.
  std::vector<std::shared_ptr<const StateChanges>> changes;
  StatePtr below;
  StateId at = id;
  for (; !below;) {
    const auto found = states_.find(at);
    if (found && found->whole) {
      below = found->whole;
    } else if (found && found->changes) {
      changes.push_back(found->changes);
      at = found->place.base;
    } else {
      auto read = readers_.read([&](Connection& connection) { return read_state(connection, at); });
      if (!read) return tl::make_unexpected(read.error());
      below = *read;
    }
  }
  if (changes.empty()) return below;
  auto state = std::make_shared<StateMap>(*below);
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) apply(**change, *state);
  states_.put_whole(id, state);
  return state;
}

StateMap stored_state(Connection& connection, StateId id) {
  StateMap state;
  const auto place = read_place(connection, id);
  if (!place) return state;
  std::optional<std::pair<StateId, StateId>> next(std::pair(place->line, id));
  while (next) {
    const auto [line, last] = *next;
    // max() picks the row that event_id is taken from (SQLite, 'Bare columns in an aggregate query').
    Query entries(connection,
                  "SELECT type, state_key, event_id, max(state) FROM state_entries JOIN state_keys ON nid = key "
                  "WHERE line = ? AND state <= ? GROUP BY key",
                  line, last);
    // Entries of the lines nearer to the state are newer.
    while (entries.next()) state.try_emplace({entries.text(0), entries.text(1)}, stored_id<EventId>(entries.text(2)));
    next = parent_line(connection, line);
  }
  std::erase_if(state, [](const auto& entry) { return entry.second.empty(); });
  return state;
}

Result<StatePtr> SqliteRoomStore::read_state(Connection& connection, StateId id) {
  Snapshot snapshot(connection);
  const auto place = read_place(connection, id);
  if (!place) return missing_state();
  const auto state = std::make_shared<const StateMap>(stored_state(connection, id));
  states_.put(id, CachedState{*place, state, nullptr});
  return StatePtr(state);
}

Result<std::optional<EventId>> SqliteRoomStore::state_event(StateId id, const StateKey& key) {
  const auto known = [](const EventId& event) { return event.empty() ? std::nullopt : std::optional(event); };
  for (StateId at = id; at != 0;) {
    const auto found = states_.find(at);
    if (found && found->whole) {
      const auto entry = found->whole->find(key);
      return entry == found->whole->end() ? std::nullopt : std::optional(entry->second);
    }
    if (!found || !found->changes) {
      return readers_.read([&](Connection& connection) { return read_state_event(connection, at, key); });
    }
    const auto& changes = *found->changes;
    const auto change =
        std::find_if(changes.rbegin(), changes.rend(), [&](const auto& one) { return one.first == key; });
    if (change != changes.rend()) return known(change->second);
    at = found->place.base;
  }
  return std::nullopt;
}

Result<std::optional<EventId>> SqliteRoomStore::read_state_event(Connection& connection, StateId id,
                                                                 const StateKey& key) {
  Snapshot snapshot(connection);
  const auto place = read_place(connection, id);
  if (!place) return missing_state();
  std::optional<std::pair<StateId, StateId>> next(std::pair(place->line, id));
  while (next) {
    const auto [line, last] = *next;
    Query entry(connection,
                "SELECT event_id FROM state_entries WHERE line = ? AND state <= ? AND "
                "key = (SELECT nid FROM state_keys WHERE type = ? AND state_key = ?) ORDER BY state DESC LIMIT 1",
                line, last, key.type, key.state_key);
    if (entry.next()) {
      auto event = stored_id<EventId>(entry.text(0));
      return event.empty() ? std::nullopt : std::optional(std::move(event));
    }
    next = parent_line(connection, line);
  }
  return std::nullopt;
}

}  // namespace skerry::storage
