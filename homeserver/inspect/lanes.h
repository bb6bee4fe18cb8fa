// Where the events of a graph stand when it is drawn in lanes, one row an event, newest first.
#pragma once

#include <cstddef>
#include <vector>

#include "core/event.h"

namespace skerry::homeserver::inspect {

struct Row {
  std::size_t event = 0;             // index into the list that was given
  std::size_t lane = 0;              // where it stands
  std::vector<std::size_t> passing;  // lanes of others that go by, this one's own not among them
  std::vector<std::size_t> joining;  // further lanes that end here: later events that follow this one
  std::vector<std::size_t> leaving;  // further lanes that begin here: more events before this one
};

// `events` each after what it follows. Lanes end at events that are not in the list.
std::vector<Row> lay_out(const std::vector<EventPtr>& events);

}  // namespace skerry::homeserver::inspect
