// Waiting for conditions, and for the ends of processes, in tests of programs.
#pragma once

#include <functional>
#include <sys/types.h>

namespace skerry::test {

// Waits until it holds. False when it does not within 40 seconds.
bool eventually(const std::function<bool()>& holds);

// A process that ended and that nobody has waited for yet does not live.
bool alive(pid_t pid);

}  // namespace skerry::test
