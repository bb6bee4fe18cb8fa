// Processes that end with the one that started them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "core/result.h"
#include "sandbox/world/sockets.h"

namespace skerry::sandbox {

// Starts a program with stdout and stderr appended to a file (mode 0600). The child is killed when the calling *thread*
// ends (PR_SET_PDEATHSIG): call it from one that lives as long as the process. Errors: storage (no such program, no
// descriptor, no process).
Result<pid_t> spawn_child(const std::vector<std::string>& arguments, const std::string& log_file);

// Starts a program as a daemon: no terminal, its own session, no child of the caller's. `inherited` stays open in it as
// the same number. Errors: storage.
Result<pid_t> spawn_daemon(const std::vector<std::string>& arguments, const std::string& log_file, int inherited);

// What is readable once the process has ended, whosesoever child it is. Not open when there is no such process.
Descriptor watch_process(pid_t pid);
// Returns when the process that is watched has ended, or the time is over; at once when none is.
void wait_for_end(const Descriptor& watched, std::chrono::milliseconds at_most);

// Stops a child, and returns once none of its threads runs any more. False when it stood still already, or ended: that
// is left to whoever waits for its end. SIGCONT lets it go on.
bool stop_child(pid_t pid);

// Proportional set size: what is shared counts by its share. 0 when it cannot be read.
std::uint64_t memory_bytes(pid_t pid);

}  // namespace skerry::sandbox
