// What the next transaction to an application service holds. Application service API, 'Pushing events'.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "homeserver/appservices/interest.h"
#include "homeserver/sync/presence.h"
#include "homeserver/sync/typing.h"
#include "net/runtime.h"
#include "storage/appservice_store.h"
#include "storage/database.h"

namespace skerry::homeserver {

struct AppserviceTransaction {
  std::string id;
  std::string body;
  storage::StreamPosition up_to = 0;            // nothing of interest is left before
  std::vector<storage::StreamPosition> events;  // positions
  bool passing = false;                         // has ephemeral data
  storage::StreamPosition passing_up_to = 0;    // how far that was looked for; 0: it was not
};

// Collects from the stream what one application service wants to know. Not thread-safe; on a pool, since it reads the
// store.
class AppserviceCollector {
 public:
  AppserviceCollector(const Appservice& appservice, storage::Database& database, const Typing& typing,
                      const Presence& presence, net::Clock& clock);

  // What is new after `from`, at most 100 events and about a megabyte: `up_to` says how far it goes. Ephemeral data
  // after `passing_from`, unless events are left over. No id yet.
  Result<AppserviceTransaction> collect(storage::StreamPosition from, storage::StreamPosition passing_from);
  // The events at these positions once more.
  Result<AppserviceTransaction> collect_again(storage::StreamPosition from, storage::StreamPosition up_to,
                                              const std::vector<storage::StreamPosition>& positions);

 private:
  struct Item;
  struct Page;
  Result<Page> page(storage::StreamPosition from, storage::StreamPosition to);
  Result<std::string> passing(storage::StreamPosition from, storage::StreamPosition to);
  Result<std::string> presences(storage::StreamPosition from, storage::StreamPosition to);
  Result<std::string> room_passing(const RoomId& room, storage::StreamPosition from, storage::StreamPosition to);

  const Appservice& appservice_;
  storage::Database& database_;
  const Typing& typing_;
  const Presence& presence_;
  net::Clock& clock_;
  AppserviceInterest interest_;
};

}  // namespace skerry::homeserver
