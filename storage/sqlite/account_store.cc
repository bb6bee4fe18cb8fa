#include "storage/sqlite/account_store.h"

#include "core/limits.h"
#include "storage/sqlite/room_store.h"

namespace skerry::storage {

namespace {

Standing standing_in(const Query& query, int column) {
  return {query.integer(column) != 0, query.integer(column + 1) != 0, query.integer(column + 2) != 0};
}

TokenOwner owner_in(const Query& query) {
  TokenOwner owner{stored_id<UserId>(query.text(0)), query.text(1), standing_in(query, 2), std::nullopt,
                   query.integer(6) != 0};
  if (!query.is_null(5)) owner.expires_ms = query.integer(5);
  return owner;
}

std::optional<TokenOwner> owner_of_access(Connection& connection, const std::string& hash) {
  Query query(connection,
              "SELECT user, device, admin, locked, suspended, expires_ms, offered FROM tokens JOIN users USING(user) "
              "WHERE hash = ? AND "
              "deactivated = 0",
              hash);
  return query.next() ? std::optional(owner_in(query)) : std::nullopt;
}

std::optional<TokenOwner> owner_of_refresh(Connection& connection, const std::string& hash) {
  Query query(connection,
              "SELECT user, device, admin, locked, suspended, expires_ms, offered FROM tokens JOIN users USING(user) "
              "WHERE refresh_hash = "
              "? AND deactivated = 0",
              hash);
  return query.next() ? std::optional(owner_in(query)) : std::nullopt;
}

void insert_tokens(Connection& connection, const TokenOwner& owner, const Tokens& tokens, std::int64_t offered) {
  Query(connection,
        "INSERT INTO tokens(hash, user, device, expires_ms, refresh_hash, offered) VALUES(?, ?, ?, ?, ?, ?)",
        tokens.access_hash, owner.user.str(), owner.device, tokens.expires_ms, tokens.refresh_hash, offered)
      .run();
}

// The only tokens of their device from now on.
void accept(Connection& connection, const TokenOwner& owner, const std::string& access_hash) {
  Query(connection, "DELETE FROM tokens WHERE user = ? AND device = ? AND hash <> ?", owner.user.str(), owner.device,
        access_hash)
      .run();
  Query(connection, "UPDATE tokens SET offered = 0 WHERE hash = ?", access_hash).run();
}

std::string access_hash_beside(Connection& connection, const std::string& refresh_hash) {
  Query query(connection, "SELECT hash FROM tokens WHERE refresh_hash = ?", refresh_hash);
  return query.next() ? query.text(0) : std::string();
}

std::int64_t newest_offer(Connection& connection, const TokenOwner& owner) {
  Query query(connection, "SELECT max(offered) FROM tokens WHERE user = ? AND device = ?", owner.user.str(),
              owner.device);
  query.next();
  return query.integer(0);
}

}  // namespace

Result<void> SqliteAccountStore::create_user(const UserId& user, const std::string& password_hash, std::int64_t now_ms,
                                             bool admin) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query taken(connection, "SELECT 1 FROM users WHERE user = ?", user.str());
    if (taken.next()) return fail(ErrorCode::user_in_use, "that user name is taken");
    Query(connection, "INSERT INTO users(user, password_hash, created_ms, admin) VALUES(?, ?, ?, ?)", user.str(),
          password_hash, now_ms, admin)
        .run();
    return {};
  });
}

Result<std::optional<Standing>> SqliteAccountStore::standing(const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<Standing>> {
    Query query(connection, "SELECT admin, locked, suspended FROM users WHERE user = ? AND deactivated = 0",
                user.str());
    return query.next() ? std::optional(standing_in(query, 0)) : std::nullopt;
  });
}

Result<void> SqliteAccountStore::set_locked(const UserId& user, bool locked) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "UPDATE users SET locked = ? WHERE user = ?", locked, user.str()).run();
    return {};
  });
}

Result<void> SqliteAccountStore::set_suspended(const UserId& user, bool suspended) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "UPDATE users SET suspended = ? WHERE user = ?", suspended, user.str()).run();
    return {};
  });
}

Result<bool> SqliteAccountStore::user_exists(const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<bool> {
    Query query(connection, "SELECT 1 FROM users WHERE user = ?", user.str());
    return query.next();
  });
}

