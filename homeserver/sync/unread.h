// How many messages of a room a user has not read, by the predefined push rules. Client-server API, 'Receiving
// notifications'.
#pragma once

#include <map>
#include <memory>

#include "core/ids.h"
#include "homeserver/rooms/reader.h"
#include "storage/database.h"

namespace skerry::homeserver {

struct UnreadCount {
  int notifications = 0;
  int highlights = 0;
};

// By thread, as read receipts are ('Threaded read receipts').
struct UnreadCounts {
  UnreadCount main;
  std::map<EventId, UnreadCount> threads;  // by root: those with something unread

  UnreadCount all() const;
};

// Thread-safe. Keeps the counts it made, so that a later call looks at new events only; bounded in users and rooms.
class UnreadCounter {
 public:
  UnreadCounter(storage::Database& database, RoomReader& reader);
  ~UnreadCounter();

  // Events after the user's last read receipts, up to `now`, at most 1,000 of them. Errors: storage.
  Result<UnreadCounts> count(const UserId& user, const RoomId& room, storage::StreamPosition now);
  // To be held from before a receipt of the user's is written until it was: what count() made without it is not kept.
  [[nodiscard]] std::shared_ptr<void> moving_receipt(const UserId& user, const RoomId& room);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
