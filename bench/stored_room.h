// Rooms made straight in a store, with thousands of members in seconds and forks wherever they are wanted.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/crypto.h"
#include "core/event.h"
#include "core/state.h"
#include "storage/database.h"

namespace skerry::bench {

// A database in a fresh folder, which goes with this object.
class TemporaryStore {
 public:
  // Errors: storage.
  static Result<std::unique_ptr<TemporaryStore>> make(const ServerName& us);
  ~TemporaryStore();
  TemporaryStore(const TemporaryStore&) = delete;
  TemporaryStore& operator=(const TemporaryStore&) = delete;

  storage::Database& database() { return *database_; }
  const std::string& folder() const { return folder_; }
  // Closes and opens it, so that nothing is in memory. Errors: storage.
  Result<void> reopen();

 private:
  TemporaryStore(std::string folder, ServerName us) : folder_(std::move(folder)), us_(std::move(us)) {}

  const std::string folder_;
  const ServerName us_;
  std::unique_ptr<storage::Database> database_;
};

// A place in the room's graph, and the state there. Copies are forks.
struct Tip {
  std::vector<EventId> heads;
  std::int64_t depth = 0;
  StateMap state;
  storage::StateId state_id = 0;
};

// A public room of one server's users. Events are queued; errors of the store are told by finish().
class StoredRoom {
 public:
  // Created, by the first of its users, who is joined. Version 12.
  StoredRoom(storage::RoomStore& store, const ServerName& us, const SigningKey& key, std::size_t users);

  const RoomId& id() const { return id_; }
  const UserId& user(std::size_t n) const { return users_.at(n); }
  // Puts an event after the tip and moves the tip on.
  EventId add(Tip& tip, const UserId& sender, const std::string& type, const std::optional<std::string>& state_key,
              const Json& content);
  EventId member(Tip& tip, const UserId& sender, const UserId& target, const std::string& membership,
                 const std::string& name = {});
  // An event after the tip, which moves on as far as it needs no state's id; the store does not get it.
  EventPtr draft(Tip& tip, const UserId& sender, const std::string& type, const std::optional<std::string>& state_key,
                 const Json& content);
  // Everybody joins: the place where the room may fork.
  Tip& whole() { return whole_; }
  // Waits until all is on the disk.
  Result<void> flush();
  // The same, and makes these the heads of the room.
  Result<void> finish(std::vector<Tip> heads, storage::StateId current_state);

 private:
  void queue(storage::EventCommit commit);
  EventPtr make(Tip& tip, const UserId& sender, const std::string& type, const std::optional<std::string>& state_key,
                const Json& content);

  storage::RoomStore& store_;
  const ServerName us_;
  const SigningKey& key_;
  const RoomRules& rules_;
  std::vector<UserId> users_;
  RoomId id_;
  EventPtr create_;
  std::int64_t now_ms_ = 1'700'000'000'000;
  std::vector<storage::EventCommit> queued_;
  std::optional<Error> trouble_;
  Tip whole_;
};

}  // namespace skerry::bench
