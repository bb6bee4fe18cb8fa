// RoomStore on SQLite. room_commit.cc writes events, room_state.cc states; room_events.cc, room_auth_chain.cc and
// room_lists.cc read.
#pragma once

#include <atomic>

#include "storage/room_store.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/recent_changes.h"
#include "storage/sqlite/state_cache.h"
#include "storage/sqlite/writer.h"

namespace skerry::storage {

class SqliteRoomStore final : public RoomStore {
 public:
  SqliteRoomStore(Writer& writer, Readers& readers, RecentChanges& changes, ServerName us, StateId next_state);

  void commit(EventCommit commit, Committed done) override;
  void commit_all(std::vector<EventCommit> commits, Committed done) override;
  Result<StateId> make_state(const RoomId& room, StateId base,
                             const std::vector<std::pair<StateKey, EventId>>& changes) override;
  Result<StateId> store_state(const RoomId& room, const StateMap& state) override;
  Result<StreamPosition> save_stripped_invite(StrippedInvite invite) override;
  Result<StreamPosition> remove_stripped_invite(const RoomId& room, const UserId& user) override;
  Result<StreamPosition> forget(const RoomId& room, const UserId& user) override;
  Result<void> set_published(const RoomId& room, bool published) override;
  Result<void> add_alias(const RoomAlias& alias, const RoomId& room, const UserId& creator) override;
  Result<void> remove_alias(const RoomAlias& alias) override;

  Result<std::optional<StoredEvent>> event(const EventId& id) override;
  Result<std::vector<StoredEvent>> events(const std::vector<EventId>& ids) override;
  Result<std::vector<EventId>> absent(const std::vector<EventId>& ids) override;
  Result<Page> live_events(const RoomId& room, StreamPosition from, StreamPosition to, std::size_t limit,
                           bool newest) override;
  // AppserviceStore's, which is read as the others are.
  Result<std::vector<StoredEvent>> stream_events(StreamPosition from, StreamPosition to, std::size_t limit);
  Result<std::vector<StoredEvent>> history(const RoomId& room, TopologicalPosition from, bool backwards,
                                           std::size_t limit) override;
  Result<TopologicalPosition> topological_at(const RoomId& room, StreamPosition position) override;
  Result<std::vector<EventId>> backward_extremities(const RoomId& room, std::size_t limit) override;
  Result<bool> is_backward_extremity(const EventId& id) override;
  Result<std::optional<EventId>> transaction_event(const ClientTransaction& transaction) override;
  Result<std::vector<EventId>> redactions_of(const EventId& target) override;

  Result<StatePtr> state(StateId id) override;
  Result<std::optional<EventId>> state_event(StateId id, const StateKey& key) override;
  Result<std::vector<EventId>> auth_chain(const std::vector<EventId>& ids) override;
  Result<CitingPage> citing(const EventId& id, std::int64_t from) override;

  Result<std::optional<RoomInfo>> room(const RoomId& room) override;
  Result<std::optional<RoomHead>> head(const RoomId& room) override;
  Result<std::vector<RoomId>> rooms() override;
  Result<std::vector<RoomId>> published_rooms() override;
  Result<std::optional<RoomId>> resolve_alias(const RoomAlias& alias) override;
  Result<std::vector<Alias>> aliases(const RoomId& room) override;

  Result<std::vector<Membership>> memberships_of(const UserId& user) override;
  Result<std::optional<Membership>> membership(const RoomId& room, const UserId& user) override;
  Result<std::vector<Membership>> members(const RoomId& room) override;
  Result<std::vector<ServerName>> joined_servers(const RoomId& room) override;
  Result<std::vector<UserId>> joined_local_users(const RoomId& room) override;
  Result<std::vector<StrippedInvite>> stripped_invites(const UserId& user) override;
  Result<std::vector<std::pair<StateKey, EventId>>> state_changes(const RoomId& room, StreamPosition from,
                                                                  StreamPosition to) override;

 private:
  Result<void> make_states_after(std::vector<EventCommit>& commits);
  Result<StreamPosition> write_events(WriteContext& context, const std::vector<EventCommit>& commits);
  StateId save_made_state(const RoomId& room, CachedState made);
  Result<StatePlace> place_of(StateId id);
  Result<StatePtr> read_state(Connection& connection, StateId id);
  Result<std::optional<EventId>> read_state_event(Connection& connection, StateId id, const StateKey& key);
  Result<std::vector<std::int64_t>> read_auth_nids(Connection& connection, const EventId& id);
  // The event of the row that `query` stands on, selected with SKERRY_EVENT_COLUMNS.
  Result<StoredEvent> stored_event(const Query& query);
  Result<std::vector<StoredEvent>> read_events(Query& query);
  Result<std::optional<StoredEvent>> read_event(Connection& connection, const EventId& id);

  Writer& writer_;
  Readers& readers_;
  RecentChanges& changes_;
  const ServerName us_;
  std::atomic<StateId> next_state_;
  StateCache states_;
  EventCache events_;
  std::size_t written_since_forgetting_ = 0;  // writer's thread only
};

// The columns of a StoredEvent, in the order that stored_event() reads them.
#define SKERRY_EVENT_COLUMNS                                                                                         \
  "event_id, json, verdict, rule, reason, outlier, position, depth, place, state_before, state_after, redacted_by, " \
  "transaction_id, transaction_device"

// `known` is that row's event when it is at hand already. Errors: storage.
Result<StoredEvent> event_of_row(const Query& query, EventPtr known);
// Of all rows. Errors: storage.
Result<std::vector<StoredEvent>> events_of_rows(Query& query);

// Row's `heads`: event ids, separated by blanks.
std::vector<EventId> split_heads(const std::string& text);

// Ids that this program stored itself and that therefore parse.
template <class IdType>
IdType stored_id(const std::string& text) {
  auto id = IdType::parse(text);
  return id ? *id : IdType();
}

// The row id of a room, or nothing.
std::optional<std::int64_t> room_nid(Connection& connection, const RoomId& room);

// The row id of a state key, which is made when there is none.
std::int64_t state_key_nid(Connection& connection, const StateKey& key);

bool state_is_written(Connection& connection, StateId id);
// A state as the database has it. REQUIRES: state_is_written(), and a Snapshot or the writer's transaction.
StateMap stored_state(Connection& connection, StateId id);

// The auth_events of an event, by row.
class CitedRows {
 public:
  CitedRows(Connection& connection, const Event& event);
  // The row ids, separated by blanks; nothing when an event is absent.
  std::optional<std::string> text() const;
  // Lets each be asked who cites it, the absent ones once they come.
  void note_citing(Connection& connection, std::int64_t citing) const;

 private:
  std::vector<std::int64_t> rows_;
  std::vector<EventId> absent_;
};

// An event came that others cite already.
void note_cited(Connection& connection, const EventId& id, std::int64_t row);

// A short text that stands for a client's transaction.
std::string transaction_key(const ClientTransaction& transaction);
// Forgets client transactions of long before position `now`.
void forget_transactions(Connection& connection, StreamPosition now);

}  // namespace skerry::storage
