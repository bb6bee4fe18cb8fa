// Makes a world real in a sandbox, by the client API of its servers.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sandbox/people/client_api.h"
#include "sandbox/scenario/world_file.h"
#include "sandbox/world/layout.h"
#include "sandbox/world/status.h"
#include "sandbox/world/web.h"

namespace skerry::sandbox {

// Indices as in the World.
struct Seeded {
  std::vector<std::vector<Registered>> sessions;  // of each user, one a device
  std::vector<std::string> rooms;                 // ids
  std::vector<double> seconds;                    // users, rooms
};

// Before anything is done: whether all servers are there and run, and every name and alias is free. Errors:
// invalid_param, with what is in the way.
Result<void> check_seedable(Web& web, const SandboxStatus& status, const World& world);

// Users several at a time, then rooms several at a time; within a room one thing after the other, each heard by the
// server of the next speaker before that one speaks, so that all servers have all of it in the same order. Event ids
// and times differ from one time to the next. The passwords are kept in the folder. Errors: cancelled when
// interrupted(); as ClientApi, with who and what. What was made until then stays.
Result<Seeded> seed_world(Web& web, const Folder& folder, const SandboxStatus& status, const World& world);

}  // namespace skerry::sandbox