Result<std::optional<std::string>> SqliteAccountStore::password_hash(const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<std::string>> {
    Query query(connection, "SELECT password_hash FROM users WHERE user = ? AND deactivated = 0", user.str());
    return query.next() ? std::optional(query.text(0)) : std::nullopt;
  });
}

Result<void> SqliteAccountStore::set_password_hash(const UserId& user, const std::string& password_hash) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "UPDATE users SET password_hash = ? WHERE user = ?", password_hash, user.str()).run();
    return {};
  });
}

Result<void> SqliteAccountStore::put_device(const UserId& user, const Device& device, const Tokens& tokens) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    // An existing device keeps its name ('POST /login': initial_device_display_name).
    Query(connection,
          "INSERT INTO devices VALUES(?, ?, ?, ?) ON CONFLICT(user, device) DO UPDATE SET last_seen_ms = "
          "excluded.last_seen_ms",
          user.str(), device.id, device.display_name, device.last_seen_ms)
        .run();
    Query(connection, "DELETE FROM tokens WHERE user = ? AND device = ?", user.str(), device.id).run();
    insert_tokens(connection, {user, device.id}, tokens, 0);
    return {};
  });
}

Result<void> SqliteAccountStore::add_device(const UserId& user, const Device& device) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "INSERT OR IGNORE INTO devices VALUES(?, ?, ?, ?)", user.str(), device.id, device.display_name,
          device.last_seen_ms)
        .run();
    return {};
  });
}

Result<std::optional<TokenOwner>> SqliteAccountStore::token_owner(const std::string& access_hash) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<TokenOwner>> {
    return owner_of_access(connection, access_hash);
  });
}

Result<std::optional<TokenOwner>> SqliteAccountStore::offer_tokens(const std::string& refresh_hash,
                                                                   const Tokens& tokens) {
  // Guesses cost a read, not a turn of the writer.
  auto known = readers_.read(
      [&](Connection& connection) -> Result<bool> { return owner_of_refresh(connection, refresh_hash).has_value(); });
  if (!known) return tl::make_unexpected(known.error());
  if (!*known) return std::nullopt;
  auto owner = std::make_shared<std::optional<TokenOwner>>();
  auto offered = writer_.write([=](Connection& connection) -> Result<void> {
    *owner = owner_of_refresh(connection, refresh_hash);
    if (!*owner || (*owner)->standing.locked) return {};
    if ((*owner)->offered) accept(connection, **owner, access_hash_beside(connection, refresh_hash));
    const std::int64_t offer = newest_offer(connection, **owner) + 1;
    insert_tokens(connection, **owner, tokens, offer);
    Query(connection, "DELETE FROM tokens WHERE user = ? AND device = ? AND offered BETWEEN 1 AND ?",
          (*owner)->user.str(), (*owner)->device, offer - static_cast<std::int64_t>(limits::offered_tokens))
        .run();
    return {};
  });
  if (!offered) return tl::make_unexpected(offered.error());
  return std::move(*owner);
}

Result<bool> SqliteAccountStore::accept_tokens(const std::string& access_hash) {
  auto there = std::make_shared<bool>(false);
  auto accepted = writer_.write([=](Connection& connection) -> Result<void> {
    const auto owner = owner_of_access(connection, access_hash);
    *there = owner.has_value();
    if (owner && owner->offered) accept(connection, *owner, access_hash);
    return {};
  });
  if (!accepted) return tl::make_unexpected(accepted.error());
  return *there;
}

Result<std::vector<Device>> SqliteAccountStore::devices(const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<Device>> {
    std::vector<Device> list;
    Query query(connection, "SELECT device, display_name, last_seen_ms FROM devices WHERE user = ?", user.str());
    while (query.next()) list.push_back({query.text(0), query.text(1), query.integer(2)});
    return list;
  });
}

Result<void> SqliteAccountStore::set_device_name(const UserId& user, const std::string& device,
                                                 const std::string& name) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "UPDATE devices SET display_name = ? WHERE user = ? AND device = ?", name, user.str(), device)
        .run();
    if (connection.database().getChanges() == 0) return fail(ErrorCode::not_found, "no such device");
    return {};
  });
}

