// Writing events: the row, what it names, the room's heads, its current state and what is derived from that.
#include <algorithm>
#include <set>

#include "core/crypto.h"
#include "storage/sqlite/relation_store.h"
#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

// Client transactions are kept for so many positions: days under load, for ever on a quiet server.
constexpr StreamPosition transactions_kept_for = 1'000'000;
constexpr std::size_t events_until_forgetting = 100'000;

int verdict_number(Verdict verdict) {
  switch (verdict) {
    case Verdict::accepted:
      return 0;
    case Verdict::soft_failed:
      return 1;
    case Verdict::rejected:
      return 2;
    case Verdict::dropped:
      break;
  }
  return 2;
}

std::optional<std::string> text_or_null(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

// An event at hand, or null.
using FindEvent = std::function<EventPtr(const EventId&)>;

// Writes one event. For one job; not kept.
class EventWriter {
 public:
  EventWriter(WriteContext& context, RecentChanges& changes, const EventCommit& commit, const ServerName& us,
              const FindEvent& at_hand)
      : context_(context),
        changes_(changes),
        connection_(context.connection),
        commit_(commit),
        event_(*commit.event),
        us_(us),
        at_hand_(at_hand) {}

  // The stream position, or 0 for what has none.
  Result<StreamPosition> write() {
    if (commit_.judgement.verdict == Verdict::dropped)
      return fail(ErrorCode::internal, "dropped events are not stored");
    room_ = room_row();
    const auto known = find_known();
    if (!known) return tl::make_unexpected(known.error());
    if (*known) return **known;
    if (!states_are_written())
      return fail(ErrorCode::storage, "a state that the event builds on was lost with a write that failed");
    place();
    const CitedRows cited(connection_, event_);
    if (nid_) {
      update_row(cited);
    } else {
      insert_row(cited);
      nid_ = connection_.database().getLastInsertRowid();
      if (event_.is_state()) note_cited(connection_, event_.id(), *nid_);
    }
    if (event_.is_state() && commit_.judgement.verdict != Verdict::rejected) cited.note_citing(connection_, *nid_);
    if (!commit_.outlier) note_missing();
    note_redactions();
    note_own_relation();
    note_transaction();
    move_room();
    return position_.value_or(0);
  }

 private:
  std::int64_t room_row() {
    if (auto nid = room_nid(connection_, event_.room_id())) return *nid;
    Query(connection_, "INSERT INTO rooms(room_id, version) VALUES(?, ?)", event_.room_id().str(), commit_.room_version)
        .run();
    return connection_.database().getLastInsertRowid();
  }

  // What is stored with its place already is not written again.
  Result<std::optional<StreamPosition>> find_known() {
    Query query(connection_, "SELECT nid, outlier, position, room FROM events WHERE event_id = ?", event_.id().str());
    if (!query.next()) return std::nullopt;
    // Ids that are no hashes (room versions 1 and 2) can be given twice.
    if (query.integer(3) != room_) return fail(ErrorCode::storage, "an event of another room is stored under this id");
    if (query.integer(1) == 0 || commit_.outlier) return query.is_null(2) ? 0 : query.integer(2);
    nid_ = query.integer(0);
    return std::nullopt;
  }

  bool states_are_written() {
    if (commit_.outlier) return true;
    return state_is_written(connection_, commit_.state_before) && state_is_written(connection_, state_after()) &&
           state_is_written(connection_, commit_.current_state.value_or(0));
  }

  void place() {
    if (commit_.outlier) return;
    if (!commit_.backfilled) {
      position_ = context_.take_position();
      changes_.note(*position_, event_.room_id());
      place_ = *position_;
      return;
    }
    Query(connection_, "UPDATE meta SET value = value - 1 WHERE name = 'backfill_order'").run();
    Query order(connection_, "SELECT value FROM meta WHERE name = 'backfill_order'");
    order.next();
    place_ = order.integer(0);
  }

  std::optional<std::string> redacted_by() const {
    return commit_.redacted_by ? std::optional(commit_.redacted_by->str()) : std::nullopt;
  }
  std::optional<std::string> transaction_id() const {
    return commit_.transaction ? std::optional(commit_.transaction->transaction_id) : std::nullopt;
  }
  std::optional<std::string> transaction_device() const {
    return commit_.transaction ? std::optional(commit_.transaction->device) : std::nullopt;
  }
  StateId state_after() const { return commit_.state_after.value_or(commit_.state_before); }

  // Of what is handed on: the other server that sent it through us.
  std::optional<std::string> origin() const {
    const ServerName server = event_.sender().server();
    return commit_.distribute && server != us_ ? std::optional(server.str()) : std::nullopt;
  }

  void insert_row(const CitedRows& cited) {
    Query(connection_,
          "INSERT INTO events(event_id, room, verdict, outlier, distribute, origin, position, depth, place, "
          "state_before, state_after, auth, rule, reason, redacted_by, transaction_id, transaction_device, json) "
          "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          event_.id().str(), room_, verdict_number(commit_.judgement.verdict), commit_.outlier, commit_.distribute,
          origin(), position_, event_.depth(), place_, commit_.state_before, state_after(), cited.text(),
          text_or_null(commit_.judgement.rule), text_or_null(commit_.judgement.reason), redacted_by(), transaction_id(),
          transaction_device(), event_.canonical_text())
        .run();
  }

  void update_row(const CitedRows& cited) {
    Query(connection_,
          "UPDATE events SET verdict = ?, outlier = 0, distribute = ?, origin = ?, position = ?, place = ?, "
          "state_before = ?, state_after = ?, auth = ?, rule = ?, reason = ?, redacted_by = coalesce(?, redacted_by) "
          "WHERE nid = ?",
          verdict_number(commit_.judgement.verdict), commit_.distribute, origin(), position_, place_,
          commit_.state_before, state_after(), cited.text(), text_or_null(commit_.judgement.rule),
          text_or_null(commit_.judgement.reason), redacted_by(), *nid_)
        .run();
  }

  // The ancestors of accepted events that are not there with their place are where history must be asked for, and are
  // no heads when they come. What builds on them and was not accepted itself is no reason to hold them for the past.
  void note_missing() {
    Query(connection_, "DELETE FROM missing_events WHERE event_id = ?", event_.id().str()).run();
    const bool was_missing = connection_.database().getChanges() > 0;
    if (commit_.judgement.verdict != Verdict::accepted && !was_missing) return;
    for (const EventId& parent : event_.prev_events()) {
      Query known(connection_, "SELECT verdict FROM events WHERE event_id = ? AND outlier = 0", parent.str());
      if (!known.next()) {
        Query(connection_, "INSERT OR IGNORE INTO missing_events VALUES(?, ?, ?)", parent.str(), room_, event_.depth())
            .run();
      } else if (known.integer(0) != verdict_number(Verdict::accepted)) {
        note_missing_above(parent);
      }
    }
  }

  // By way of events that were not accepted; not farther than anybody has a reason to be.
  void note_missing_above(const EventId& parent) {
    Query(connection_,
          "WITH RECURSIVE above(ancestor) AS (SELECT ?1 UNION "
          "SELECT iif(edge.type = 'array', json_extract(edge.value, '$[0]'), edge.value) "  // room versions 1 and 2
          "FROM above JOIN events ON event_id = ancestor, json_each(events.json, '$.prev_events') edge "
          "WHERE outlier = 0 AND verdict <> ?2 LIMIT 1000) "
          "INSERT OR IGNORE INTO missing_events SELECT ancestor, ?3, ?4 FROM above "
          "WHERE NOT EXISTS (SELECT 1 FROM events WHERE event_id = ancestor AND outlier = 0)",
          parent.str(), verdict_number(Verdict::accepted), room_, event_.depth())
        .run();
  }

  void note_redactions() {
    if (commit_.redacts) {
      Query(connection_, "UPDATE events SET redacted_by = coalesce(redacted_by, ?) WHERE event_id = ?",
            event_.id().str(), commit_.redacts->str())
          .run();
      forget_relation(connection_, room_, *commit_.redacts);
    }
    if (!counts() || event_.type() != "m.room.redaction") return;
    const RoomRules* rules = find_room_rules(commit_.room_version);
    const EventId target = rules == nullptr ? EventId() : event_.redacts(*rules);
    if (target.empty()) return;
    Query(connection_, "INSERT OR IGNORE INTO redactions VALUES(?, ?)", target.str(), event_.id().str()).run();
  }

  bool counts() const { return commit_.judgement.verdict == Verdict::accepted && !commit_.outlier; }

  void note_own_relation() {
    if (counts() && !commit_.redacted_by) note_relation(connection_, room_, event_, *nid_, place_);
  }

  void note_transaction() {
    if (!commit_.transaction) return;
    Query(connection_, "INSERT OR REPLACE INTO client_transactions VALUES(?, ?, ?)",
          transaction_key(*commit_.transaction), event_.id().str(), position_.value_or(0))
        .run();
  }

  void move_room() {
    if (event_.is_state("m.room.create", "")) {
      Query(connection_, "UPDATE rooms SET create_event = ? WHERE nid = ? AND create_event = ''", event_.id().str(),
            room_)
          .run();
    }
    if (commit_.outlier || commit_.backfilled) return;
    if (commit_.replaces) take_over(*commit_.replaces);
    if (commit_.heads) {
      std::string heads;
      for (const EventId& head : *commit_.heads) heads += (heads.empty() ? "" : " ") + head.str();
      Query(connection_, "UPDATE rooms SET heads = ?, current_state = ?, depth = max(depth, ?) WHERE nid = ?", heads,
            commit_.current_state.value_or(state_after()), event_.depth(), room_)
          .run();
    }
    if (commit_.distribute)
      Query(connection_, "UPDATE rooms SET last_distributed = ? WHERE nid = ?", *position_, room_).run();
    std::set<ServerName> servers;
    for (const auto& [key, id] : commit_.current_state_delta) change_state(key, id, servers);
    for (const ServerName& server : servers) move_server(server);
  }

  void take_over(const RoomId& old) {
    const std::string& room = event_.room_id().str();
    Query(connection_, "UPDATE aliases SET room = ? WHERE room = ?", room, old.str()).run();
    Query(connection_, "UPDATE rooms SET published = (SELECT published FROM rooms WHERE room_id = ?) WHERE nid = ?",
          old.str(), room_)
        .run();
    Query(connection_, "UPDATE rooms SET published = 0 WHERE room_id = ?", old.str()).run();
  }

  void change_state(const StateKey& key, const EventId& id, std::set<ServerName>& servers) {
    Query(connection_, "INSERT OR REPLACE INTO state_changes VALUES(?, ?, ?, ?)", room_, *position_,
          state_key_nid(connection_, key), id.str())
        .run();
    if (key.type != "m.room.member") return;
    const auto user = UserId::parse(key.state_key);
    if (!user) return;
    if (id == event_.id() && ends_request(*user)) told_at_the_end_.insert(user->server());
    Query(connection_,
          "INSERT INTO memberships(room, user, server, membership, event_id, position) VALUES(?, ?, ?, ?, ?, ?) "
          "ON CONFLICT(room, user) DO UPDATE SET membership = excluded.membership, event_id = excluded.event_id, "
          "position = excluded.position, forgotten = 0",
          room_, user->str(), user->server().str(), membership_of(id), id.str(), *position_)
        .run();
    servers.insert(user->server());
  }

  // True when a user of this server turns down another server's user, who was invited or knocked.
  bool ends_request(const UserId& user) {
    const bool is_end = event_.membership() == "leave" || event_.membership() == "ban";
    if (!commit_.distribute || !is_end || event_.sender().server() != us_ || user.server() == us_) return false;
    Query before(connection_, "SELECT membership FROM memberships WHERE room = ? AND user = ?", room_, user.str());
    return before.next() && (before.text(0) == "invite" || before.text(0) == "knock");
  }

  // "leave" when the state has no such event any more.
  std::string membership_of(const EventId& id) {
    if (id.empty()) return "leave";
    if (const EventPtr event = at_hand_(id)) return std::string(event->membership());
    Query stored(connection_, "SELECT json FROM events WHERE event_id = ?", id.str());
    if (!stored.next()) return "leave";
    auto event = Event::from_stored(id, stored.text(0));
    return event ? std::string((*event)->membership()) : "leave";
  }

  // A server is in the room as long as one of its users is; the event by which its last one goes is still for it. So is
  // the one that answers its user's knock, or takes an invitation back: a stretch of that event alone.
  void move_server(const ServerName& server) {
    if (server == us_) return;
    Query joined(connection_, "SELECT 1 FROM memberships WHERE room = ? AND server = ? AND membership = 'join' LIMIT 1",
                 room_, server.str());
    const bool is_in = joined.next();
    Query open(connection_, "SELECT 1 FROM server_stretches WHERE server = ? AND room = ? AND last IS NULL",
               server.str(), room_);
    const bool was_in = open.next();
    if (is_in && !was_in) {
      Query(connection_, "INSERT OR REPLACE INTO server_stretches VALUES(?, ?, ?, NULL)", server.str(), room_,
            *position_)
          .run();
    } else if (!is_in && was_in) {
      Query(connection_, "UPDATE server_stretches SET last = ? WHERE server = ? AND room = ? AND last IS NULL",
            *position_, server.str(), room_)
          .run();
    } else if (!is_in && told_at_the_end_.contains(server)) {
      Query(connection_, "INSERT OR REPLACE INTO server_stretches VALUES(?, ?, ?, ?)", server.str(), room_, *position_,
            *position_)
          .run();
    }
  }

  WriteContext& context_;
  RecentChanges& changes_;
  Connection& connection_;
  const EventCommit& commit_;
  const Event& event_;
  const ServerName& us_;
  const FindEvent& at_hand_;
  std::int64_t room_ = 0;
  std::optional<std::int64_t> nid_;
  std::optional<StreamPosition> position_;
  std::int64_t place_ = 0;
  std::set<ServerName> told_at_the_end_;  // of an invitation or a knock of one of their users
};

}  // namespace

