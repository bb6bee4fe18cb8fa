// The servers' databases, looked through and laid beside each other: by backups, taken while the servers run.
#pragma once

#include "tests/crash/ledger.h"
#include "tests/support/world.h"

namespace skerry::crash {

// Notes what a server's --check-database finds; an event that comes before one of its prev_events; and rooms that two
// servers hold with different events, heads or states.
void check_databases(const test::World& world, Ledger& ledger);

}  // namespace skerry::crash