Result<void> SqliteAccountStore::remove_device(const UserId& user, const std::string& device) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "DELETE FROM tokens WHERE user = ? AND device = ?", user.str(), device).run();
    Query(connection, "DELETE FROM devices WHERE user = ? AND device = ?", user.str(), device).run();
    return {};
  });
}

Result<void> SqliteAccountStore::remove_all_devices(const UserId& user) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "DELETE FROM tokens WHERE user = ?", user.str()).run();
    Query(connection, "DELETE FROM devices WHERE user = ?", user.str()).run();
    return {};
  });
}

Result<Profile> SqliteAccountStore::profile(const UserId& user) {
  return readers_.read([&](Connection& connection) -> Result<Profile> {
    Query query(connection,
                "SELECT coalesce(display_name, ''), coalesce(avatar_url, ''), coalesce(fields, '{}') FROM users "
                "LEFT JOIN profiles USING(user) WHERE user = ? AND deactivated = 0",
                user.str());
    if (!query.next()) return fail(ErrorCode::not_found, "no such user");
    return Profile{query.text(0), query.text(1), query.text(2)};
  });
}

Result<void> SqliteAccountStore::set_profile(const UserId& user, const Profile& profile) {
  return writer_.write([=](Connection& connection) -> Result<void> {
    Query(connection, "INSERT OR REPLACE INTO profiles VALUES(?, ?, ?, ?)", user.str(), profile.display_name,
          profile.avatar_url, profile.fields_json)
        .run();
    return {};
  });
}

Result<std::string> SqliteAccountStore::add_filter(const UserId& user, const std::string& filter_json) {
  auto id = writer_.run([=](WriteContext& context) -> Result<StreamPosition> {
    Query(context.connection, "INSERT OR IGNORE INTO filters(user, filter) VALUES(?, ?)", user.str(), filter_json)
        .run();
    Query query(context.connection, "SELECT id FROM filters WHERE user = ? AND filter = ?", user.str(), filter_json);
    query.next();
    return query.integer(0);
  });
  if (!id) return tl::make_unexpected(id.error());
  return std::to_string(*id);
}

Result<std::optional<std::string>> SqliteAccountStore::filter(const UserId& user, const std::string& filter_id) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<std::string>> {
    Query query(connection, "SELECT filter FROM filters WHERE user = ? AND CAST(id AS TEXT) = ?", user.str(),
                filter_id);
    return query.next() ? std::optional(query.text(0)) : std::nullopt;
  });
}

Result<StreamPosition> SqliteAccountStore::set_account_data(const UserId& user, const AccountDataEntry& entry) {
  return writer_.run([=](WriteContext& context) -> Result<StreamPosition> {
    const StreamPosition position = context.take_position();
    Query(context.connection, "INSERT OR REPLACE INTO account_data VALUES(?, ?, ?, ?, ?)", user.str(),
          entry.room ? entry.room->str() : std::string(), entry.type, entry.content_json, position)
        .run();
    return position;
  });
}

Result<std::optional<AccountDataEntry>> SqliteAccountStore::account_data(const UserId& user,
                                                                         const std::optional<RoomId>& room,
                                                                         const std::string& type) {
  return readers_.read([&](Connection& connection) -> Result<std::optional<AccountDataEntry>> {
    Query query(connection, "SELECT content, position FROM account_data WHERE user = ? AND room = ? AND type = ?",
                user.str(), room ? room->str() : std::string(), type);
    if (!query.next()) return std::nullopt;
    return AccountDataEntry{room, type, query.text(0), query.integer(1)};
  });
}

Result<std::vector<AccountDataEntry>> SqliteAccountStore::account_data_since(const UserId& user, StreamPosition from,
                                                                             StreamPosition to) {
  return readers_.read([&](Connection& connection) -> Result<std::vector<AccountDataEntry>> {
    std::vector<AccountDataEntry> list;
    Query query(
        connection,
        "SELECT room, type, content, position FROM account_data WHERE user = ? AND position > ? AND position <= ? "
        "ORDER BY position",
        user.str(), from, to);
    while (query.next()) {
      const std::string room = query.text(0);
      list.push_back({room.empty() ? std::nullopt : std::optional(stored_id<RoomId>(room)), query.text(1),
                      query.text(2), query.integer(3)});
    }
    return list;
  });
}

}  // namespace skerry::storage
