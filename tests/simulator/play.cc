#include "tests/simulator/play.h"

#include <exception>

#include "tests/simulator/judge.h"
#include "tests/simulator/world.h"

namespace skerry::simulator {

Outcome play(const Script& script, bool with_graph) {
  Outcome outcome;
  try {
    World world(script);
    world.play();
    if (world.complaints().empty()) world.settle();
    if (world.complaints().empty()) judge(world);
    outcome.complaints = world.complaints();
    if (with_graph) outcome.graph = graph_of(world);
    outcome.tally = world.tally();
  } catch (const std::exception& error) {
    outcome.complaints.push_back(std::string("it ended with an exception: ") + error.what());
  }
  return outcome;
}

}  // namespace skerry::simulator
