// Asks application services to make the users and rooms that somebody looks for. Application service API, 'Querying'.
#pragma once

#include <functional>
#include <memory>

#include "homeserver/appservices/client.h"
#include "storage/database.h"

namespace skerry::homeserver {

// Thread-safe. The same question is asked once at a time.
class AppserviceQueries {
 public:
  enum class Outcome {
    nobody,     // there was nobody to ask, or nobody made it
    made,       // look again
    no_answer,  // whoever could have made it was not reached
  };
  using Done = std::function<void(Outcome)>;

  // The references must outlive it.
  AppserviceQueries(const Appservices& appservices, AppserviceClient& client, storage::Database& database);

  // Whether the id is in anybody's namespace and not there.
  bool has_whom_to_ask(const UserId& user) const;
  bool has_whom_to_ask(const RoomAlias& alias) const;

  // Does nothing for those that are there already. `done` runs at once or on an Io thread and must not block.
  void look_for(const UserId& user, Done done);
  void look_for(const RoomAlias& alias, Done done);
  // The same, waiting: on `outbound` only.
  Outcome look_for(const UserId& user);
  Outcome look_for(const RoomAlias& alias);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
