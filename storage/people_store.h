// Who is in rooms with whom, from the memberships of current state. Read-only, thread-safe. Errors: storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/result.h"

namespace skerry::storage {

struct Person {
  UserId user;
  std::string display_name;  // empty: none
  std::string avatar_url;
};

struct MutualRooms {
  std::vector<RoomId> rooms;
  std::int64_t count = 0;                 // of all, not of these
  std::optional<std::int64_t> next = {};  // where to go on; absent: there are no more
};

class PeopleStore {
 public:
  virtual ~PeopleStore() = default;
  // Those of `candidates` who are joined to a room that `user` is joined to. Costs what the rooms of them all are, not
  // what is in these.
  virtual Result<std::vector<UserId>> sharing_a_room(const UserId& user, const std::vector<UserId>& candidates) = 0;
  // Rooms that both are joined to, at most `limit` of them, beginning with what `next` said (0: at the beginning).
  // Costs what the rooms of `user` are.
  virtual Result<MutualRooms> mutual_rooms(const UserId& user, const UserId& other, std::int64_t from,
                                           std::size_t limit) = 0;
  // Joined users whose id, or name in a room of `seeker`, contains `term` (lower case), at most `limit` of them: all
  // whom this server knows of, whether `seeker` may or not. Names are looked at in rooms of 20,000 members together.
  virtual Result<std::vector<Person>> search(const UserId& seeker, const std::string& term, std::size_t limit) = 0;
  // This server's users who share a room with any of `users`; those of them who are in a room themselves included.
  virtual Result<std::vector<UserId>> local_users_near(const std::vector<UserId>& users) = 0;
  // The other servers with somebody in a room of `user`.
  virtual Result<std::vector<ServerName>> servers_near(const UserId& user) = 0;
};

}  // namespace skerry::storage
