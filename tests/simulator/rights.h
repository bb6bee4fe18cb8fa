// Who may do what in a room: a second, plainer opinion than core's, written from the specification for the events that
// the simulation makes. It asks less than the rules do, so whatever it refuses must never have taken effect.
#pragma once

#include <optional>
#include <string>

#include "core/authorization.h"

namespace skerry::simulator {

// Why the state does not let the sender do this; nothing when it does.
std::optional<std::string> objection(const RoomRules& rules, const Event& event, const Event& create,
                                     const StateLookup& state);

}  // namespace skerry::simulator