std::optional<std::int64_t> room_nid(Connection& connection, const RoomId& room) {
  Query query(connection, "SELECT nid FROM rooms WHERE room_id = ?", room.str());
  return query.next() ? std::optional(query.integer(0)) : std::nullopt;
}

std::string transaction_key(const ClientTransaction& transaction) {
  std::string text;
  for (const std::string* part :
       {&transaction.user.str(), &transaction.device, &transaction.path, &transaction.transaction_id}) {
    text += std::to_string(part->size()) + ":" + *part;
  }
  const Sha256 hash = sha256(text);
  return base64_encode(std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size()));
}

void forget_transactions(Connection& connection, StreamPosition now) {
  Query(connection, "DELETE FROM client_transactions WHERE position < ?", now - transactions_kept_for).run();
}

void SqliteRoomStore::commit(EventCommit commit, Committed done) {
  std::vector<EventCommit> one;
  one.push_back(std::move(commit));
  commit_all(std::move(one), std::move(done));
}

void SqliteRoomStore::commit_all(std::vector<EventCommit> commits, Committed done) {
  const auto room = commits.empty() ? std::nullopt : std::optional(commits.front().event->room_id());
  auto made = make_states_after(commits);
  auto shared = std::make_shared<const std::vector<EventCommit>>(std::move(commits));
  writer_.submit(
      room,
      [this, shared, made](WriteContext& context) -> Result<StreamPosition> {
        if (!made) return tl::make_unexpected(made.error());
        return write_events(context, *shared);
      },
      [this, shared, done = std::move(done)](Result<StreamPosition> result) {
        if (result) {
          for (const EventCommit& commit : *shared) {
            if (!commit.outlier) events_.put(commit.event);
          }
        }
        done(std::move(result));
      });
}

