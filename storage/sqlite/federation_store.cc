#include "storage/sqlite/federation_store.h"

#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

constexpr int kept_transactions = 1'000;  // answers to inbound transactions, per origin

// What a server is owed: marked events inside its stretches. `?1` server, `?2` after.
#define SKERRY_OWED                                                                                        \
  " FROM events JOIN server_stretches s ON s.server = ?1 AND s.room = events.room AND s.first <= position" \
  " AND (s.last IS NULL OR s.last >= position) JOIN rooms ON rooms.nid = events.room"                      \
  " WHERE distribute = 1 AND position IS NOT NULL AND position > ?2 AND verdict = 0"

}  // namespace

Result<void> SqliteFederationStore::write(std::function<void(Connection&)> use) {
  auto written = writer_.run([use = std::move(use)](WriteContext& context) -> Result<StreamPosition> {
    use(context.connection);
    return StreamPosition{0};
  });
  if (!written) return tl::make_unexpected(written.error());
  return {};
}

Result<void> SqliteFederationStore::save_server_keys(const ServerName& server, const std::vector<StoredServerKey>& keys,
                                                     const std::string& response_json) {
  return write([=](Connection& connection) {
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

Result<Destination> SqliteFederationStore::destination(const ServerName& server) {
  return readers_.read([&](Connection& connection) -> Result<Destination> {
    Destination destination;
    destination.server = server;
    Query query(connection, "SELECT sent_up_to, retry_at_ms, backoff_ms FROM destinations WHERE server = ?",
                server.str());
    if (query.next()) {
      destination.sent_up_to = query.integer(0);
      destination.retry_at_ms = query.integer(1);
      destination.backoff_ms = query.integer(2);
    }
    return destination;
  });
}

Result<std::vector<ServerName>> SqliteFederationStore::servers_owed() {
  return readers_.read([&](Connection& connection) -> Result<std::vector<ServerName>> {
    std::vector<ServerName> servers;
    Query query(connection, "SELECT DISTINCT server FROM server_stretches UNION SELECT DISTINCT server FROM edus");
    while (query.next()) {
      const std::string server = query.text(0);
      Query edu(connection, "SELECT 1 FROM edus WHERE server = ? LIMIT 1", server);
      if (edu.next()) {
        servers.push_back(stored_id<ServerName>(server));
        continue;
      }
      Query cursor(connection, "SELECT sent_up_to FROM destinations WHERE server = ?", server);
      const StreamPosition after = cursor.next() ? cursor.integer(0) : 0;
      Query owed(connection, "SELECT 1" SKERRY_OWED " LIMIT 1", server, after);
      if (owed.next()) servers.push_back(stored_id<ServerName>(server));
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

Result<void> SqliteFederationStore::save_cursor(const ServerName& server, StreamPosition sent_up_to) {
  return write([=](Connection& connection) {
    Query(connection,
          "INSERT INTO destinations VALUES(?, ?, 0, 0) ON CONFLICT(server) DO UPDATE SET "
          "sent_up_to = max(sent_up_to, excluded.sent_up_to), retry_at_ms = 0, backoff_ms = 0",
          server.str(), sent_up_to)
        .run();
  });
}

Result<void> SqliteFederationStore::save_retry(const ServerName& server, std::int64_t retry_at_ms,
                                               std::int64_t backoff_ms) {
  return write([=](Connection& connection) {
    Query(connection,
          "INSERT INTO destinations VALUES(?, 0, ?, ?) ON CONFLICT(server) DO UPDATE SET retry_at_ms = "
          "excluded.retry_at_ms, "
          "backoff_ms = excluded.backoff_ms",
          server.str(), retry_at_ms, backoff_ms)
        .run();
  });
}

Result<void> SqliteFederationStore::add_edus(const std::vector<ServerName>& servers, const std::string& edu_json) {
  return write([=](Connection& connection) {
    for (const ServerName& server : servers) {
      Query(connection, "INSERT INTO edus(server, edu) VALUES(?, ?)", server.str(), edu_json).run();
    }
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
  return write([=](Connection& connection) {
    Query(connection, "DELETE FROM edus WHERE server = ? AND id <= ?", server.str(), up_to_id).run();
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

Result<void> SqliteFederationStore::save_transaction_response(const ServerName& origin,
                                                              const std::string& transaction_id,
                                                              const std::string& response_json) {
  return write([=](Connection& connection) {
    Query(connection, "INSERT OR REPLACE INTO inbound_transactions(origin, transaction_id, response) VALUES(?, ?, ?)",
          origin.str(), transaction_id, response_json)
        .run();
    const std::int64_t newest = connection.database().getLastInsertRowid();
    if (newest % 100 != 0) return;  // now and then is enough
    Query(connection,
          "DELETE FROM inbound_transactions WHERE origin = ?1 AND nid <= (SELECT nid FROM inbound_transactions WHERE "
          "origin = ?1 "
          "ORDER BY nid DESC LIMIT 1 OFFSET ?2)",
          origin.str(), kept_transactions)
        .run();
  });
}

}  // namespace skerry::storage
