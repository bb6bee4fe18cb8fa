// Some hundred histories, each decided by its seed. More: tools/simulate.
#include <catch2/catch.hpp>

#include "net/log.h"
#include "tests/simulator/play.h"

using namespace skerry;
using namespace skerry::simulator;

namespace {

constexpr int seeds_per_case = 50;
constexpr int shrinking_tries = 100;

void play_from(int first) {
  log::set_level(log::Level::off);
  for (int seed = first; seed < first + seeds_per_case; ++seed) {
    const Script script = script_of(static_cast<std::uint64_t>(seed));
    const Outcome outcome = play(script);
    if (!outcome.failed()) continue;
    for (const auto& complaint : outcome.complaints) UNSCOPED_INFO(complaint);
    FAIL("seed " << seed << " fails. Again: tools/simulate --seed " << seed << "\nThe smallest script that fails:\n"
                 << to_text(shrink(script, shrinking_tries)));
  }
}

}  // namespace

// Several cases, so that they run side by side.
TEST_CASE("servers agree after fifty histories of splits and crashes and lies") { play_from(0); }
TEST_CASE("servers agree after fifty other histories") { play_from(seeds_per_case); }
TEST_CASE("servers agree after yet fifty others") { play_from(2 * seeds_per_case); }
TEST_CASE("servers agree after the last fifty") { play_from(3 * seeds_per_case); }

TEST_CASE("the same script plays the same history") {
  log::set_level(log::Level::off);
  const Script script = script_of(7);
  CHECK(play(script, true).graph == play(script, true).graph);
}

TEST_CASE("a script is what its text says") {
  const Script script = script_of(11);
  const auto again = parse_script(to_text(script));
  REQUIRE(again);
  CHECK(to_text(*again) == to_text(script));
  for (const auto* wrong : {"version 99", "do nothing", "do say server 9", "servers 0", "seed x", "what"}) {
    CHECK_FALSE(parse_script(wrong));
  }
}
