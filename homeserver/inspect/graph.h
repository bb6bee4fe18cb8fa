// `skerry room graph`: a room's events as one server knows them, and how they follow each other.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "core/result.h"
#include "storage/inspection.h"

namespace skerry::homeserver::inspect {

struct RoomGraph {
  storage::RoomInfo info;
  storage::RoomHead head;
  StateMap current_state;
  std::vector<storage::StoredEvent> events;  // by depth, then by order of arrival
  std::size_t left_out = 0;                  // further ones that the server has

  bool is_extremity(const EventId& id) const;
  bool is_current(const Event& event) const;  // it stands in the current state
};

// Of `most` events at most: those around the given one, else the last ones. Errors: not_found, storage.
Result<RoomGraph> load_graph(storage::Inspection& database, const RoomId& room, const std::optional<EventId>& around,
                             std::size_t most);

// text: for a terminal of 80 columns; newest first, as `git log --graph` shows commits.
enum class GraphFormat { text, dot, svg, json };
void print_graph(const RoomGraph& graph, GraphFormat format, std::ostream& out);

// What an event is, in a few words: "m.room.member @bob:bravo.test join". Contents of messages are not shown.
std::string summary(const Event& event);
// accepted, soft-failed or rejected.
const char* verdict_word(Verdict verdict);

}  // namespace skerry::homeserver::inspect
