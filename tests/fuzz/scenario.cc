// A scenario file, with its world: what is read of it can be played, and follows from the text and the seed alone.
#include <algorithm>

#include "sandbox/scenario/scenario_file.h"
#include "tests/fuzz/fuzz.h"

using namespace skerry;
using namespace skerry::sandbox;
using skerry::test::must_hold;

namespace {

constexpr const char* file = "fuzz.toml";

void must_be_playable(const Scenario& scenario, const Act& act) {
  const std::size_t users = scenario.world.users.size();
  const auto known = [users](std::size_t user) { return user < users; };
  must_hold(act.at_ms >= 0 && act.time_ms >= 0, "time does not run backwards");
  must_hold(scenario.world.rooms.empty() ? act.room == 0 : act.room < scenario.world.rooms.size(), "rooms are there");
  must_hold(known(act.user) && known(act.other), "whoever acts is there");
  must_hold(std::all_of(act.audience.begin(), act.audience.end(), known), "whoever listens is there");
  for (const WorldMessage& said : act.words) must_hold(known(said.user), "whoever speaks is there");
  must_hold(!act_text(scenario, act).empty(), "an act can be told");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(test::text_of(data, size));
  const auto scenario = parse_scenario(text, file);
  if (!scenario) {
    must_hold(scenario.error().text.starts_with(file), "a problem names its line");
    return 0;
  }
  must_hold(!scenario->play.empty(), "a scenario expects something");
  for (const Act& act : scenario->play) must_be_playable(*scenario, act);
  const auto again = parse_scenario(text, file);
  must_hold(again && again->decisions == scenario->decisions && again->play.size() == scenario->play.size(),
            "the same text decides the same");
  return 0;
}
