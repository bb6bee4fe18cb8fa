// Scenario files: what they give, and what cannot be played, by line.
#include "sandbox/scenario/scenario_file.h"

#include <filesystem>

#include <catch2/catch.hpp>

#include "tests/support/homeserver_process.h"

using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

namespace {

// Seven lines, then the play: one act a line from line 8.
std::string scenario(const std::string& acts, const std::string& more = "") {
  return "title = \"t\"\nlesson = \"l\"\n" + (more.empty() ? std::string("servers = 3") : more) +
         "\nusers = [{ name = \"alice@alpha\" }, { name = \"bob@bravo\" }, { name = \"carol@charlie\" }]\n"
         "rooms = [{ name = \"town\", by = \"alice\", members = [\"bob\"] }]\n\nplay = [\n" +
         acts + "]\n";
}

const std::string said = "{ say = \"x\", by = \"alice\", in = \"town\", as = \"x\" },\n";
const std::string heard = "{ delivered = \"x\" },\n";

std::string problem_of(const std::string& text) {
  const auto parsed = parse_scenario(text, "s.toml");
  return parsed ? "" : parsed.error().text;
}

}  // namespace

TEST_CASE("a scenario that can be played has its acts in order") {
  const auto parsed = parse_scenario(
      scenario(said +
               "{ at = \"1s\", kill = \"bravo\" },\n{ start = \"bravo\" },\n{ delivered = \"x\", within = \"2s\" },\n"),
      "s.toml");
  REQUIRE(parsed);
  REQUIRE(parsed->play.size() == 4);
  CHECK(parsed->play[1].at_ms == 1'000);
  CHECK(parsed->play[2].at_ms == 1'000);
  CHECK(parsed->play[3].time_ms == 2'000);
  CHECK(parsed->play[3].audience == std::vector<std::size_t>{1});
  CHECK(act_text(*parsed, parsed->play[1]) == "bravo.test is killed");
}

TEST_CASE("what cannot be played is refused by its line") {
  const auto refused = [](const std::string& acts, const std::string& beginning, const std::string& more = "") {
    const std::string problem = problem_of(scenario(acts, more));
    INFO(problem);
    CHECK(problem.starts_with("s.toml:" + beginning));
  };
  refused(said + "{ kill = \"zulu\" },\n" + heard, "9: play.kill: there is no server zulu");
  refused("{ say = \"x\", by = \"dave\", in = \"town\", as = \"x\" },\n" + heard, "8: play.by: there is no user dave");
  refused("{ say = \"x\", by = \"alice\", in = \"city\", as = \"x\" },\n" + heard, "8: play.in: there is no room city");
  refused(heard + said, "8: play.delivered: nothing was said as \"x\" before this line");
  refused("{ at = \"2s\", kill = \"bravo\" },\n{ at = \"1s\", start = \"bravo\" },\n" + said + heard,
          "9: play.at: time runs backwards");
  refused(said + "{ block = \"bravo\" },\n" + heard, "9: play.block: a direct sandbox has no gateway", "direct = true");
  refused("{ start = \"bravo\" },\n" + said + heard, "8: play.start: bravo.test runs");
  refused("{ kill = \"alpha\" },\n" + said + heard, "9: play.by: @alice:alpha.test reaches nobody at this time");
  refused("{ block = \"bravo\" },\n" + said + heard, "10: play.delivered: @bob:bravo.test can hear nothing");
  refused("{ say = \"x\", by = \"carol\", in = \"town\", as = \"x\" },\n" + heard,
          "8: play.by: @carol:charlie.test is not in");
  refused(said + said + heard, "9: play.as: there is a x above already");
  refused(said + "{ kill = \"bravo\", start = \"bravo\" },\n" + heard, "9: play.an act: does one thing of");
  refused(said + "{ delivered = \"x\", withn = \"1s\" },\n", "9: play.withn: there is no such key here");
  refused("{ say = \"x\", by = \"alice\", in = \"town\" },\n", "7: play: expects nothing");
  refused(said + "{ kill = \"bravo\" },\n{ converged = \"town\" },\n", "10: play.converged: it cannot be asked");
}

TEST_CASE("the seed alone makes the decisions of a scenario") {
  const std::string text = scenario(
      "{ kill = \"any\", as = \"v\" },\n{ start = \"v\" },\n{ chatter = 9, in = \"town\", as = \"c\" },\n"
      "{ delivered = \"c\" },\n");
  const auto one = parse_scenario(text, "s.toml", 1);
  const auto same = parse_scenario(text, "s.toml", 1);
  REQUIRE((one && same));
  CHECK(one->decisions.size() == 2);
  CHECK(one->decisions == same->decisions);
  CHECK(one->play[0].server == one->play[1].server);
  bool differs = false;
  for (std::uint64_t seed = 2; seed < 8; ++seed) {
    differs |= parse_scenario(text, "s.toml", seed)->play[0].server != one->play[0].server;
  }
  CHECK(differs);
}

TEST_CASE("every shipped scenario and world can be played") {
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SKERRY_SOURCE_DIR "/configs/scenarios")) {
    const auto parsed = parse_scenario(skerry::test::read_file(entry.path()), entry.path().filename());
    INFO((parsed ? std::string() : parsed.error().text));
    CHECK(parsed);
    ++found;
  }
  CHECK(found >= 12);
  for (const auto& entry : std::filesystem::directory_iterator(SKERRY_SOURCE_DIR "/configs/worlds")) {
    const auto parsed = parse_world(skerry::test::read_file(entry.path()), entry.path().filename());
    INFO((parsed ? std::string() : parsed.error().text));
    CHECK(parsed);
  }
}
