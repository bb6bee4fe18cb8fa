#include <algorithm>

#include "tests/simulator/play.h"

namespace skerry::simulator {

namespace {

class Shrinker {
 public:
  Shrinker(Script script, int tries) : smallest_(std::move(script)), tries_(tries) {}

  Script shrink() {
    // Ever smaller pieces, as in delta debugging.
    for (std::size_t size = std::max<std::size_t>(smallest_.actions.size() / 2, 1);; size /= 2) {
      leave_out(size);
      if (size == 1) break;
    }
    soften();
    return smallest_;
  }

 private:
  bool still_fails(const Script& candidate) {
    if (tries_ <= 0) return false;
    --tries_;
    if (!play(candidate).failed()) return false;
    smallest_ = candidate;
    return true;
  }

  void leave_out(std::size_t size) {
    // From the end: what comes later rests on what comes before.
    for (std::size_t end = smallest_.actions.size(); end > 0;) {
      const std::size_t begin = end > size ? end - size : 0;
      Script candidate = smallest_;
      candidate.actions.erase(candidate.actions.begin() + static_cast<std::ptrdiff_t>(begin),
                              candidate.actions.begin() + static_cast<std::ptrdiff_t>(end));
      still_fails(candidate);
      end = begin;
    }
  }

  void soften() {
    const auto attempt = [this](int Script::*field, int value) {
      if (smallest_.*field == value) return;
      Script candidate = smallest_;
      candidate.*field = value;
      still_fails(candidate);
    };
    attempt(&Script::false_states, 0);
    attempt(&Script::false_answers, 0);
    attempt(&Script::loss, 0);
    attempt(&Script::repeats, 0);
    attempt(&Script::delay_ms, 1);
    for (std::size_t i = 0; i < smallest_.actions.size(); ++i) {
      if (smallest_.actions[i].steps < 0) continue;
      Script candidate = smallest_;
      candidate.actions[i].steps = -1;
      still_fails(candidate);
    }
  }

  Script smallest_;
  int tries_;
};

}  // namespace

Script shrink(const Script& script, int tries) { return Shrinker(script, tries).shrink(); }

}  // namespace skerry::simulator
