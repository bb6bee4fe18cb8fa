// Accounts' ends, passes towards others, reports.
#include "storage/sqlite/account_store.h"
#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

std::optional<UserId> owner_of(Connection& connection, PassKind kind, const std::string& token_hash,
                               std::int64_t now_ms) {
  Query query(connection,
              "SELECT user FROM passes JOIN users USING(user) WHERE kind = ? AND hash = ? AND expires_ms > ? AND "
              "deactivated = 0",
              static_cast<int>(kind), token_hash, now_ms);
  return query.next() ? std::optional(stored_id<UserId>(query.text(0))) : std::nullopt;
}

}  // namespace

Result<void> SqliteAccountStore::deactivate(const UserId& user) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "UPDATE users SET deactivated = 1, password_hash = '', admin = 0 WHERE user = ?", user.str())
        .run();
    for (const char* sql : {"DELETE FROM tokens WHERE user = ?", "DELETE FROM devices WHERE user = ?",
                            "DELETE FROM profiles WHERE user = ?", "DELETE FROM filters WHERE user = ?",
                            "DELETE FROM account_data WHERE user = ?", "DELETE FROM passes WHERE user = ?"}) {
      Query(connection, sql, user.str()).run();
    }
    return {};
  });
}

Result<bool> SqliteAccountStore::is_deactivated(const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<bool> {
    Query query(connection, "SELECT 1 FROM users WHERE user = ? AND deactivated = 1", user.str());
    return query.next();
  });
}

Result<void> SqliteAccountStore::put_pass(PassKind kind, const UserId& user, const std::string& token_hash,
                                          std::int64_t expires_ms, std::int64_t now_ms) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "DELETE FROM passes WHERE expires_ms <= ?", now_ms).run();
    Query(connection, "INSERT INTO passes VALUES(?, ?, ?, ?)", static_cast<int>(kind), token_hash, user.str(),
          expires_ms)
        .run();
    return {};
  });
}

Result<std::optional<UserId>> SqliteAccountStore::pass_owner(PassKind kind, const std::string& token_hash,
                                                             std::int64_t now_ms) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<UserId>> {
    return owner_of(connection, kind, token_hash, now_ms);
  });
}

Result<std::optional<UserId>> SqliteAccountStore::take_pass(PassKind kind, const std::string& token_hash,
                                                            std::int64_t now_ms) {
  auto owner = std::make_shared<std::optional<UserId>>();
  auto taken = writer_.write([=](Connection& connection) -> Result<void> {
    *owner = owner_of(connection, kind, token_hash, now_ms);
    Query(connection, "DELETE FROM passes WHERE kind = ? AND hash = ?", static_cast<int>(kind), token_hash).run();
    return {};
  });
  if (!taken) return tl::make_unexpected(taken.error());
  return std::move(*owner);
}

Result<void> SqliteAccountStore::add_report(const Report& report, std::size_t most) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection,
          "INSERT INTO reports(reporter, room, event, user, reason, score, ts_ms) VALUES(?, ?, ?, ?, ?, ?, ?)",
          report.reporter.str(), report.room, report.event, report.user, report.reason, report.score, report.ts_ms)
        .run();
    Query(connection, "DELETE FROM reports WHERE id <= (SELECT max(id) FROM reports) - ?", most).run();
    return {};
  });
}

}  // namespace skerry::storage
