#include "sandbox/world/interrupt.h"

#include <atomic>
#include <csignal>

namespace skerry::sandbox {

namespace {

std::atomic<int> first{0};
static_assert(std::atomic<int>::is_always_lock_free);  // what a signal handler may use

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int number) {
    int none = 0;
    first.compare_exchange_strong(none, number);
  };
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &action, nullptr);
}

bool interrupted() { return first != 0; }
int interrupted_by() { return first; }

}  // namespace skerry::sandbox
