#include "tests/crash/faults.h"

#include <algorithm>
#include <csignal>
#include <thread>

namespace skerry::crash {

Faults::Faults(test::World& world, std::uint64_t seed) : world_(world), random_(seed) {
  for (const auto& name : world.status().names()) servers_.push_back({name, Trouble::none, {}, false, {}});
}

std::chrono::milliseconds Faults::between(int least_ms, int most_ms) {
  return std::chrono::milliseconds(std::uniform_int_distribution<int>(least_ms, most_ms)(random_));
}

FaultCounts Faults::run(int kills) {
  auto next_harm = Steady::now() + between(200, 800);
  while (counts_.kills < kills) {
    std::this_thread::sleep_until(std::min(next_harm, next_recovery()));
    const auto now = Steady::now();
    for (Server& server : servers_) heal(server, now);
    if (now < next_harm) continue;
    do_harm(servers_[random_() % servers_.size()], now);
    next_harm = now + between(50, 900);
  }
  for (Server& server : servers_) heal(server, Steady::time_point::max());
  for (const Server& server : servers_) world_.start(server.name);  // waits until it answers
  return counts_;
}

void Faults::do_harm(Server& server, Steady::time_point now) {
  const auto kind = random_() % 10;
  if (kind < 6 && server.trouble != Trouble::killed) {
    // Also one that is frozen, and one that is just starting.
    world_.kill(server.name);
    ++counts_.kills;
    server.trouble = Trouble::killed;
    server.well_at = now + (random_() % 3 == 0 ? between(0, 1) : between(1, 1'500));
  } else if (kind < 8 && !server.cut) {
    world_.block(server.name);
    ++counts_.cuts;
    server.cut = true;
    server.joined_at = now + between(100, 2'000);
  } else if (kind >= 8 && server.trouble == Trouble::none) {
    world_.signal(server.name, SIGSTOP);
    ++counts_.freezes;
    server.trouble = Trouble::frozen;
    server.well_at = now + between(50, 1'500);
  }
}

void Faults::heal(Server& server, Steady::time_point now) {
  if (server.trouble != Trouble::none && server.well_at <= now) {
    if (server.trouble == Trouble::killed) world_.begin_to_start(server.name);
    if (server.trouble == Trouble::frozen) world_.signal(server.name, SIGCONT);
    server.trouble = Trouble::none;
  }
  if (server.cut && server.joined_at <= now) {
    world_.unblock(server.name);
    server.cut = false;
  }
}

Faults::Steady::time_point Faults::next_recovery() const {
  auto next = Steady::time_point::max();
  for (const Server& server : servers_) {
    if (server.trouble != Trouble::none) next = std::min(next, server.well_at);
    if (server.cut) next = std::min(next, server.joined_at);
  }
  return next;
}

}  // namespace skerry::crash
