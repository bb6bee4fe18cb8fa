// Joins under restricted rules ('Restricted rooms'): whether the user meets a condition of the join rules, and who of
// this server's users vouches for it.
#pragma once

#include "core/json.h"
#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

// Of a rule's conditions: more are not looked at.
inline constexpr std::size_t max_conditions = 100;

// Puts join_authorised_via_users_server into the content of a join that needs it; leaves other memberships and joins
// alone. Errors: forbidden (no condition is met), unable_to_authorise_join (this server cannot tell),
// unable_to_grant_join (nobody here may invite), storage.
Result<void> authorise_join(Engine& engine, Room& room, const RoomState& state, const UserId& user, Json& content);

}  // namespace skerry::homeserver
