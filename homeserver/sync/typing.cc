#include "homeserver/sync/typing.h"

#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

namespace skerry::homeserver {

struct Typing::Impl : std::enable_shared_from_this<Impl> {
  struct Room {
    std::map<UserId, net::Scheduler::Handle> users;  // with the timer that ends each
    storage::StreamPosition changed = 0;
  };

  Impl(storage::StreamStore& stream_store, net::Scheduler& timers,
       std::function<void(const RoomId&, storage::StreamPosition)> on_change)
      : stream(stream_store), scheduler(timers), changed(std::move(on_change)) {}

  storage::StreamStore& stream;
  net::Scheduler& scheduler;
  const std::function<void(const RoomId&, storage::StreamPosition)> changed;
  mutable std::mutex mutex;
  std::unordered_map<RoomId, Room> rooms;
  std::set<std::pair<storage::StreamPosition, RoomId>> by_change;

  void set(const RoomId& room, const UserId& user, bool typing, std::chrono::milliseconds timeout) {
    net::Scheduler::Handle old_timer;  // destroyed after the lock is released
    storage::StreamPosition position = 0;
    {
      std::scoped_lock lock(mutex);
      Room& entry = rooms[room];
      auto found = entry.users.find(user);
      const bool was_typing = found != entry.users.end();
      if (was_typing) old_timer = std::move(found->second);
      if (typing) {
        std::weak_ptr<Impl> weak = weak_from_this();
        entry.users[user] = scheduler.after(timeout, [weak, room, user] {
          if (auto impl = weak.lock()) impl->set(room, user, false, {});
        });
      } else if (was_typing) {
        entry.users.erase(found);
      }
      if (was_typing == typing) return;
      position = stream.next_ephemeral();
      by_change.erase({entry.changed, room});
      entry.changed = position;
      by_change.emplace(position, room);
    }
    changed(room, position);
  }
};

Typing::Typing(storage::StreamStore& stream, net::Scheduler& scheduler,
               std::function<void(const RoomId&, storage::StreamPosition)> changed)
    : impl_(std::make_shared<Impl>(stream, scheduler, std::move(changed))) {}

Typing::~Typing() = default;

void Typing::set(const RoomId& room, const UserId& user, bool typing, std::chrono::milliseconds timeout) {
  impl_->set(room, user, typing, timeout);
}

std::optional<std::vector<UserId>> Typing::changed_since(const RoomId& room, storage::StreamPosition since) const {
  std::scoped_lock lock(impl_->mutex);
  auto found = impl_->rooms.find(room);
  if (found == impl_->rooms.end() || found->second.changed <= since) return std::nullopt;
  std::vector<UserId> users;
  for (const auto& [user, timer] : found->second.users) users.push_back(user);
  return users;
}

std::vector<RoomId> Typing::changed_rooms(storage::StreamPosition since) const {
  std::scoped_lock lock(impl_->mutex);
  std::vector<RoomId> rooms;
  for (auto change = impl_->by_change.rbegin(); change != impl_->by_change.rend() && change->first > since; ++change) {
    rooms.push_back(change->second);
  }
  return rooms;
}

}  // namespace skerry::homeserver
