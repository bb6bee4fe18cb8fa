// What is kept for application services: how far each was told of the stream, and the rooms that they list.
// Thread-safe. Writes return when durable. Errors: storage.
#pragma once

#include <string>
#include <vector>

#include "storage/types.h"
#include "storage/writer.h"

namespace skerry::storage {

// A cursor, no row per event: what an application service is owed follows from the stream.
struct AppserviceCursor {
  std::string name;               // begins the newest transaction's id
  std::int64_t serial = 0;        // of the newest transaction
  StreamPosition sent_up_to = 0;  // everything of interest at or before it was acknowledged
  // The newest transaction, when it was begun and not acknowledged: up to where it goes (0: there is none), and the
  // positions of what is in it.
  StreamPosition pending_up_to = 0;
  std::vector<StreamPosition> pending;
};

class AppserviceStore {
 public:
  virtual ~AppserviceStore() = default;

  // `fresh` is stored and answered when there is none for this id.
  virtual Result<AppserviceCursor> open_cursor(const std::string& id, const AppserviceCursor& fresh) = 0;
  virtual Result<void> save_cursor(const std::string& id, const AppserviceCursor& cursor) = 0;
  // On the disk with the next commit, or soon without one. `done` runs on the writer's thread: it must not block.
  virtual void save_cursor_lazily(const std::string& id, const AppserviceCursor& cursor, Saved done) = 0;

  // Accepted events of the stream with from < position <= to, of all rooms, oldest first.
  virtual Result<std::vector<StoredEvent>> stream_events(StreamPosition from, StreamPosition to, std::size_t limit) = 0;
  // Invites that came for users here into rooms where this server is not, oldest first.
  struct Invite {
    StreamPosition position = 0;
    UserId user;
    RoomId room;
    std::string room_version;
    std::string event_json;
    std::string stripped_state_json;
  };
  virtual Result<std::vector<Invite>> stream_invites(StreamPosition from, StreamPosition to, std::size_t limit) = 0;

  // Rooms that an application service lists for a network of its own.
  virtual Result<void> set_listed(const std::string& id, const std::string& network, const RoomId& room,
                                  bool listed) = 0;
  virtual Result<std::vector<RoomId>> listed_rooms(const std::string& id, const std::string& network) = 0;
  virtual Result<std::vector<RoomId>> listed_rooms() = 0;  // of all
};

}  // namespace skerry::storage
