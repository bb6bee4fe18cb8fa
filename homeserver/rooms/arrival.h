// A verified event of another server on its way into a room.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

struct Arrival {
  EventPtr event;
  ServerName origin;                      // who sent it, and is asked first for what is missing
  std::vector<Once<RemoteOutcome>> told;  // more than one when it was sent more than once

  void answer(const Judgement& judgement) const;
  // Nothing was decided: it is to come again.
  void put_off(const std::string& reason) const;
};

Judgement dropped(std::string reason);

// Judges the event and queues its commit; `arrival` is answered once that is through. What it needs when it cannot be
// judged yet: then nothing was done. `state` is given when the state before the event is known from elsewhere than its
// prev_events. An event that others here build on already is no head. In the room's turn only.
std::optional<Needs> offer(Engine& engine, const std::shared_ptr<Room>& room, const std::shared_ptr<Arrival>& arrival,
                           std::optional<RoomState> state = {});

}  // namespace skerry::homeserver
