// World and scenario files.
#include "sandbox/scenario/scenario_file.h"

#include "tests/fuzz/fuzz.h"

using namespace skerry::sandbox;
using skerry::test::must_hold;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text = skerry::test::text_of(data, size);
  const auto scenario = parse_scenario(text, "fuzz.toml");
  if (!scenario) {
    must_hold(scenario.error().text.starts_with("fuzz.toml:"), "a problem names its line");
    return 0;
  }
  const World& world = scenario->world;
  for (const Act& act : scenario->play) {
    must_hold(!act_text(*scenario, act).empty(), "every act can be told");
    for (const WorldMessage& words : act.words) must_hold(words.user < world.users.size(), "somebody speaks");
    for (const std::size_t user : act.audience) must_hold(user < world.users.size(), "somebody hears");
  }
  const auto again = parse_scenario(text, "fuzz.toml");
  must_hold(again && again->decisions == scenario->decisions, "the seed alone decides");
  return 0;
}
