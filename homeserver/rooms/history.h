// Puts events into a room's past: before its backward extremities when someone pages back, or where a hole is in what
// another server sent. Promises that each gets the state at its place, and that none reaches heads or current state. To
// the live stream comes only what our users missed while they were in the room.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <vector>

#include "homeserver/rooms/fetch.h"

namespace skerry::homeserver {

// Of `events` those that `wanted` names, and those before them.
std::vector<EventPtr> connected(const std::vector<EventId>& wanted, const std::vector<EventPtr>& events);

// Judges and stores verified events as history, fetching states and auth events that are missing. How many have a place
// then. Waits: on `outbound` threads only.
// `was_missed`: what comes from a time when our users were in the room is new to them (Standing::late).
std::size_t place_history(Engine& engine, Fetcher& fetcher, std::vector<EventPtr> events, bool was_missed);

class Backfiller {
 public:
  // What RoomPipeline::backfill promises. Callers for a room that is being backfilled wait for that.
  Result<bool> backfill(Engine& engine, const RoomId& room, std::size_t limit);

 private:
  Result<bool> ask_servers(Engine& engine, const RoomId& room, std::size_t limit);

  std::mutex mutex_;
  std::condition_variable ended_;
  std::set<RoomId> under_way_;
};

}  // namespace skerry::homeserver
