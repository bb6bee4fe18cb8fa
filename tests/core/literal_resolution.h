// The resolution algorithms of the specification, word for word and slow, to compare resolve_state with: sets are made
// by trying everything, orders by picking the least again and again. Nothing is shared with core but the authorization
// rules.
#pragma once

#include <vector>

#include "core/state.h"
#include "tests/support/room_builder.h"

namespace skerry::test {

// The resolution by the algorithm that the room's version names.
StateMap resolve_literally(const RoomBuilder& room, const std::vector<StateMap>& states);

}  // namespace skerry::test
