#include "client/store/client_store.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>

namespace skerry::client {
namespace {

constexpr int version = 1;
constexpr int busy_ms = 5'000;

constexpr const char* schema = R"sql(
CREATE TABLE session (
  user_id TEXT PRIMARY KEY,
  device_id TEXT NOT NULL,
  homeserver TEXT NOT NULL,
  access_token TEXT NOT NULL,
  ca_files TEXT NOT NULL,            -- one a line
  signed_in INTEGER NOT NULL,        -- counts up: the highest is the last
  since TEXT NOT NULL DEFAULT ''     -- the position in /sync of the cached rooms
);
CREATE TABLE room (
  user_id TEXT NOT NULL REFERENCES session(user_id) ON DELETE CASCADE,
  room_id TEXT NOT NULL,
  snapshot TEXT NOT NULL,            -- JSON, see client/sdk/room.cc
  PRIMARY KEY (user_id, room_id)
);
)sql";

std::string join_lines(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    out.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 1;
  }
  return out;
}

// The file must be private before the first secret is in it; SQLite gives its companions the same mode.
Result<void> make_private_file(const std::string& directory, const std::string& file) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(directory, error);
  if (error) return fail(ErrorCode::storage, directory + ": " + error.message());
  if (made) chmod(directory.c_str(), 0700);
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return fail(ErrorCode::storage, file + ": " + std::strerror(errno));
  fchmod(descriptor, 0600);
  ::close(descriptor);
  return {};
}

}  // namespace

struct ClientStore::Impl {
  explicit Impl(std::string path) : file(std::move(path)), db(file, SQLite::OPEN_READWRITE, busy_ms) {
    db.exec("PRAGMA journal_mode=WAL");
    db.exec("PRAGMA synchronous=NORMAL");
    db.exec("PRAGMA foreign_keys=ON");
    SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
    const int found = db.execAndGet("PRAGMA user_version").getInt();
    if (found > version) throw SQLite::Exception("it was written by a newer version of this program");
    if (found == 0) {
      db.exec(schema);
      db.exec("PRAGMA user_version=" + std::to_string(version));
    }
    transaction.commit();
  }

  // Exceptions of the library end here.
  template <class T, class Use>
  Result<T> guarded(Use use) {
    try {
      return use();
    } catch (const SQLite::Exception& error) {
      return fail(ErrorCode::storage, file + ": " + error.what());
    }
  }

  std::string file;
  SQLite::Database db;
};

ClientStore::ClientStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClientStore::ClientStore(ClientStore&&) noexcept = default;
ClientStore& ClientStore::operator=(ClientStore&&) noexcept = default;
ClientStore::~ClientStore() = default;

Result<ClientStore> ClientStore::open(const std::string& state_dir) {
  const std::string file = state_dir + "/client.db";
  if (auto made = make_private_file(state_dir, file); !made) return tl::make_unexpected(made.error());
  try {
    return ClientStore(std::make_unique<Impl>(file));
  } catch (const SQLite::Exception& error) {
    return fail(ErrorCode::storage, file + ": " + error.what());
  }
}

Result<std::vector<StoredSession>> ClientStore::sessions() {
  using Sessions = std::vector<StoredSession>;
  return impl_->guarded<Sessions>([this]() -> Result<Sessions> {
    Sessions out;
    SQLite::Statement query(impl_->db,
                            "SELECT user_id, device_id, homeserver, access_token, ca_files FROM session "
                            "ORDER BY signed_in DESC");
    while (query.executeStep()) {
      out.push_back({query.getColumn(0).getString(), query.getColumn(1).getString(), query.getColumn(2).getString(),
                     query.getColumn(3).getString(), split_lines(query.getColumn(4).getString())});
    }
    return out;
  });
}