Result<void> SqliteRoomStore::make_states_after(std::vector<EventCommit>& commits) {
  for (EventCommit& commit : commits) {
    const Event& event = *commit.event;
    const bool makes_state = event.is_state() && commit.judgement.verdict == Verdict::accepted && !commit.outlier;
    if (!makes_state || commit.state_after) continue;
    auto made = make_state(event.room_id(), commit.state_before, {{{event.type(), *event.state_key()}, event.id()}});
    if (!made) return tl::make_unexpected(made.error());
    commit.state_after = *made;
  }
  return {};
}

Result<StreamPosition> SqliteRoomStore::write_events(WriteContext& context, const std::vector<EventCommit>& commits) {
  std::unordered_map<EventId, EventPtr> together;
  for (const EventCommit& commit : commits) together.emplace(commit.event->id(), commit.event);
  const FindEvent at_hand = [&](const EventId& id) {
    const auto found = together.find(id);
    return found != together.end() ? found->second : events_.find(id);
  };
  StreamPosition last = 0;
  for (const EventCommit& commit : commits) {
    auto position = EventWriter(context, changes_, commit, us_, at_hand).write();
    if (!position) return position;
    last = std::max(last, *position);
  }
  written_since_forgetting_ += commits.size();
  if (written_since_forgetting_ >= events_until_forgetting) {
    written_since_forgetting_ = 0;
    forget_transactions(context.connection, last);
  }
  return last;
}

}  // namespace skerry::storage
