// PeopleStore on SQLite.
#pragma once

#include "storage/people_store.h"
#include "storage/sqlite/connection.h"

namespace skerry::storage {

class SqlitePeopleStore final : public PeopleStore {
 public:
  SqlitePeopleStore(Readers& readers, ServerName us) : readers_(readers), us_(std::move(us)) {}

  Result<std::vector<UserId>> sharing_a_room(const UserId& user, const std::vector<UserId>& candidates) override;
  Result<MutualRooms> mutual_rooms(const UserId& user, const UserId& other, std::int64_t from,
                                   std::size_t limit) override;
  Result<std::vector<Person>> search(const UserId& seeker, const std::string& term, std::size_t limit) override;
  Result<std::vector<UserId>> local_users_near(const std::vector<UserId>& users) override;
  Result<std::vector<ServerName>> servers_near(const UserId& user) override;

 private:
  Readers& readers_;
  const ServerName us_;
};

}  // namespace skerry::storage
