#include "storage/sqlite/schema.h"

namespace skerry::storage {

namespace {

constexpr int application_id = 0x736b7279;  // "skry"

// Never edit one that was released: add another. Integer row ids inside; ids of Matrix are text at the interface only,
// except where a row may name an event that is not stored (states, memberships).
constexpr const char* migrations[] = {
    R"sql(
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('reserved_position', 0), ('backfill_order', 0);

CREATE TABLE rooms(
  nid INTEGER PRIMARY KEY,
  room_id TEXT NOT NULL UNIQUE,
  version TEXT NOT NULL,
  create_event TEXT NOT NULL DEFAULT '',
  published INTEGER NOT NULL DEFAULT 0,
  heads TEXT NOT NULL DEFAULT '',          -- event ids, separated by blanks
  current_state INTEGER NOT NULL DEFAULT 0,
  depth INTEGER NOT NULL DEFAULT 0,
  last_distributed INTEGER NOT NULL DEFAULT 0);  -- position of the last event handed on to other servers

CREATE TABLE events(
  nid INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL UNIQUE,
  room INTEGER NOT NULL,
  verdict INTEGER NOT NULL,                -- 0 accepted, 1 soft-failed, 2 rejected
  outlier INTEGER NOT NULL,
  distribute INTEGER NOT NULL,             -- handed on to the other servers of the room
  origin TEXT,                             -- of those: the server that sent it through us; NULL: our own
  position INTEGER,                        -- of the live stream
  depth INTEGER NOT NULL,
  place INTEGER NOT NULL,                  -- order of arrival; negative when backfilled
  state_before INTEGER NOT NULL,
  state_after INTEGER NOT NULL,
  auth TEXT,                               -- row ids of its auth_events, separated by blanks; NULL: one was absent
  rule TEXT, reason TEXT, redacted_by TEXT, transaction_id TEXT, transaction_device TEXT,
  json TEXT NOT NULL);
CREATE INDEX events_live ON events(room, position) WHERE position IS NOT NULL AND verdict = 0;
CREATE INDEX events_history ON events(room, depth, place) WHERE outlier = 0 AND verdict = 0;
CREATE INDEX events_distribute ON events(position) WHERE distribute = 1 AND position IS NOT NULL;

CREATE TABLE missing_events(event_id TEXT PRIMARY KEY, room INTEGER NOT NULL, depth INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX missing_events_room ON missing_events(room, depth);
CREATE TABLE redactions(target TEXT NOT NULL, redaction TEXT NOT NULL, PRIMARY KEY(target, redaction)) WITHOUT ROWID;
CREATE TABLE client_transactions(key BLOB PRIMARY KEY, event_id TEXT NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE state_keys(nid INTEGER PRIMARY KEY, type TEXT NOT NULL, state_key TEXT NOT NULL, UNIQUE(type, state_key));
CREATE TABLE states(
  id INTEGER PRIMARY KEY,
  line INTEGER NOT NULL,                   -- the first state of its line (room_state.cc)
  base INTEGER NOT NULL,                   -- 0: a whole copy
  since_copy INTEGER NOT NULL,             -- changes since the last whole copy
  copy_size INTEGER NOT NULL);             -- entries of that copy
CREATE TABLE state_entries(
  line INTEGER NOT NULL, key INTEGER NOT NULL, state INTEGER NOT NULL,
  event_id TEXT NOT NULL,                  -- '': removed
  PRIMARY KEY(line, key, state)) WITHOUT ROWID;
CREATE TABLE state_changes(
  room INTEGER NOT NULL, position INTEGER NOT NULL, key INTEGER NOT NULL, event_id TEXT NOT NULL,
  PRIMARY KEY(room, position, key)) WITHOUT ROWID;

CREATE TABLE memberships(
  room INTEGER NOT NULL, user TEXT NOT NULL, server TEXT NOT NULL, membership TEXT NOT NULL, event_id TEXT NOT NULL,
  position INTEGER NOT NULL, forgotten INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(room, user)) WITHOUT ROWID;
CREATE INDEX memberships_user ON memberships(user);
CREATE INDEX memberships_server ON memberships(room, server, membership);
-- The stretches of the stream during which a server had a joined user in a room; last is NULL while it has.
CREATE TABLE server_stretches(
  server TEXT NOT NULL, room INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER,
  PRIMARY KEY(server, room, first)) WITHOUT ROWID;
CREATE INDEX server_stretches_room ON server_stretches(room, last);
CREATE TABLE aliases(alias TEXT PRIMARY KEY, room TEXT NOT NULL, creator TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX aliases_room ON aliases(room);
CREATE TABLE stripped_invites(
  user TEXT NOT NULL, room TEXT NOT NULL, room_version TEXT NOT NULL, membership TEXT NOT NULL, event TEXT NOT NULL,
  state TEXT NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY(user, room)) WITHOUT ROWID;

CREATE TABLE users(user TEXT PRIMARY KEY, password_hash TEXT NOT NULL, created_ms INTEGER NOT NULL, admin INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE devices(
  user TEXT NOT NULL, device TEXT NOT NULL, display_name TEXT NOT NULL, last_seen_ms INTEGER NOT NULL,
  PRIMARY KEY(user, device)) WITHOUT ROWID;
CREATE TABLE tokens(hash TEXT PRIMARY KEY, user TEXT NOT NULL, device TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX tokens_device ON tokens(user, device);
CREATE TABLE profiles(user TEXT PRIMARY KEY, display_name TEXT NOT NULL, avatar_url TEXT NOT NULL, fields TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE filters(id INTEGER PRIMARY KEY, user TEXT NOT NULL, filter TEXT NOT NULL, UNIQUE(user, filter));
CREATE TABLE account_data(
  user TEXT NOT NULL, room TEXT NOT NULL, type TEXT NOT NULL, content TEXT NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY(user, room, type)) WITHOUT ROWID;
CREATE INDEX account_data_position ON account_data(user, position);
CREATE TABLE receipts(
  room TEXT NOT NULL, user TEXT NOT NULL, type TEXT NOT NULL, thread TEXT NOT NULL, event_id TEXT NOT NULL, ts_ms INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY(room, user, type, thread)) WITHOUT ROWID;
CREATE INDEX receipts_position ON receipts(room, position);

CREATE TABLE server_keys(
  server TEXT NOT NULL, key_id TEXT NOT NULL, key TEXT NOT NULL, valid_until_ms INTEGER NOT NULL, old INTEGER NOT NULL,
  PRIMARY KEY(server, key_id)) WITHOUT ROWID;
CREATE TABLE server_key_responses(server TEXT PRIMARY KEY, response TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE destinations(
  server TEXT PRIMARY KEY, sent_up_to INTEGER NOT NULL, retry_at_ms INTEGER NOT NULL, backoff_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE edus(id INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL, edu TEXT NOT NULL);
CREATE INDEX edus_server ON edus(server, id);
CREATE TABLE inbound_transactions(
  nid INTEGER PRIMARY KEY AUTOINCREMENT, origin TEXT NOT NULL, transaction_id TEXT NOT NULL, response TEXT NOT NULL,
  UNIQUE(origin, transaction_id));
)sql",
    // Who cites a state event, for state resolution (room_auth_chain.cc). Rows of events; that rejected ones of before
    // are among them does no harm.
    R"sql(
CREATE TABLE auth_citations(cited INTEGER NOT NULL, citing INTEGER NOT NULL, PRIMARY KEY(cited, citing)) WITHOUT ROWID;
CREATE TABLE awaited_auth_events(
  event_id TEXT NOT NULL,                  -- not stored
  citing INTEGER NOT NULL, PRIMARY KEY(event_id, citing)) WITHOUT ROWID;
INSERT INTO auth_citations
  SELECT DISTINCT cited.value, events.nid FROM events, json_each('[' || replace(events.auth, ' ', ',') || ']') cited
  WHERE events.auth IS NOT NULL AND json_valid(events.json) AND json_type(events.json, '$.state_key') IS NOT NULL;
CREATE TEMP TABLE named(event_id TEXT NOT NULL, citing INTEGER NOT NULL);
INSERT INTO named
  SELECT CASE cited.type WHEN 'array' THEN json_extract(cited.value, '$[0]') ELSE cited.value END, events.nid
  FROM events, json_each(CASE WHEN json_valid(events.json) THEN events.json ELSE '{}' END, '$.auth_events') cited
  WHERE events.auth IS NULL AND json_valid(events.json) AND json_type(events.json, '$.state_key') IS NOT NULL;
INSERT OR IGNORE INTO auth_citations SELECT nid, citing FROM named JOIN events USING(event_id);
INSERT OR IGNORE INTO awaited_auth_events
  SELECT event_id, citing FROM named WHERE event_id NOT IN (SELECT event_id FROM events);
DROP TABLE named;
)sql",
    // Who relates to whom (relation_store.cc): accepted events with a place that were not redacted.
    R"sql(
CREATE TABLE relations(
  room INTEGER NOT NULL, parent TEXT NOT NULL,  -- an event id, stored or not
  child_depth INTEGER NOT NULL, child_place INTEGER NOT NULL,
  child INTEGER NOT NULL, rel_type TEXT NOT NULL, type TEXT NOT NULL, sender TEXT NOT NULL,
  annotation TEXT,                              -- the key of an m.annotation
  PRIMARY KEY(room, parent, child_depth, child_place)) WITHOUT ROWID;
CREATE INDEX relations_sender ON relations(room, parent, sender, rel_type);
CREATE TABLE threads(
  room INTEGER NOT NULL, root TEXT NOT NULL, depth INTEGER NOT NULL, place INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY(room, root)) WITHOUT ROWID;
CREATE INDEX threads_latest ON threads(room, depth, place);
INSERT INTO relations SELECT room, parent, depth, place, nid, rel_type, type, sender,
    CASE rel_type WHEN 'm.annotation' THEN coalesce(key, '') END FROM (
  SELECT room, depth, place, nid,
    json_extract(json, '$.content."m.relates_to".event_id') parent, json_extract(json, '$.type') type,
    json_extract(json, '$.content."m.relates_to".rel_type') rel_type, json_extract(json, '$.sender') sender,
    json_extract(json, '$.content."m.relates_to".key') key
  FROM events WHERE verdict = 0 AND outlier = 0 AND redacted_by IS NULL AND instr(json, '"rel_type"') > 0 AND json_valid(json))
  WHERE typeof(parent) = 'text' AND substr(parent, 1, 1) = '$' AND typeof(rel_type) = 'text';
INSERT INTO threads SELECT room, parent, child_depth, max(child_place), n FROM relations JOIN (
    SELECT room, parent, max(child_depth) child_depth, count(*) n FROM relations WHERE rel_type = 'm.thread' GROUP BY room, parent)
  USING(room, parent, child_depth) WHERE rel_type = 'm.thread' GROUP BY room, parent;

-- What is indexed when someone looks for it (event_index.cc): events up to this row.
INSERT INTO meta VALUES('indexed_events', 0);
CREATE VIRTUAL TABLE event_texts USING fts5(body, name, topic, content='');  -- by events.nid
CREATE TABLE event_times(
  room INTEGER NOT NULL, ts_ms INTEGER NOT NULL, nid INTEGER NOT NULL, PRIMARY KEY(room, ts_ms, nid)) WITHOUT ROWID;

CREATE TABLE media(
  origin TEXT NOT NULL, media_id TEXT NOT NULL,
  hash TEXT NOT NULL,                           -- names the file; '': the upload is awaited
  size INTEGER NOT NULL, content_type TEXT NOT NULL, file_name TEXT NOT NULL, uploader TEXT, created_ms INTEGER NOT NULL,
  PRIMARY KEY(origin, media_id)) WITHOUT ROWID;
CREATE INDEX media_uploader ON media(uploader) WHERE uploader IS NOT NULL;
CREATE INDEX media_cached ON media(created_ms) WHERE uploader IS NULL;
CREATE INDEX media_hash ON media(hash);

ALTER TABLE users ADD COLUMN deactivated INTEGER NOT NULL DEFAULT 0;
CREATE TABLE passes(
  kind INTEGER NOT NULL,                        -- 0 OpenID, 1 login
  hash TEXT NOT NULL, user TEXT NOT NULL, expires_ms INTEGER NOT NULL, PRIMARY KEY(kind, hash)) WITHOUT ROWID;
CREATE TABLE reports(
  id INTEGER PRIMARY KEY, reporter TEXT NOT NULL, room TEXT NOT NULL, event TEXT NOT NULL, user TEXT NOT NULL,
  reason TEXT NOT NULL, score INTEGER NOT NULL, ts_ms INTEGER NOT NULL);
)sql",
    // Who can be told that a knock is taken back: newer room ids name no server.
    R"sql(
ALTER TABLE stripped_invites ADD COLUMN via TEXT NOT NULL DEFAULT '';
)sql",
    // Application services (appservice_store.cc).
    R"sql(
CREATE TABLE appservices(
  id TEXT PRIMARY KEY, name TEXT NOT NULL, serial INTEGER NOT NULL, sent_up_to INTEGER NOT NULL,
  pending_up_to INTEGER NOT NULL, pending TEXT NOT NULL) WITHOUT ROWID;  -- positions, separated by blanks
CREATE TABLE appservice_rooms(
  id TEXT NOT NULL, network TEXT NOT NULL, room TEXT NOT NULL, PRIMARY KEY(id, network, room)) WITHOUT ROWID;
CREATE INDEX stripped_invites_position ON stripped_invites(position);
)sql",
    // Access tokens that expire, and a refresh token beside each of those.
    R"sql(
ALTER TABLE tokens ADD COLUMN expires_ms INTEGER;                 -- NULL: never
ALTER TABLE tokens ADD COLUMN refresh_hash TEXT;                  -- NULL: none
ALTER TABLE tokens ADD COLUMN offered INTEGER NOT NULL DEFAULT 0; -- not used yet: the later, the higher; 0: in use
CREATE UNIQUE INDEX tokens_refresh ON tokens(refresh_hash) WHERE refresh_hash IS NOT NULL;
)sql",
    // Accounts that administrators moderate.
    R"sql(
ALTER TABLE users ADD COLUMN locked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0;
)sql"};

// The version of the tables, 0 in a new file. Errors: storage (made by a newer program, or by another).
Result<int> read_version(SQLite::Database& database, std::size_t newest_known) {
  const int newest = static_cast<int>(newest_known);
  const int made_by = database.execAndGet("PRAGMA application_id").getInt();
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (made_by != 0 && made_by != application_id)
    return fail(ErrorCode::storage, "the database belongs to another program");
  if (version > newest) {
    return fail(ErrorCode::storage, "the database was made by a newer version of this program (schema " +
                                        std::to_string(version) + ", this program knows " + std::to_string(newest) +
                                        "): use that one");
  }
  return version;
}

}  // namespace

Result<void> check_version(Connection& connection) {
  const int newest = static_cast<int>(std::size(migrations));
  const auto version = read_version(connection.database(), std::size(migrations));
  if (!version) return tl::make_unexpected(version.error());
  if (*version == newest) return {};
  return fail(ErrorCode::storage, "the database was made by an older version of this program (schema " +
                                      std::to_string(*version) + ", this program has " + std::to_string(newest) +
                                      "): start the server once, which brings it up to date");
}

Result<void> migrate(Connection& connection) {
  return migrate(connection, {std::begin(migrations), std::end(migrations)});
}

Result<void> migrate(Connection& connection, const std::vector<const char*>& steps) {
  SQLite::Database& database = connection.database();
  const int newest = static_cast<int>(steps.size());
  const auto version = read_version(database, steps.size());
  if (!version) return tl::make_unexpected(version.error());
  if (*version == newest) return {};
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  for (int step = *version; step < newest; ++step) database.exec(steps[static_cast<std::size_t>(step)]);
  database.exec("PRAGMA application_id=" + std::to_string(application_id));
  database.exec("PRAGMA user_version=" + std::to_string(newest));
  transaction.commit();
  return {};
}

}  // namespace skerry::storage
