#include "sandbox/world/interrupt.h"

#include <atomic>
#include <csignal>

namespace skerry::sandbox {

namespace {

std::atomic<bool> flag{false};
static_assert(std::atomic<bool>::is_always_lock_free);  // what a signal handler may use

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { flag = true; };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
}

bool interrupted() { return flag; }

}  // namespace skerry::sandbox
