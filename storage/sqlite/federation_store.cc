#include "storage/sqlite/federation_store.h"

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

// Answers to inbound transactions, per origin. A server repeats its last one only, until it is answered.
constexpr int kept_transactions = 100;

// What a server is owed: marked events inside its stretches, but not what it sent through us itself. `?1` server, `?2`
// after. In the order of the stream, so that a server that is nearly up to date costs little, however many rooms it is
// in.
#define SKERRY_OWED                                                                                              \
  " FROM events CROSS JOIN server_stretches s ON s.server = ?1 AND s.room = events.room AND s.first <= position" \
  " AND (s.last IS NULL OR s.last >= position) CROSS JOIN rooms ON rooms.nid = events.room"                      \
  " WHERE distribute = 1 AND position IS NOT NULL AND position > ?2 AND verdict = 0"                             \
  " AND (origin IS NULL OR origin <> ?1)"

// Up to where everything owed was acknowledged. Nothing is owed from before the server's first stretch.
StreamPosition cursor_of(Connection& connection, const std::string& server) {
  Query query(connection,
              "SELECT max(coalesce((SELECT sent_up_to FROM destinations WHERE server = ?1), 0), "
              "coalesce((SELECT min(first) - 1 FROM server_stretches WHERE server = ?1), 0))",
              server);
  query.next();
  return query.integer(0);
}

}  // namespace

Result<void> SqliteFederationStore::save_server_keys(const ServerName& server, const std::vector<StoredServerKey>& keys,
                                                     const std::string& response_json) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    for (const StoredServerKey& key : keys) {
      const std::string bytes(reinterpret_cast<const char*>(key.key.data()), key.key.size());
      Query(
          connection,
          "INSERT INTO server_keys VALUES(?, ?, ?, ?, ?) ON CONFLICT(server, key_id) DO UPDATE SET key = excluded.key, "
          "valid_until_ms = excluded.valid_until_ms, old = excluded.old "
          "WHERE excluded.old > old OR (excluded.old = old AND excluded.valid_until_ms >= valid_until_ms)",
          server.str(), key.key_id.str(), base64_encode(bytes), key.valid_until_ms, key.old)
          .run();
    }
    if (!response_json.empty()) {
      Query(connection, "INSERT OR REPLACE INTO server_key_responses VALUES(?, ?)", server.str(), response_json).run();
    }
    return {};
  });
}

Result<std::vector<StoredServerKey>> SqliteFederationStore::server_keys(const ServerName& server) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<StoredServerKey>> {
    std::vector<StoredServerKey> list;
    Query query(connection, "SELECT key_id, key, valid_until_ms, old FROM server_keys WHERE server = ?", server.str());
    while (query.next()) {
      StoredServerKey key;
      key.key_id = stored_id<KeyId>(query.text(0));
      const auto bytes = base64_decode(query.text(1));
      if (!bytes || bytes->size() != key.key.size()) continue;
      std::copy(bytes->begin(), bytes->end(), key.key.begin());
      key.valid_until_ms = query.integer(2);
      key.old = query.integer(3) != 0;
      list.push_back(key);
    }
    return list;
  });
}

Result<std::optional<std::string>> SqliteFederationStore::server_keys_response(const ServerName& server) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<std::string>> {
    Query query(connection, "SELECT response FROM server_key_responses WHERE server = ?", server.str());
    return query.next() ? std::optional(query.text(0)) : std::nullopt;
  });
}

Destination stored_destination(Connection& connection, const ServerName& server) {
  Destination destination;
  destination.server = server;
  destination.sent_up_to = cursor_of(connection, server.str());
  Query query(connection, "SELECT retry_at_ms, backoff_ms FROM destinations WHERE server = ?", server.str());
  if (query.next()) {
    destination.retry_at_ms = query.integer(0);
    destination.backoff_ms = query.integer(1);
  }
  return destination;
}

Result<Destination> SqliteFederationStore::destination(const ServerName& server) {
  return readers_.read(
      [&](Connection& connection) -> Result<Destination> { return stored_destination(connection, server); });
}

