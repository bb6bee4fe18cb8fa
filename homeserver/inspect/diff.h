// `skerry room diff`: in what servers differ about a room.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "core/result.h"
#include "storage/inspection.h"

namespace skerry::homeserver::inspect {

struct NamedDatabase {
  std::string server;
  storage::Inspection* database = nullptr;  // never null
};

// Compares events, forward extremities, current state and verdicts. Events from before the history that a server has
// (it joined later) are counted and are no difference. Servers that do not know the room are named. Answers whether all
// that do know it agree. Errors: not_found (no server knows it), storage.
Result<bool> diff(const std::vector<NamedDatabase>& servers, const RoomId& room, bool json, std::ostream& out);

}  // namespace skerry::homeserver::inspect
