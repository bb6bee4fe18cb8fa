// A room in memory: heads, current state, who is joined, and the events that are queued at the writer but not yet
// committed, so that a turn can build on what the turn before it queued. Promises nothing durable: dropped at will and
// read anew.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/authorization.h"
#include "core/event.h"
#include "core/verdict.h"
#include "homeserver/rooms/room_state.h"
#include "storage/room_store.h"

namespace skerry::homeserver {

// An event of the room with its place: the states before and after it.
struct Placed {
  EventPtr event;
  Judgement judgement;
  RoomState before;
  RoomState after;
};

struct Head {
  EventId id;
  std::int64_t depth = 0;
  RoomState after;
};

// Who is joined, by the current state. Lists are shared with those who were handed them.
class Residents {
 public:
  void add(const UserId& user, const ServerName& us);
  void remove(const UserId& user, const ServerName& us);
  bool anyone_here() const { return !local_users_.empty(); }
  bool has(const ServerName& server) const { return servers_.contains(server); }
  std::shared_ptr<const std::vector<UserId>> local_users() const;
  std::shared_ptr<const std::vector<ServerName>> other_servers(const ServerName& us) const;

 private:
  std::map<ServerName, std::int64_t> servers_;  // joined users of each
  std::set<UserId> local_users_;
  mutable std::shared_ptr<const std::vector<UserId>> local_list_;
  mutable std::shared_ptr<const std::vector<ServerName>> server_list_;  // without this server
};

// What a turn needs and the store does not have. The state of a place is found from its prev_events; an outlier has
// none.
struct Needs {
  std::vector<EventId> auth_events;
  std::vector<EventId> prev_events;
};

// Used in the room's turns only, except where said.
class Room {
 public:
  // Reads the room. Errors: not_found, unsupported_room_version, storage.
  static Result<std::shared_ptr<Room>> load(storage::RoomStore& store, const RoomId& id, const ServerName& us);
  // A room that does not exist yet.
  Room(storage::RoomStore& store, RoomId id, std::string version, const RoomRules& rules);

  const RoomId id;
  const std::string version;
  const RoomRules& rules;
  EventPtr create;
  std::vector<Head> heads;
  RoomState current;
  Residents residents;

  // An event by id: in flight, used lately, or stored, outliers and other rooms' included. Null when absent.
  EventPtr event(const EventId& event_id);
  bool rejected(const EventId& event_id);
  // The event of a state. Null when the state has none.
  EventPtr state_event(const RoomState& state, std::string_view type, std::string_view state_key);
  std::string_view membership(const RoomState& state, const UserId& user);
  // An event that has a place. Nothing when it is absent or an outlier. Errors: storage.
  Result<std::optional<Placed>> placed(const EventId& event_id);
  // What became of an event that has a place; nothing as above. Errors: storage.
  Result<std::optional<Judgement>> judgement(const EventId& event_id);

  // True when an event with a place names this one, which has none yet, in its prev_events. Errors: storage.
  Result<bool> is_behind_others(const EventId& event_id) const;

  using StateOrNeeds = std::variant<RoomState, Needs>;
  // The state before an event with these prev_events: the resolution of the states after them. Errors: storage.
  Result<StateOrNeeds> state_before(const std::vector<EventId>& prev_events);
  // Errors: storage.
  Result<StateOrNeeds> resolve(const std::vector<RoomState>& forks);
  // The current state with what another one adds to it, to be looked at only: it is not stored, and its id is not its
  // own. Nothing when it is too dear to know: that takes more than `most_events` events. Errors: storage.
  Result<std::optional<RoomState>> current_informed_by(const RoomState& state, std::size_t most_events);
  // The state after an accepted (or soft-failed) event. Errors: storage.
  Result<RoomState> state_after(const RoomState& before, const Event& event);

  // -- events in flight
  void remember(Placed placed);          // known to later turns until settled
  void forget(const EventId& event_id);  // of remember()
  void cache(EventPtr event, bool was_rejected);
  // Which event answers a transaction that is in flight; nothing when none.
  std::optional<EventId> transaction_in_flight(const storage::ClientTransaction& transaction) const;
  void remember_transaction(const storage::ClientTransaction& transaction, const EventId& event);

  // True when somebody who is in the room here was so in this state as well.
  bool was_one_of_us_in(const RoomState& state);

  // A storage error met by event() and its like since the last call; they answer null then.
  std::optional<Error> take_trouble();

  // -- commits. These three may be called from the writer's thread as well as in turns.
  // Runs `queue_commit` unless a commit of this room failed (then: false), and no failure is told while it runs: so
  // nothing is built on a commit whose failure was told.
  bool unless_failed(const std::function<void()>& queue_commit);
  // How a commit of these events ended. After a failure this object is of no use: the room is read anew.
  void settle(const std::vector<EventId>& events, bool committed);
  // Calls `told` once with how the commit of an event in flight ended. False when it is not in flight.
  bool wait_for(const EventId& event_id, std::function<void(bool committed)> told);

  // At the start of a turn: forgets what was committed since the last one. False when a commit failed.
  bool take_settled();

 private:
  struct Cached {
    EventPtr event;
    bool rejected = false;
  };
  const Cached* find(const EventId& event_id);
  CitingPage citing(const EventId& event_id, std::int64_t from);
  Result<std::optional<RoomState>> state_behind(const EventId& event_id);
  struct Resolution {
    std::set<storage::StateId> ids;  // of the forks
    RoomState state;                 // its id is of the fork that it is told from, as long as it is
    StateChanges unwritten;          // what it has otherwise; empty once that is stored
  };
  using ResolutionOrNeeds = std::variant<Resolution*, Needs>;
  Result<ResolutionOrNeeds> resolution_of(const std::vector<RoomState>& forks, std::size_t most_events);
  Result<RoomState> state(storage::StateId state_id);

  storage::RoomStore& store_;
  std::unordered_map<EventId, Placed> in_flight_;
  std::unordered_map<EventId, int> parents_in_flight_;                  // how many accepted events in flight name each
  std::unordered_map<EventId, std::vector<EventId>> citing_in_flight_;  // state events that cite it
  std::unordered_map<EventId, std::string> transaction_of_;             // of events in flight
  std::unordered_map<std::string, EventId> transactions_;
  std::unordered_map<EventId, Cached> cache_;
  std::list<Resolution> resolutions_;  // the latest few
  struct Presence {
    storage::StateId in = 0;
    storage::StateId now = 0;
    bool here = false;
  };
  Presence presence_;  // the latest answer of was_one_of_us_in()
  std::optional<Error> trouble_;

  std::mutex settlement_;  // guards what follows
  bool failed_ = false;
  std::vector<EventId> settled_;  // committed since the last turn
  std::unordered_map<EventId, std::vector<std::function<void(bool)>>> waiters_;
};

}  // namespace skerry::homeserver
