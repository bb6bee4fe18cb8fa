// The people of core's tests.
#pragma once

#include "tests/support/room_builder.h"

namespace skerry::test {

inline const UserId alice = user("@alice:alpha.test");  // creates rooms
inline const UserId bob = user("@bob:bravo.test");
inline const UserId carol = user("@carol:charlie.test");
inline const UserId dave = user("@dave:delta.test");
inline const UserId mallory = user("@mallory:mike.test");

}  // namespace skerry::test
