// Looks for what must not be in a database. Everything is read in one snapshot, so a running server does not matter.
#include <filesystem>
#include <set>
#include <sqlite3.h>
#include <sstream>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "core/event.h"
#include "core/room_rules.h"
#include "storage/maintenance.h"
#include "storage/sqlite/room_store.h"
#include "storage/sqlite/schema.h"

namespace skerry::storage {

namespace {

constexpr std::size_t most_findings = 100;

// A question whose every answer is something wrong: its first column says what, the sentence goes on from there.
struct Question {
  const char* sql;
  const char* sentence;
};

constexpr Question questions[] = {
    // rooms
    {"SELECT room_id FROM rooms WHERE heads <> '' AND NOT EXISTS "
     "(SELECT 1 FROM events WHERE event_id = create_event AND room = rooms.nid)",
     "is a room whose create event is not stored"},
    {"SELECT room_id FROM rooms WHERE heads = '' AND EXISTS "
     "(SELECT 1 FROM events WHERE room = rooms.nid AND position IS NOT NULL AND verdict = 0)",
     "is a room with events and no head"},
    {"SELECT room_id FROM rooms WHERE current_state <> 0 AND current_state NOT IN (SELECT id FROM states)",
     "is a room whose current state is not stored"},
    // events
    {"SELECT event_id FROM events WHERE room NOT IN (SELECT nid FROM rooms)", "is an event of no room"},
    {"SELECT event_id FROM events WHERE outlier = 0 AND ((state_before <> 0 AND state_before NOT IN "
     "(SELECT id FROM states)) OR (state_after <> 0 AND state_after NOT IN (SELECT id FROM states)))",
     "is an event whose state is not stored"},
    {"SELECT event_id FROM events WHERE outlier = 1 AND position IS NOT NULL",
     "has a position, though its place in its room is not known"},
    {"SELECT event_id FROM events WHERE outlier = 0 AND ((position IS NULL AND place >= 0) OR position <> place)",
     "is an event whose position and order of arrival contradict each other"},
    {"SELECT min(event_id) FROM events WHERE position IS NOT NULL GROUP BY position HAVING count(*) > 1",
     "has a position that another event has as well"},
    {"SELECT missing.event_id FROM missing_events missing JOIN events USING(event_id) WHERE outlier = 0",
     "is noted as missing, and is there"},
    {"SELECT target FROM redactions WHERE redaction NOT IN (SELECT event_id FROM events)",
     "is redacted by an event that is not stored"},
    {"SELECT event_id FROM client_transactions WHERE event_id NOT IN (SELECT event_id FROM events)",
     "answers a client's transaction, and is not stored"},
    {"SELECT DISTINCT citing FROM auth_citations WHERE cited NOT IN (SELECT nid FROM events) OR citing NOT IN "
     "(SELECT nid FROM events)",
     "is a row that is noted for a citation, of which an event is not stored"},
    {"SELECT event_id FROM awaited_auth_events JOIN events USING(event_id)",
     "is noted as absent where it is cited, and is there"},
    // relations
    {"SELECT parent FROM relations WHERE NOT EXISTS (SELECT 1 FROM events WHERE nid = child AND room = relations.room "
     "AND depth = child_depth AND place = child_place AND redacted_by IS NULL)",
     "has a relation to it noted that does not hold"},
    {"SELECT root FROM threads t WHERE count <> (SELECT count(*) FROM relations r WHERE r.room = t.room AND parent = "
     "root AND rel_type = 'm.thread')",
     "is the root of a thread whose events were counted wrongly"},
    // states
    {"SELECT id FROM states WHERE base <> 0 AND base NOT IN (SELECT id FROM states)",
     "is a state whose base is not stored"},
    {"SELECT id FROM states WHERE base >= id OR line > id", "is a state that builds on a later one"},
    {"SELECT id FROM states WHERE line NOT IN (SELECT id FROM states)", "is a state of no line"},
    {"SELECT DISTINCT line FROM state_entries WHERE state NOT IN (SELECT id FROM states)",
     "is a line of states with entries of one that is not stored"},
    {"SELECT DISTINCT line FROM state_entries WHERE key NOT IN (SELECT nid FROM state_keys)",
     "is a line of states with a key that is not stored"},
    // memberships and who is owed what
    {"SELECT server FROM server_stretches WHERE last IS NULL GROUP BY server, room HAVING count(*) > 1",
     "is a server that is in a room twice"},
    {"SELECT server FROM server_stretches WHERE last < first", "is a server that left a room before it came"},
    {"SELECT DISTINCT server FROM server_stretches s WHERE last IS NULL AND NOT EXISTS "
     "(SELECT 1 FROM memberships m WHERE m.room = s.room AND m.server = s.server AND membership = 'join')",
     "is a server that is owed a room's events, and has nobody in it"},
    // accounts
    {"SELECT user FROM devices WHERE user NOT IN (SELECT user FROM users)", "has a device and no account"},
    {"SELECT user || ' ' || device FROM tokens t WHERE NOT EXISTS "
     "(SELECT 1 FROM devices d WHERE d.user = t.user AND d.device = t.device)",
     "has a token and no device"},
};

// What has positions: none may lie behind what was reserved.
constexpr Question positions[] = {
    {"SELECT max(position) FROM events", "events"},
    {"SELECT max(last_distributed) FROM rooms", "rooms"},
    {"SELECT max(position) FROM client_transactions", "client transactions"},
    {"SELECT max(position) FROM state_changes", "state changes"},
    {"SELECT max(position) FROM memberships", "memberships"},
    {"SELECT max(max(first), max(coalesce(last, 0))) FROM server_stretches", "server stretches"},
    {"SELECT max(position) FROM stripped_invites", "invitations"},
    {"SELECT max(position) FROM account_data", "account data"},
    {"SELECT max(position) FROM receipts", "receipts"},
    {"SELECT max(sent_up_to) FROM destinations", "destinations' cursors"},
};

class Check {
 public:
  explicit Check(Connection& connection) : connection_(connection) {}

