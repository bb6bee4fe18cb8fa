// Writing events: the row, what it names, the room's heads, its current state and what is derived from that.
#include <algorithm>

#include "core/crypto.h"
#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

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

// Writes one event. For one job; not kept.
class EventWriter {
 public:
  EventWriter(WriteContext& context, const EventCommit& commit, const ServerName& us)
      : context_(context), connection_(context.connection), commit_(commit), event_(*commit.event), us_(us) {}

  // The stream position, or 0 for what has none.
  Result<StreamPosition> write() {
    if (commit_.judgement.verdict == Verdict::dropped)
      return fail(ErrorCode::internal, "dropped events are not stored");
    room_ = room_row();
    if (auto known = find_known()) return *known;
    place();
    if (nid_) {
      update_row();
    } else {
      insert_row();
    }
    if (!commit_.outlier) note_missing();
    note_redactions();
    if (commit_.transaction) {
      Query(connection_, "INSERT OR REPLACE INTO client_transactions VALUES(?, ?, ?)",
            transaction_key(*commit_.transaction), event_.id().str(), position_.value_or(0))
          .run();
    }
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
  std::optional<StreamPosition> find_known() {
    Query query(connection_, "SELECT nid, outlier, position FROM events WHERE event_id = ?", event_.id().str());
    if (!query.next()) return std::nullopt;
    if (query.integer(1) == 0 || commit_.outlier) return query.is_null(2) ? 0 : query.integer(2);
    nid_ = query.integer(0);
    return std::nullopt;
  }

  void place() {
    if (commit_.outlier) return;
    if (!commit_.backfilled) {
      position_ = context_.take_position();
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

  void insert_row() {
    Query(
        connection_,
        "INSERT INTO events(event_id, room, verdict, outlier, distribute, position, depth, place, state_before, "
        "state_after, "
        "rule, reason, redacted_by, transaction_id, transaction_device, json) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        event_.id().str(), room_, verdict_number(commit_.judgement.verdict), commit_.outlier, commit_.distribute,
        position_, event_.depth(), place_, commit_.state_before, state_after(), text_or_null(commit_.judgement.rule),
        text_or_null(commit_.judgement.reason), redacted_by(), transaction_id(), transaction_device(),
        event_.canonical_text())
        .run();
  }

  void update_row() {
    Query(connection_,
          "UPDATE events SET verdict = ?, outlier = 0, distribute = ?, position = ?, place = ?, state_before = ?, "
          "state_after = ?, "
          "rule = ?, reason = ?, redacted_by = coalesce(?, redacted_by) WHERE nid = ?",
          verdict_number(commit_.judgement.verdict), commit_.distribute, position_, place_, commit_.state_before,
          state_after(), text_or_null(commit_.judgement.rule), text_or_null(commit_.judgement.reason), redacted_by(),
          *nid_)
        .run();
  }

  // The parents that are not there with their place are where history must be asked for.
  void note_missing() {
    Query(connection_, "DELETE FROM missing_events WHERE event_id = ?", event_.id().str()).run();
    for (const EventId& parent : event_.prev_events()) {
      Query known(connection_, "SELECT 1 FROM events WHERE event_id = ? AND outlier = 0", parent.str());
      if (known.next()) continue;
      Query(connection_, "INSERT OR IGNORE INTO missing_events VALUES(?, ?, ?)", parent.str(), room_, event_.depth())
          .run();
    }
  }

  void note_redactions() {
    if (commit_.redacts) {
      Query(connection_, "UPDATE events SET redacted_by = coalesce(redacted_by, ?) WHERE event_id = ?",
            event_.id().str(), commit_.redacts->str())
          .run();
    }
    const bool accepted = commit_.judgement.verdict == Verdict::accepted && !commit_.outlier;
    if (!accepted || event_.type() != "m.room.redaction") return;
    const RoomRules* rules = find_room_rules(commit_.room_version);
    const EventId target = rules == nullptr ? EventId() : event_.redacts(*rules);
    if (target.empty()) return;
    Query(connection_, "INSERT OR IGNORE INTO redactions VALUES(?, ?)", target.str(), event_.id().str()).run();
  }

  void move_room() {
    if (event_.is_state("m.room.create", "")) {
      Query(connection_, "UPDATE rooms SET create_event = ? WHERE nid = ? AND create_event = ''", event_.id().str(),
            room_)
          .run();
    }
    if (commit_.outlier || commit_.backfilled) return;
    if (commit_.heads) {
      std::string heads;
      for (const EventId& head : *commit_.heads) heads += (heads.empty() ? "" : " ") + head.str();
      Query(connection_, "UPDATE rooms SET heads = ?, current_state = ?, depth = max(depth, ?) WHERE nid = ?", heads,
            commit_.current_state.value_or(state_after()), event_.depth(), room_)
          .run();
    }
    for (const auto& [key, id] : commit_.current_state_delta) change_state(key, id);
  }

  void change_state(const StateKey& key, const EventId& id) {
    Query(connection_, "INSERT OR IGNORE INTO state_keys(type, state_key) VALUES(?, ?)", key.type, key.state_key).run();
    Query(connection_,
          "INSERT OR REPLACE INTO state_changes SELECT ?, ?, nid, ? FROM state_keys WHERE type = ? AND state_key = ?",
          room_, *position_, id.str(), key.type, key.state_key)
        .run();
    if (key.type != "m.room.member") return;
    const auto user = UserId::parse(key.state_key);
    if (!user) return;
    const std::string membership = id.empty() ? "leave" : membership_of(id);
    Query(connection_,
          "INSERT INTO memberships(room, user, server, membership, event_id, position) VALUES(?, ?, ?, ?, ?, ?) "
          "ON CONFLICT(room, user) DO UPDATE SET membership = excluded.membership, event_id = excluded.event_id, "
          "position = excluded.position, forgotten = 0",
          room_, user->str(), user->server().str(), membership, id.str(), *position_)
        .run();
    move_server(user->server());
  }

  std::string membership_of(const EventId& id) {
    if (id == event_.id()) return std::string(event_.membership());
    Query stored(connection_, "SELECT json FROM events WHERE event_id = ?", id.str());
    if (!stored.next()) return "leave";
    auto event = Event::from_stored(id, stored.text(0));
    return event ? std::string((*event)->membership()) : "leave";
  }

  // A server is in the room as long as one of its users is; the event by which its last one goes is still for it.
  void move_server(const ServerName& server) {
    if (server == us_) return;
    Query joined(connection_, "SELECT 1 FROM memberships WHERE room = ? AND server = ? AND membership = 'join' LIMIT 1",
                 room_, server.str());
    const bool is_in = joined.next();
    Query open(connection_, "SELECT first FROM server_stretches WHERE server = ? AND room = ? AND last IS NULL",
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
    }
  }

  WriteContext& context_;
  Connection& connection_;
  const EventCommit& commit_;
  const Event& event_;
  const ServerName& us_;
  std::int64_t room_ = 0;
  std::optional<std::int64_t> nid_;
  std::optional<StreamPosition> position_;
  std::int64_t place_ = 0;
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

void SqliteRoomStore::commit(EventCommit commit, Committed done) {
  std::vector<EventCommit> one;
  one.push_back(std::move(commit));
  commit_all(std::move(one), std::move(done));
}

void SqliteRoomStore::commit_all(std::vector<EventCommit> commits, Committed done) {
  if (commits.empty()) return done(StreamPosition{0});
  const RoomId room = commits.front().event->room_id();
  for (EventCommit& commit : commits) {
    const bool makes_state =
        commit.event->is_state() && commit.judgement.verdict == Verdict::accepted && !commit.outlier;
    if (!makes_state || commit.state_after) continue;
    auto made = make_state(room, commit.state_before,
                           {{{commit.event->type(), *commit.event->state_key()}, commit.event->id()}});
    if (!made) return done(tl::make_unexpected(made.error()));
    commit.state_after = *made;
  }
  auto shared = std::make_shared<const std::vector<EventCommit>>(std::move(commits));
  writer_.submit(
      room,
      [this, shared](WriteContext& context) -> Result<StreamPosition> {
        StreamPosition last = 0;
        for (const EventCommit& commit : *shared) {
          auto position = EventWriter(context, commit, us_).write();
          if (!position) return position;
          last = std::max(last, *position);
        }
        return last;
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

}  // namespace skerry::storage