Result<std::vector<ServerName>> SqliteFederationStore::servers_owed() {
  return readers_.read([&](Connection& connection) -> Result<std::vector<ServerName>> {
    Snapshot snapshot(connection);
    std::vector<ServerName> servers;
    // Most servers are up to date: their rooms tell so without a look at the events.
    Query query(
        connection,
        "SELECT server, 1 FROM edus UNION SELECT s.server, 0 FROM server_stretches s JOIN rooms ON s.room = nid "
        "LEFT JOIN destinations d ON d.server = s.server WHERE last_distributed >= s.first "
        "AND last_distributed > coalesce(sent_up_to, 0) AND (s.last IS NULL OR s.last > coalesce(sent_up_to, 0)) "
        "ORDER BY 1, 2 DESC");
    while (query.next()) {
      auto server = stored_id<ServerName>(query.text(0));
      if (!servers.empty() && servers.back() == server) continue;
      bool owed = query.integer(1) != 0;
      if (!owed) {
        Query event(connection, "SELECT 1" SKERRY_OWED " LIMIT 1", server.str(), cursor_of(connection, server.str()));
        owed = event.next();
      }
      if (owed) servers.push_back(std::move(server));
    }
    return servers;
  });
}

Result<std::vector<FederationStore::Owed>> SqliteFederationStore::owed_events(const ServerName& server,
                                                                              StreamPosition after, std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Owed>> {
    std::vector<Owed> list;
    Query query(connection, "SELECT position, event_id, json, room_id" SKERRY_OWED " ORDER BY position LIMIT ?3",
                server.str(), after, limit);
    while (query.next()) {
      list.push_back(
          {query.integer(0), stored_id<EventId>(query.text(1)), stored_id<RoomId>(query.text(3)), query.text(2)});
    }
    return list;
  });
}

void SqliteFederationStore::save_cursor(const ServerName& server, StreamPosition sent_up_to, Saved done) {
  writer_.submit_lazily(
      [=](Connection& connection) -> Result<void> {
        Query(connection,
              "INSERT INTO destinations VALUES(?, ?, 0, 0) ON CONFLICT(server) DO UPDATE SET "
              "sent_up_to = max(sent_up_to, excluded.sent_up_to), retry_at_ms = 0, backoff_ms = 0",
              server.str(), sent_up_to)
            .run();
        return {};
      },
      std::move(done));
}

Result<void> SqliteFederationStore::save_retry(const ServerName& server, std::int64_t retry_at_ms,
                                               std::int64_t backoff_ms) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection,
          "INSERT INTO destinations VALUES(?, 0, ?, ?) ON CONFLICT(server) DO UPDATE SET "
          "retry_at_ms = excluded.retry_at_ms, backoff_ms = excluded.backoff_ms",
          server.str(), retry_at_ms, backoff_ms)
        .run();
    return {};
  });
}

Result<void> SqliteFederationStore::add_edus(const std::vector<ServerName>& servers, const std::string& edu_json) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    for (const ServerName& server : servers) {
      Query(connection, "INSERT INTO edus(server, edu) VALUES(?, ?)", server.str(), edu_json).run();
    }
    return {};
  });
}

Result<std::vector<OutboxEdu>> SqliteFederationStore::edus(const ServerName& server, std::size_t limit) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<OutboxEdu>> {
    std::vector<OutboxEdu> list;
    Query query(connection, "SELECT id, edu FROM edus WHERE server = ? ORDER BY id LIMIT ?", server.str(), limit);
    while (query.next()) list.push_back({query.integer(0), query.text(1)});
    return list;
  });
}

Result<void> SqliteFederationStore::remove_edus(const ServerName& server, std::int64_t up_to_id) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "DELETE FROM edus WHERE server = ? AND id <= ?", server.str(), up_to_id).run();
    return {};
  });
}

Result<std::optional<std::string>> SqliteFederationStore::transaction_response(const ServerName& origin,
                                                                               const std::string& transaction_id) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<std::string>> {
    Query query(connection, "SELECT response FROM inbound_transactions WHERE origin = ? AND transaction_id = ?",
                origin.str(), transaction_id);
    return query.next() ? std::optional(query.text(0)) : std::nullopt;
  });
}

void SqliteFederationStore::save_transaction_response(const ServerName& origin, const std::string& transaction_id,
                                                      const std::string& response_json, Saved done) {
  writer_.submit_lazily(
      [=](Connection& connection) -> Result<void> {
        Query(connection,
              "INSERT OR REPLACE INTO inbound_transactions(origin, transaction_id, response) VALUES(?, ?, ?)",
              origin.str(), transaction_id, response_json)
            .run();
        const std::int64_t newest = connection.database().getLastInsertRowid();
        if (newest % 16 != 0) return {};  // now and then is enough
        Query(connection,
              "DELETE FROM inbound_transactions WHERE origin = ?1 AND nid <= "
              "(SELECT nid FROM inbound_transactions WHERE origin = ?1 ORDER BY nid DESC LIMIT 1 OFFSET ?2)",
              origin.str(), kept_transactions)
            .run();
        return {};
      },
      std::move(done));
}

}  // namespace skerry::storage