  DatabaseReport run() {
    check_file();
    if (!report_.findings.empty()) return report_;  // the tables cannot be trusted to be read
    for (const Question& question : questions) ask(question);
    check_positions();
    check_events();
    check_rooms();
    return report_;
  }

 private:
  void found(const std::string& sentence) {
    if (report_.findings.size() < most_findings) report_.findings.push_back(sentence);
  }

  void check_file() {
    Query query(connection_, "PRAGMA integrity_check(20)");
    while (query.next()) {
      if (query.text(0) != "ok") found("the file is damaged: " + query.text(0));
    }
  }

  void ask(const Question& question) {
    Query query(connection_, question.sql);
    while (report_.findings.size() < most_findings && query.next()) found(query.text(0) + " " + question.sentence);
  }

  void check_positions() {
    Query meta(connection_, "SELECT value FROM meta WHERE name = 'reserved_position'");
    if (!meta.next()) return found("it is not noted which positions are reserved");
    const StreamPosition reserved = meta.integer(0);
    for (const Question& question : positions) {
      Query query(connection_, question.sql);
      if (!query.next() || query.is_null(0) || query.integer(0) <= reserved) continue;
      found("position " + std::to_string(query.integer(0)) + ", of the " + question.sentence +
            ", lies behind the last one that was reserved (" + std::to_string(reserved) + ")");
    }
  }

  // Each event is what its id says, and cites rows that are there.
  void check_events() {
    std::unordered_set<std::int64_t> rows;
    Query all(connection_, "SELECT nid FROM events");
    while (all.next()) rows.insert(all.integer(0));
    report_.events = static_cast<std::int64_t>(rows.size());
    Query query(connection_,
                "SELECT event_id, json, version, auth, events.nid, verdict FROM events JOIN rooms ON rooms.nid = "
                "events.room");
    while (query.next()) {
      const bool counts = check_text(query.text(0), query.text(1), query.text(2)) && query.integer(5) != 2;
      if (query.is_null(3)) continue;
      std::istringstream cited(query.text(3));
      for (std::int64_t row = 0; cited >> row;) {
        if (!rows.contains(row)) {
          found(query.text(0) + " cites an event that is not stored");
        } else if (counts && !is_noted(row, query.integer(4))) {
          found(query.text(0) + " cites an event whose row does not lead to it");
        }
      }
    }
  }

