// The client's memory: who is signed in where, and what was seen last. One SQLite file, readable by its owner alone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"

namespace skerry::client {

struct StoredSession {
  std::string user_id;
  std::string device_id;
  std::string homeserver;    // base URL
  std::string access_token;  // a secret: it is kept here and nowhere else
  std::vector<std::string> ca_files;
};

// What /sync told until `since`.
struct CachedRooms {
  std::string since;
  std::vector<std::pair<std::string, std::string>> rooms;  // room id, snapshot
};

// One thread at a time; several processes may have the same file open. Errors everywhere: storage, with the file's
// name.
class ClientStore {
 public:
  // Opens or makes `state_dir`/client.db; the folder gets mode 0700 and the file 0600.
  static Result<ClientStore> open(const std::string& state_dir);
  ClientStore(ClientStore&&) noexcept;
  ClientStore& operator=(ClientStore&&) noexcept;
  ~ClientStore();

  // The last one signed in comes first.
  Result<std::vector<StoredSession>> sessions();
  // Adds it, or replaces the one of the same user; what was cached for that user goes.
  Result<void> put_session(const StoredSession& session);
  // The session and all that was cached for it.
  Result<void> remove_session(const std::string& user_id);

  Result<CachedRooms> cached_rooms(const std::string& user_id);
  // In one transaction: the position, rooms that changed, rooms that are no more.
  Result<void> save_rooms(const std::string& user_id, const CachedRooms& changed, const std::vector<std::string>& gone);
  Result<void> forget_rooms(const std::string& user_id);

 private:
  struct Impl;
  explicit ClientStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Picks a session by whole user id or by localpart; the last signed in when `account` is empty.
// Errors: not_found, naming those that are stored; invalid_param when a localpart fits several.
Result<StoredSession> pick_session(const std::vector<StoredSession>& sessions, const std::string& account);

}  // namespace skerry::client
