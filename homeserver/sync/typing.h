// Who is typing where: in memory, with a position per change of a room.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/ids.h"
#include "net/runtime.h"
#include "storage/stream_store.h"

namespace skerry::homeserver {

// Thread-safe.
class Typing {
 public:
  // `changed` is called with room and position after each change, timeouts included.
  Typing(storage::StreamStore& stream, net::Scheduler& scheduler,
         std::function<void(const RoomId&, storage::StreamPosition)> changed);
  ~Typing();
  void set(const RoomId& room, const UserId& user, bool typing, std::chrono::milliseconds timeout);
  // The users typing in a room, when that changed after `since`.
  std::optional<std::vector<UserId>> changed_since(const RoomId& room, storage::StreamPosition since) const;
  // The rooms where it changed after `since`.
  std::vector<RoomId> changed_rooms(storage::StreamPosition since) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