  bool is_noted(std::int64_t cited, std::int64_t citing) {
    Query query(connection_, "SELECT 1 FROM auth_citations WHERE cited = ? AND citing = ?", cited, citing);
    return query.next();
  }

  // True for a state event.
  bool check_text(const std::string& id, const std::string& text, const std::string& version) {
    const RoomRules* rules = find_room_rules(version);
    if (rules == nullptr) {
      found(id + " belongs to a room of version " + version + ", which is not known");
      return false;
    }
    const auto pdu = parse_stored(text);
    const auto hashed = pdu ? event_id_of(*rules, *pdu) : tl::make_unexpected(pdu.error());
    // What is not under the id's hash is under the content's, unless only the redacted form came.
    const bool is_whole =
        hashed && hashed->str() == id && (has_its_content(*rules, *pdu) || *pdu == redact(*rules, *pdu));
    if (!is_whole) found(id + " is an event whose text is another one's, or damaged");
    return pdu && pdu->contains("state_key");
  }

  static bool has_its_content(const RoomRules& rules, const Json& pdu) {
    const Json* hashes = find_object(pdu, "hashes");
    const std::string* noted = hashes != nullptr ? find_string(*hashes, "sha256") : nullptr;
    const auto hash = content_hash(rules, pdu);
    return noted != nullptr && hash && *hash == *noted;
  }

  void check_rooms() {
    struct Row {
      std::int64_t nid;
      std::string room;
      std::string heads;
      StateId state;
    };
    std::vector<Row> rows;
    Query query(connection_, "SELECT nid, room_id, heads, current_state FROM rooms");
    while (query.next()) rows.push_back({query.integer(0), query.text(1), query.text(2), query.integer(3)});
    report_.rooms = static_cast<std::int64_t>(rows.size());
    for (const Row& row : rows) {
      std::istringstream heads(row.heads);
      for (std::string head; heads >> head;) check_head(row.nid, row.room, head);
      if (state_is_written(connection_, row.state)) check_state(row.nid, row.room, row.state);
    }
  }

  void check_head(std::int64_t room, const std::string& name, const std::string& head) {
    Query query(connection_, "SELECT 1 FROM events WHERE event_id = ? AND room = ? AND outlier = 0 AND verdict = 0",
                head, room);
    if (!query.next()) found(head + " is a head of " + name + ", and is not stored as an event of it");
  }

  // The current state's events are stored, and who is in the room by it is in the room by the memberships.
  void check_state(std::int64_t room, const std::string& name, StateId id) {
    std::set<std::string> joined;
    for (const auto& [key, event] : stored_state(connection_, id)) {
      Query stored(connection_, "SELECT json FROM events WHERE event_id = ?", event.str());
      if (!stored.next()) {
        found(event.str() + " is in the current state of " + name + ", and is not stored");
        continue;
      }
      if (key.type != "m.room.member") continue;
      const auto member = Event::from_stored(event, stored.text(0));
      if (member && (*member)->membership() == "join") joined.insert(key.state_key);
    }
    std::set<std::string> noted;
    Query members(connection_, "SELECT user FROM memberships WHERE room = ? AND membership = 'join'", room);
    while (members.next()) noted.insert(members.text(0));
    if (joined != noted) found(name + " has other members by its current state than by its list of members");
  }

  Connection& connection_;
  DatabaseReport report_;
};

}  // namespace

Result<DatabaseReport> check_sqlite(const std::string& folder) {
  const std::string file = folder + "/homeserver.db";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return fail(ErrorCode::storage, "there is no database " + file);
  try {
    Connection connection(file, Connection::Mode::read);
    connection.keep_log();
    Snapshot snapshot(connection);
    if (auto known = check_version(connection); !known)
      return fail(ErrorCode::storage, file + ": " + known.error().text);
    return Check(connection).run();
  } catch (const SQLite::Exception& failed) {
    if (failed.getErrorCode() == SQLITE_CORRUPT) {
      return DatabaseReport{0, 0, {std::string("the file is damaged: ") + failed.what()}};
    }
    return fail(ErrorCode::storage, file + " cannot be read: " + failed.what());
  }
}

}  // namespace skerry::storage
