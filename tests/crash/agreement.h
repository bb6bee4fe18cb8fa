// What must hold when all is over: every server has every acknowledged event, once, and all have the same room.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "tests/crash/account.h"
#include "tests/crash/ledger.h"

namespace skerry::crash {

// Waits until all of them see the same events and the same state in each room, and notes what does not come true until
// the deadline; then looks for each acknowledged event. The number of events of all rooms.
std::size_t check_agreement(const std::vector<const Account*>& accounts, const std::vector<std::string>& rooms,
                            Ledger& ledger, std::chrono::steady_clock::time_point deadline);

}  // namespace skerry::crash
