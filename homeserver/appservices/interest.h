// Which events an application service is told. Application service API, 'Registration', and what the definition of its
// namespaces says.
#pragma once

#include <unordered_map>

#include "homeserver/appservices/appservices.h"
#include "storage/room_store.h"

namespace skerry::homeserver {

// For one application service. Not thread-safe.
class AppserviceInterest {
 public:
  AppserviceInterest(const Appservice& appservice, storage::RoomStore& rooms)
      : appservice_(appservice), rooms_(rooms) {}

  // In the room as it was at the event, so that who left later is told all the same. Errors: storage.
  Result<bool> in_event(const storage::StoredEvent& event);
  // In the room as it is now: for what passes.
  Result<bool> in_room(const RoomId& room);

 private:
  // A user of the application service who is joined in a state; nobody: empty.
  struct Witness {
    storage::StateId state = 0;
    UserId user;
  };
  Result<bool> in_room_at(const RoomId& room, storage::StateId state);
  Result<bool> by_alias(const RoomId& room);
  Result<bool> is_joined(storage::StateId state, const UserId& user);
  Result<UserId> find_joined(storage::StateId state);

  const Appservice& appservice_;
  storage::RoomStore& rooms_;
  std::unordered_map<RoomId, Witness> witnesses_;  // of the states that were looked at last
};

}  // namespace skerry::homeserver