Result<void> ClientStore::put_session(const StoredSession& session) {
  return impl_->guarded<void>([&]() -> Result<void> {
    SQLite::Transaction transaction(impl_->db, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement remove(impl_->db, "DELETE FROM session WHERE user_id = ?");
    remove.bind(1, session.user_id);
    remove.exec();
    SQLite::Statement insert(impl_->db,
                             "INSERT INTO session (user_id, device_id, homeserver, access_token, ca_files, signed_in) "
                             "VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(signed_in), 0) + 1 FROM session))");
    insert.bind(1, session.user_id);
    insert.bind(2, session.device_id);
    insert.bind(3, session.homeserver);
    insert.bind(4, session.access_token);
    insert.bind(5, join_lines(session.ca_files));
    insert.exec();
    transaction.commit();
    return {};
  });
}

Result<void> ClientStore::remove_session(const std::string& user_id) {
  return impl_->guarded<void>([&]() -> Result<void> {
    SQLite::Statement remove(impl_->db, "DELETE FROM session WHERE user_id = ?");
    remove.bind(1, user_id);
    remove.exec();
    return {};
  });
}

Result<CachedRooms> ClientStore::cached_rooms(const std::string& user_id) {
  return impl_->guarded<CachedRooms>([&]() -> Result<CachedRooms> {
    CachedRooms out;
    SQLite::Transaction transaction(impl_->db);
    SQLite::Statement since(impl_->db, "SELECT since FROM session WHERE user_id = ?");
    since.bind(1, user_id);
    if (since.executeStep()) out.since = since.getColumn(0).getString();
    SQLite::Statement rooms(impl_->db, "SELECT room_id, snapshot FROM room WHERE user_id = ?");
    rooms.bind(1, user_id);
    while (rooms.executeStep()) out.rooms.emplace_back(rooms.getColumn(0).getString(), rooms.getColumn(1).getString());
    return out;
  });
}

Result<void> ClientStore::save_rooms(const std::string& user_id, const CachedRooms& changed,
                                     const std::vector<std::string>& gone) {
  return impl_->guarded<void>([&]() -> Result<void> {
    SQLite::Transaction transaction(impl_->db, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement since(impl_->db, "UPDATE session SET since = ? WHERE user_id = ?");
    since.bind(1, changed.since);
    since.bind(2, user_id);
    if (since.exec() == 0) return {};  // signed out meanwhile, by another process
    SQLite::Statement put(impl_->db, "INSERT OR REPLACE INTO room (user_id, room_id, snapshot) VALUES (?, ?, ?)");
    for (const auto& [room_id, snapshot] : changed.rooms) {
      put.bind(1, user_id);
      put.bind(2, room_id);
      put.bind(3, snapshot);
      put.exec();
      put.reset();
    }
    SQLite::Statement remove(impl_->db, "DELETE FROM room WHERE user_id = ? AND room_id = ?");
    for (const std::string& room_id : gone) {
      remove.bind(1, user_id);
      remove.bind(2, room_id);
      remove.exec();
      remove.reset();
    }
    transaction.commit();
    return {};
  });
}

Result<void> ClientStore::forget_rooms(const std::string& user_id) {
  return impl_->guarded<void>([&]() -> Result<void> {
    SQLite::Transaction transaction(impl_->db, SQLite::TransactionBehavior::IMMEDIATE);
    for (const char* text : {"DELETE FROM room WHERE user_id = ?", "UPDATE session SET since = '' WHERE user_id = ?"}) {
      SQLite::Statement statement(impl_->db, text);
      statement.bind(1, user_id);
      statement.exec();
    }
    transaction.commit();
    return {};
  });
}

Result<StoredSession> pick_session(const std::vector<StoredSession>& sessions, const std::string& account) {
  if (sessions.empty()) return fail(ErrorCode::not_found, "nobody is signed in: use 'login' or 'register' first");
  if (account.empty()) return sessions.front();
  const StoredSession* found = nullptr;
  std::string known;
  const bool whole = account.find(':') != std::string::npos;
  for (const StoredSession& session : sessions) {
    known += (known.empty() ? "" : ", ") + session.user_id;
    const std::string localpart = session.user_id.substr(1, session.user_id.find(':') - 1);
    const bool fits = session.user_id == account || "@" + account == session.user_id ||
                      (!whole && (localpart == account || "@" + localpart == account));
    if (fits && found)
      return fail(ErrorCode::invalid_param, "'" + account + "' could be several: write the whole user id");
    if (fits) found = &session;
  }
  if (!found) return fail(ErrorCode::not_found, "no session of '" + account + "' is stored; there are: " + known);
  return *found;
}

}  // namespace skerry::client
