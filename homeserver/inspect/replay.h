// A room's history applied from nothing, as a server would that had all of it: the state and the verdict at each event.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/result.h"
#include "core/room_rules.h"
#include "core/state_resolution.h"
#include "core/verdict.h"
#include "homeserver/inspect/event_files.h"

namespace skerry::homeserver::inspect {

// One resolution, where lines of history meet.
struct Resolution {
  std::string at;  // the event before which it was needed, or "" for the room's end
  ResolutionTrace trace;
};

struct Replay {
  std::vector<EventPtr> order;  // each after its prev_events
  std::unordered_map<EventId, Judgement> verdicts;
  std::vector<EventId> extremities;  // sorted
  std::vector<Resolution> resolutions;
  StateMap state;  // at the forward extremities
};

// Signatures, hashes and soft failure are not looked at. Errors: invalid_param when an event names one in prev_events
// or auth_events that is absent, or the graph goes in a circle.
Result<Replay> replay(const RoomRules& rules, const EventsById& events);

}  // namespace skerry::homeserver::inspect
