// The state of a room at a point: (type, state key) -> event id.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/ids.h"

namespace skerry {

struct StateKey {
  std::string type;
  std::string state_key;
  friend auto operator<=>(const StateKey&, const StateKey&) = default;
};

// Ordered by (type, state key). Shared as `StatePtr` once built.
using StateMap = std::map<StateKey, EventId>;
using StatePtr = std::shared_ptr<const StateMap>;

}  // namespace skerry
