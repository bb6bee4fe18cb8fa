// FederationStore on SQLite.
#pragma once

#include "storage/federation_store.h"
#include "storage/sqlite/connection.h"
#include "storage/sqlite/writer.h"

namespace skerry::storage {

// How the outbox stands with a server.
Destination stored_destination(Connection& connection, const ServerName& server);

class SqliteFederationStore final : public FederationStore {
 public:
  SqliteFederationStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}

  Result<void> save_server_keys(const ServerName& server, const std::vector<StoredServerKey>& keys,
                                const std::string& response_json) override;
  Result<std::vector<StoredServerKey>> server_keys(const ServerName& server) override;
  Result<std::optional<std::string>> server_keys_response(const ServerName& server) override;
  Result<Destination> destination(const ServerName& server) override;
  Result<std::vector<ServerName>> servers_owed() override;
  Result<std::vector<Owed>> owed_events(const ServerName& server, StreamPosition after, std::size_t limit) override;
  void save_cursor(const ServerName& server, StreamPosition sent_up_to, Saved done) override;
  Result<void> save_retry(const ServerName& server, std::int64_t retry_at_ms, std::int64_t backoff_ms) override;
  Result<void> add_edus(const std::vector<ServerName>& servers, const std::string& edu_json) override;
  Result<std::vector<OutboxEdu>> edus(const ServerName& server, std::size_t limit) override;
  Result<void> remove_edus(const ServerName& server, std::int64_t up_to_id) override;
  Result<std::optional<std::string>> transaction_response(const ServerName& origin,
                                                          const std::string& transaction_id) override;
  void save_transaction_response(const ServerName& origin, const std::string& transaction_id,
                                 const std::string& response_json, Saved done) override;

 private:
  Writer& writer_;
  Readers& readers_;
};

}  // namespace skerry::storage
