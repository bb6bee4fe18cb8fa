// The way of what other servers send: verify on the caller's thread, judge in the room's turn, wait for what is
// missing. Promises that events of one room are judged in the order in which they were handed in, but for those that
// wait.
#pragma once

#include "homeserver/rooms/missing.h"

namespace skerry::homeserver {

// Rooms that one of our users is joining: what other servers send meanwhile would find nobody of this server there, so
// it waits until the join is through. Thread-safe.
class Joining {
 public:
  void begin(const RoomId& room);
  void end(const RoomId& room);  // runs what waits, unless the room is being joined otherwise as well
  // False when nobody joins the room, or too much waits: then `resume` will not be called.
  bool wait(const RoomId& room, std::function<void()> resume);

 private:
  struct Waiting {
    int joins = 0;
    std::vector<std::function<void()>> resumes;
  };
  std::mutex mutex_;
  std::unordered_map<RoomId, Waiting> rooms_;
};

void receive_remote(const std::shared_ptr<Engine>& engine, const std::shared_ptr<MissingEvents>& missing,
                    const std::shared_ptr<Joining>& joining, const ServerName& origin, Json pdu,
                    std::function<void(RemoteOutcome)> done);

// Hands a verified event to its room.
void hand_in(const std::shared_ptr<Engine>& engine, const std::shared_ptr<MissingEvents>& missing,
             const std::shared_ptr<Arrival>& arrival);

}  // namespace skerry::homeserver
