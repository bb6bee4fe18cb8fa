// The rooms of a server that has no others to ask, in this process: what the pipeline itself costs.
#pragma once

#include <memory>

#include "homeserver/rooms/pipeline.h"
#include "net/worker_pool.h"

namespace skerry::bench {

class LonelyRooms {
 public:
  LonelyRooms(storage::Database& database, const ServerName& us, const SigningKey& key);
  ~LonelyRooms();
  LonelyRooms(const LonelyRooms&) = delete;
  LonelyRooms& operator=(const LonelyRooms&) = delete;

  // A message, on the disk when this returns. Errors: as RoomPipeline::submit_local().
  Result<EventId> say(const RoomId& room, const UserId& sender);
  // What became of an event that another server sent, signed by this one's key. Decided, and on the disk, when this
  // returns.
  homeserver::RemoteOutcome receive(const ServerName& origin, Json pdu);

 private:
  std::unique_ptr<homeserver::RemoteRooms> nobody_;
  net::WorkerPool turns_;
  net::WorkerPool outbound_;
  std::unique_ptr<homeserver::RoomPipeline> pipeline_;
};

}  // namespace skerry::bench
