// Randomness by a seed, the same with every library: std::mt19937_64 is specified to the bit, its distributions are
// not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "net/runtime.h"

namespace skerry::simulator {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t roll() { return engine_(); }
  // REQUIRES: bound > 0.
  int below(int bound) { return static_cast<int>(engine_() % static_cast<std::uint64_t>(bound)); }
  int between(int least, int most) { return least + below(most - least + 1); }
  bool percent(int chance) { return below(100) < chance; }
  template <class T>
  const T& one_of(const std::vector<T>& choices) {
    return choices[static_cast<std::size_t>(below(static_cast<int>(choices.size())))];
  }

 private:
  std::mt19937_64 engine_;
};

// What servers make their ids of.
class DiceBytes : public net::Random {
 public:
  explicit DiceBytes(std::uint64_t seed) : dice_(seed) {}
  std::string bytes(std::size_t count) override {
    std::string made;
    for (std::size_t i = 0; i < count; ++i) made.push_back(static_cast<char>(dice_.below(256)));
    return made;
  }

 private:
  Dice dice_;
};

}  // namespace skerry::simulator
