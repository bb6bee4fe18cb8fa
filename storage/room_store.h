// Rooms: events, states, heads, and what is derived from them. Reads by id, state and range; one write, commit().
// All methods are thread-safe. Errors of reads: storage; not_found where said. Reads see everything whose commit was
// answered.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/state_resolution.h"
#include "storage/types.h"
#include "storage/writer.h"

namespace skerry::storage {

// One event, and all that changes with it, in one transaction.
struct EventCommit {
  EventPtr event;
  std::string room_version;  // the room is created on its first event
  Judgement judgement;
  bool outlier = false;     // stored without place, state and position; upgraded when committed again
  bool backfilled = false;  // history: a place but no stream position
  StateId state_before = 0;
  // For an accepted state event the store makes state_after from state_before and the event, unless `state_after` is
  // given.
  std::optional<StateId> state_after;
  // The room's heads (forward extremities) and current state after this event, for events of the live stream.
  std::optional<std::vector<EventId>> heads;
  std::optional<StateId> current_state;  // absent with heads present: state_after
  // Entries of the current state that this commit changes, to keep memberships and room lists; removed ones have an
  // empty id.
  std::vector<std::pair<StateKey, EventId>> current_state_delta;
  std::optional<EventId> redacts;      // apply this event as a redaction of that one, if both are there
  std::optional<EventId> redacted_by;  // a redaction that came before this event, and applies to it
  std::optional<ClientTransaction> transaction;
  // A room whose aliases and entry in the room directory move to this event's room.
  std::optional<RoomId> replaces;
  // This server hands it on to the others in the room: its own users' events, and joins, leaves and knocks sent through
  // it.
  bool distribute = false;
};

struct RoomInfo {
  RoomId room;
  std::string version;
  EventId create_event;
  bool published = false;  // in the room directory
};

struct RoomHead {
  std::vector<EventId> heads;
  StateId current_state = 0;
  std::int64_t depth = 0;  // largest depth of the heads
};

struct Membership {
  RoomId room;
  UserId user;
  std::string membership;  // join invite leave ban knock
  EventId event;
  StreamPosition position = 0;
  bool forgotten = false;
};

// What a remote server's invite (or knock answer) left for a user whose server is not in the room.
struct StrippedInvite {
  RoomId room;
  UserId user;
  std::string room_version;
  std::string membership;           // invite or knock; leave: it is over since `position`
  std::string event_json;           // the signed event; of a leave that the user sent: empty
  std::string stripped_state_json;  // array of stripped events, the membership event included
  StreamPosition position = 0;
  ServerName via;  // who sent the invite, or took the knock; empty when not known
};

class RoomStore {
 public:
  virtual ~RoomStore() = default;

  // -- writes
  // Queues the commit. Jobs run in the order in which they were queued; when one fails, those queued after it for the
  // same room before its failure was told (`done` returned) fail as well (they built on it). `commit` itself never
  // waits for the writer.
  virtual void commit(EventCommit commit, Committed done) = 0;
  // The same for several at once, in order, all or none: a joined room's state, a stretch of history.
  virtual void commit_all(std::vector<EventCommit> commits, Committed done) = 0;
  // These two are called in rooms' turns and never wait for the writer; state(id) knows the new state at once.
  // Makes a state that differs from `base` by `changes` (an empty id removes). Durable when any later commit is.
  // Errors: storage.
  virtual Result<StateId> make_state(const RoomId& room, StateId base,
                                     const std::vector<std::pair<StateKey, EventId>>& changes) = 0;
  virtual Result<StateId> store_state(const RoomId& room, const StateMap& state) = 0;
  virtual Result<StreamPosition> save_stripped_invite(StrippedInvite invite) = 0;
  virtual Result<StreamPosition> remove_stripped_invite(const RoomId& room, const UserId& user) = 0;
  virtual Result<StreamPosition> forget(const RoomId& room, const UserId& user) = 0;
  virtual Result<void> set_published(const RoomId& room, bool published) = 0;
  virtual Result<void> add_alias(const RoomAlias& alias, const RoomId& room, const UserId& creator) = 0;  // room_in_use
  virtual Result<void> remove_alias(const RoomAlias& alias) = 0;                                          // not_found

