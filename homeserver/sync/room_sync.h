// One room's part of a /sync response.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/json.h"
#include "homeserver/sync/sync_builder.h"

namespace skerry::homeserver {

// For one room and one response; not thread-safe. All events are those with since < position <= now.
class RoomSync {
 public:
  RoomSync(storage::Database& database, RoomReader& reader, const Typing& typing, UnreadCounter& unread,
           const SyncRequest& request, storage::StreamPosition now, std::int64_t now_ms, const RoomId& room);

  // The entry of rooms.join; `*worth` says whether anything is new. `room_account_data` are events ready to be shown.
  Result<Json> joined(const storage::Membership& membership, const Json& room_account_data, bool* worth);
  // The entry of rooms.leave: up to the user's leave or ban.
  Result<Json> left(const storage::Membership& membership, bool* worth);

 private:
  struct Timeline {
    std::vector<storage::StoredEvent> events;
    bool limited = false;
    std::optional<storage::TopologicalPosition> before;  // prev_batch
  };
  using Keys = std::map<StateKey, EventId>;

  Result<bool> was_joined_at_since(const storage::Membership& membership);
  Result<Timeline> timeline(storage::StreamPosition from, storage::StreamPosition to);
  // What a client must be told so that, with the timeline applied afterwards, it ends with the state at `to`.
  Result<Keys> state_before_timeline(const Timeline& timeline, storage::StreamPosition from, storage::StreamPosition to,
                                     const StateMap& at_end, bool full);
  Result<Keys> state_at_end(storage::StreamPosition from, storage::StreamPosition to, const StateMap& at_end,
                            bool full);
  void add_lazy_members(const Timeline& timeline, const StateMap& at_end, Keys& keys) const;
  void drop_unneeded_members(const Timeline& timeline, Keys& keys) const;
  Result<Json> state_events(const Keys& keys, std::size_t* members);
  Result<Json> timeline_json(const Timeline& timeline);
  void add_counts(const UnreadCounts& counts, Json& entry) const;
  Result<Json> summary();
  Result<Json> ephemeral(storage::StreamPosition from);

  storage::Database& database_;
  RoomReader& reader_;
  const Typing& typing_;
  UnreadCounter& unread_;
  const SyncRequest& request_;
  const storage::StreamPosition now_;
  const std::int64_t now_ms_;
  const RoomId& room_;
};

}  // namespace skerry::homeserver
