// Events and states from files, for questions about rooms that no server here knows.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "core/event.h"
#include "core/result.h"
#include "core/state.h"

namespace skerry::homeserver::inspect {

using EventsById = std::unordered_map<EventId, EventPtr>;

// Each file holds a JSON array of PDUs, each with an explicit `event_id`, which is taken as given; hashes, signatures
// and depth may be absent, and prev_events and auth_events may name events as [id, hashes] as in room versions 1 and 2.
// The same event may come twice. Errors: invalid_param, which name file and place.
Result<EventsById> read_events(const std::vector<std::string>& files);

// The file holds a JSON array of ids of state events, one for a key. Errors: invalid_param, which name what is wrong.
Result<StatePtr> read_state(const std::string& file, const EventsById& events);

// invalid_param when an event cites one that is not among them.
Result<void> check_auth_events_are_there(const EventsById& events);

}  // namespace skerry::homeserver::inspect