  // -- events
  virtual Result<std::optional<StoredEvent>> event(const EventId& id) = 0;
  virtual Result<std::vector<StoredEvent>> events(
      const std::vector<EventId>& ids) = 0;                                          // those that are there, any order
  virtual Result<std::vector<EventId>> absent(const std::vector<EventId>& ids) = 0;  // those not stored at all
  // Live events of a room with from < position <= to, oldest first; the newest `limit` of them when `newest`.
  struct Page {
    std::vector<StoredEvent> events;
    bool limited = false;
  };
  virtual Result<Page> live_events(const RoomId& room, StreamPosition from, StreamPosition to, std::size_t limit,
                                   bool newest) = 0;
  // Accepted events in topological order, from (exclusive) towards the past or the future.
  virtual Result<std::vector<StoredEvent>> history(const RoomId& room, TopologicalPosition from, bool backwards,
                                                   std::size_t limit) = 0;
  // The place just after (or before) everything stored at stream position p.
  virtual Result<TopologicalPosition> topological_at(const RoomId& room, StreamPosition position) = 0;
  // Events without a place (absent, or outliers: a joined room's state) that an accepted event names in prev_events,
  // itself or by way of others that were not accepted: where backfill must go on.
  virtual Result<std::vector<EventId>> backward_extremities(const RoomId& room, std::size_t limit) = 0;
  // True for one of these: it is no head when it comes.
  virtual Result<bool> is_backward_extremity(const EventId& id) = 0;
  virtual Result<std::optional<EventId>> transaction_event(const ClientTransaction& transaction) = 0;
  // Accepted redactions that name `target`, applied or not, oldest first: one may come before the event that it
  // redacts.
  virtual Result<std::vector<EventId>> redactions_of(const EventId& target) = 0;

  // -- state
  virtual Result<StatePtr> state(StateId id) = 0;  // shared, cached
  virtual Result<std::optional<EventId>> state_event(StateId id, const StateKey& key) = 0;
  // All events on the auth chains of `ids`, without `ids` themselves. What is absent is left out.
  virtual Result<std::vector<EventId>> auth_chain(const std::vector<EventId>& ids) = 0;
  // State events that cite `id` in their auth_events, latest first, in pages; those that were rejected when they came
  // are left out. `from`: 0 at first, then the page's `next`.
  virtual Result<CitingPage> citing(const EventId& id, std::int64_t from) = 0;

  // -- rooms
  virtual Result<std::optional<RoomInfo>> room(const RoomId& room) = 0;
  virtual Result<std::optional<RoomHead>> head(const RoomId& room) = 0;
  virtual Result<std::vector<RoomId>> rooms() = 0;
  virtual Result<std::vector<RoomId>> published_rooms() = 0;
  virtual Result<std::optional<RoomId>> resolve_alias(const RoomAlias& alias) = 0;
  struct Alias {
    RoomAlias alias;
    UserId creator;
  };
  virtual Result<std::vector<Alias>> aliases(const RoomId& room) = 0;

  // -- memberships, from current state
  virtual Result<std::vector<Membership>> memberships_of(
      const UserId& user) = 0;  // all rooms the user ever was in here
  virtual Result<std::optional<Membership>> membership(const RoomId& room, const UserId& user) = 0;
  virtual Result<std::vector<Membership>> members(const RoomId& room) = 0;
  virtual Result<std::vector<ServerName>> joined_servers(const RoomId& room) = 0;
  virtual Result<std::vector<UserId>> joined_local_users(const RoomId& room) = 0;
  virtual Result<std::vector<StrippedInvite>> stripped_invites(const UserId& user) = 0;
  // The current state's changes of a room with from < position <= to, newest per key. An empty id: removed.
  virtual Result<std::vector<std::pair<StateKey, EventId>>> state_changes(const RoomId& room, StreamPosition from,
                                                                          StreamPosition to) = 0;
};

}  // namespace skerry::storage
