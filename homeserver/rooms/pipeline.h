// The only writer of room events. What this server's users do and what other servers send meet in one private admit().
// docs/life_of_an_event.md tells the way of an event through here.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/authorization.h"
#include "core/event.h"
#include "core/state.h"
#include "core/verdict.h"
#include "homeserver/rooms/remote_rooms.h"
#include "net/runtime.h"
#include "net/worker_pool.h"
#include "storage/database.h"

namespace skerry::homeserver {

// What a local user wants to send; the pipeline adds the rest.
struct EventDraft {
  RoomId room;
  UserId sender;
  std::string type;
  std::optional<std::string> state_key;
  std::string content_json;        // an object; refused with bad_json when it has no canonical form
  std::optional<EventId> redacts;  // for m.room.redaction; put where the version wants it
  std::optional<storage::ClientTransaction> transaction;
  std::optional<std::int64_t> origin_server_ts_ms;  // now when absent
};

// The replacement of a room by a new one.
struct RoomUpgrade {
  RoomId room;
  UserId user;
  std::string version;
  std::vector<UserId> additional_creators;  // for versions that know such
  std::string join_content_json;            // of the user's join of the new room
};

// What became of a remote PDU.
struct RemoteOutcome {
  EventId event;  // empty when it could not even be parsed
  Judgement judgement;
  // Dropped for want of something that may come: a place on the disk, a server that did not answer. Nothing was
  // decided; the same PDU is to be sent again.
  bool put_off = false;
  // The event ended an invitation or a knock in a room that this server is not in: its user is told, and that is all.
  bool is_outside = false;
};

// A room as another server gave it to us when one of our users joined (the answer to send_join), or knows it at one
// event.
struct RemoteRoom {
  std::string version;
  std::vector<Json> state_pdus;  // state before the join
  std::vector<Json> auth_chain_pdus;
  std::shared_ptr<const Json> join_pdu;  // the join as signed by everyone
  std::vector<ServerName> via;           // who may be asked for what is missing
};

// What send_join answers besides the event: the state before the join, and its auth chain.
struct RoomAtEvent {
  EventPtr event;
  std::vector<EventPtr> state;
  std::vector<EventPtr> auth_chain;
  std::vector<ServerName> servers_in_room;
};

struct EventTemplate {
  std::string room_version;
  std::shared_ptr<const Json> pdu;  // unsigned, without hashes
};

struct PipelineContext {
  ServerName us;
  SigningKey key;
  storage::Database& database;
  RemoteRooms& remote;  // make_remote_rooms(), or a test's own
  net::Clock& clock;
  net::Random& random;
  net::WorkerPool& turns;     // runs the rooms' turns: local work only, never waits for another server
  net::WorkerPool& outbound;  // may wait for other servers
  // After a commit was answered: the stream position, whom it concerns here, which servers are owed it.
  std::function<void(storage::StreamPosition, const std::vector<UserId>& local_users, const RoomId& room)> notify;
  std::function<void(const std::vector<ServerName>&)> wake_outbox;
  // Step 7 of 'Checks performed on receipt of a PDU': why the room's policy server does not vouch for an event that
  // passed the others; it is soft-failed then. Unset: no room's policy server is heeded. In the room's turn, so it must
  // not wait.
  std::function<std::optional<Refused>(const EventPtr&)> refused_by_policy = {};
};

// Thread-safe. A room's turns run one after the other, in the order of the calls, on `turns`; a busy room occupies one
// worker. Every `done` is called exactly once, after the commit was fsynced, on the writer's or a turn's thread: it
// must not block.
class RoomPipeline {
 public:
  explicit RoomPipeline(PipelineContext context);
  ~RoomPipeline();  // waits for the turns under way

  // Builds on the room's heads, authorizes, commits. A transaction id seen before answers the stored event id.
  // Errors: forbidden (with the rule), not_found (no such room here), bad_json, too_large, storage.
  void submit_local(EventDraft draft, std::function<void(Result<EventId>)> done);

  // A new room: the create event and then `rest`, in order, in one commit: all or none. `rest` drafts need no room.
  // `create_content_json` without creator and room_version, which are added. Errors: as submit_local,
  // unsupported_room_version.
  void create_room(const std::string& version, const UserId& creator, const std::string& create_content_json,
                   std::vector<EventDraft> rest, std::function<void(Result<RoomId>)> done);

  // 'Room Upgrades': makes the new room, moves the old one's aliases, puts a tombstone there and closes it as far as
  // the user may: all or none. Answers the new room. Errors: forbidden, not_found, unsupported_room_version,
  // invalid_room_state (the old room's state cannot be had in the new version), storage.
  void upgrade_room(RoomUpgrade upgrade, std::function<void(Result<RoomId>)> done);

  // A PDU from a transaction. Checks of 'Checks performed on receipt of a PDU', in that order; fetches keys and missing
  // events outside the room's turn, on `outbound`. A room that nobody here is in: dropped.
  void submit_remote(const ServerName& origin, Json pdu, std::function<void(RemoteOutcome)> done);

  // A membership event of another server's user, made from our template and signed by that server (send_join,
  // send_leave, send_knock). Adds our signature where join_authorised_via_users_server names a user of ours. Errors:
  // forbidden, bad_json, not_found, bad_signature, unauthorized.
  void submit_signed_membership(const ServerName& origin, Json pdu, std::function<void(Result<RoomAtEvent>)> done);

  // An unsigned event on the current heads that would be allowed, for make_join, make_leave, make_knock and for invites
  // that the other server has to sign. For joins under restricted rules, join_authorised_via_users_server is filled in.
  // Errors: forbidden, not_found, unable_to_authorise_join, unable_to_grant_join.
  void make_template(EventDraft draft, std::function<void(Result<EventTemplate>)> done);

  // A complete, signed event of ours that another server has countersigned (an invite), to be committed as a local one.
  void submit_countersigned(Json pdu, std::function<void(Result<EventId>)> done);

  // Takes over a room that one of our users joined through another server: verifies every signature and authorizes
  // every event of the state (those that fail are left out; a join that is then refused is an error). Errors:
  // forbidden, bad_json, bad_signature.
  void install_room(RemoteRoom room, std::function<void(Result<EventId>)> done);

  // While the handle lives, what other servers send for this room waits: one of our users is joining it through another
  // server, and is not there yet. Held from before send_join until install_room is through.
  [[nodiscard]] std::shared_ptr<void> joining(const RoomId& room);

  // Asks other servers for history before the room's backward extremities; true when something was added. On `outbound`
  // only: waits.
  Result<bool> backfill(const RoomId& room, std::size_t limit);

  // Adds this server's signature to another server's event: an invite of one of our users, after the caller checked it.
  // Errors: bad_json.
  Result<void> countersign(const RoomRules& rules, Json& pdu) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
