// Servers that are killed, cut off and frozen at random moments, and get well again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/world.h"

namespace skerry::crash {

struct FaultCounts {
  int kills = 0;
  int cuts = 0;
  int freezes = 0;
};

class Faults {
 public:
  Faults(test::World& world, std::uint64_t seed);

  // Returns when so many servers were killed, and all are running, connected and answering again.
  FaultCounts run(int kills);

 private:
  using Steady = std::chrono::steady_clock;
  enum class Trouble { none, killed, frozen };
  struct Server {
    std::string name;
    Trouble trouble = Trouble::none;
    Steady::time_point well_at;  // of `trouble`
    bool cut = false;
    Steady::time_point joined_at;  // of `cut`
  };

  std::chrono::milliseconds between(int least_ms, int most_ms);
  void do_harm(Server& server, Steady::time_point now);
  void heal(Server& server, Steady::time_point now);
  Steady::time_point next_recovery() const;

  test::World& world_;
  std::mt19937_64 random_;
  std::vector<Server> servers_;
  FaultCounts counts_;
};

}  // namespace skerry::crash
