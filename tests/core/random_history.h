// Random histories of a room, for properties of state resolution.
#pragma once

#include <vector>

#include "tests/support/room_builder.h"

namespace skerry::test {

// Between two and four forks of a public room of four people who join, leave, ban, invite, change topics, power levels
// and join rules on random forks by what the rules allow there, at times that often are the same; now and then forks
// merge. Draws from RapidCheck: REQUIRES a running rc::prop.
std::vector<RoomBuilder::Tip> random_forks(RoomBuilder& room);

}  // namespace skerry::test
