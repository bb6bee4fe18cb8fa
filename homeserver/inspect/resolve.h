// `skerry room resolve`: the state that follows from given states, or from a given history, and why.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "core/result.h"

namespace skerry::homeserver::inspect {

struct ResolveOptions {
  std::string room_version;
  std::vector<std::string> event_files;
  std::vector<std::string> state_files;  // none: the state at the end of the history that the events are
  bool explain = false;
  bool json = false;
};

// Prints the resolved state: as JSON one object `{"type|state_key": "event id"}`, with `explain` the object
// `{"state": ..., "explain": ...}`. Errors: invalid_param.
Result<void> resolve(const ResolveOptions& options, std::ostream& out);

}  // namespace skerry::homeserver::inspect
