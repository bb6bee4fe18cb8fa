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
  refused("{ chatter = 0, in = \"town\", as = \"x\" },\n" + heard, "8: play.chatter: must be a whole number, 1 to");
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

TEST_CASE("a play without people is refused for that alone") {
  const std::string text = "title = \"t\"\nlesson = \"l\"\nplay = [\n" + said + heard + "]\n";
  CHECK(problem_of(text) == "s.toml:1: users: a scenario needs people");
}

TEST_CASE("every fault of the commands can be an act, and is the same fault") {
  const auto parsed = parse_scenario(
      scenario("{ link = [\"alpha\", \"bravo\"], latency = \"1s\", jitter = \"20ms\", rate_kbit = 64 },\n"
               "{ link = [\"clients\", \"alpha\"], one_way = true, mode = \"http\", http_status = 503 },\n"
               "{ link = [\"clients\", \"alpha\"], one_way = true, mode = \"up\" },\n"
               "{ partition = [[\"alpha\"], [\"bravo\", \"charlie\"]] },\n{ heal = [\"link\", \"partition\"] },\n"
               "{ freeze = \"any\", as = \"v\" },\n{ dns = \"v\", answer = \"nxdomain\" },\n{ thaw = \"v\" },\n"
               "{ clock = \"bravo\", offset = \"-1d12h\" },\n{ backoff = \"2s\" },\n{ block = \"bravo\" },\n"
               "{ heal = \"all\" },\n" +
               said + heard),
      "s.toml");
  INFO((parsed ? std::string() : parsed.error().text));
  REQUIRE(parsed);
  const auto text = [&](std::size_t act) { return act_text(*parsed, parsed->play[act]); };
  REQUIRE(parsed->play[0].faults.size() == 2);
  CHECK(parsed->play[0].faults[0].link == parsed->play[0].faults[1].link);
  CHECK(fault_text(parsed->play[0].faults[1]) ==
        "link bravo.test -> alpha.test: latency 1s, jitter 20ms, rate 64 kbit/s");
  CHECK(text(1) == "link clients -> alpha.test: http 503");
  CHECK(text(3) == "partition alpha.test / bravo.test,charlie.test");
  CHECK(text(4) == "no more link, partition");
  CHECK(parsed->play[6].faults[0].server == parsed->play[5].server);
  CHECK(parsed->play[7].server == parsed->play[5].server);
  CHECK(parsed->play[8].faults[0].offset_ms == -129'600'000);
  CHECK(parsed->play[9].faults[0].max_ms == 2'000);
  CHECK(parsed->play[10].faults[0].key() == "block bravo.test");
  CHECK(text(11) == "all faults end");
}

TEST_CASE("faults that cannot be are refused by their line") {
  const auto refused = [](const std::string& acts, const std::string& beginning, const std::string& more = "") {
    const std::string problem = problem_of(scenario(acts, more));
    INFO(problem);
    CHECK(problem.starts_with("s.toml:" + beginning));
  };
  const std::string rest = said + heard;
  refused("{ link = [\"alpha\"], mode = \"down\" },\n" + rest, "8: play.link: has two ends");
  refused("{ link = [\"alpha\", \"alpha\"], mode = \"down\" },\n" + rest, "8: play.link: a link has two ends");
  refused("{ link = [\"alpha\", \"zulu\"], mode = \"down\" },\n" + rest, "8: play.link: there is no server zulu");
  refused("{ link = [\"alpha\", \"bravo\"] },\n" + rest, "8: play.link: what is to become of it?");
  refused("{ link = [\"alpha\", \"bravo\"], mode = \"slow\" },\n" + rest, "8: play.link: there is no slow");
  refused("{ link = [\"alpha\", \"bravo\"], mode = \"http\" },\n" + rest, "8: play.link: http needs a status");
  refused("{ link = [\"alpha\", \"bravo\"], latency = \"11m\" },\n" + rest, "8: play.link: latency_ms must be");
  refused("{ link = [\"alpha\", \"clients\"], one_way = true, mode = \"down\" },\n" + rest,
          "8: play.link: nobody connects to clients");
  refused("{ link = [\"alpha\", \"bravo\"], mode = \"down\" },\n" + rest, "8: play.link: a direct sandbox has no",
          "direct = true");
  refused("{ partition = [[\"alpha\", \"bravo\"]] },\n" + rest, "8: play.partition: a partition has two groups");
  refused("{ partition = [[\"alpha\"], [\"alpha\"]] },\n" + rest, "8: play.partition: alpha.test is named twice");
  refused("{ thaw = \"bravo\" },\n" + rest, "8: play.thaw: bravo.test runs");
  refused("{ kill = \"bravo\" },\n{ freeze = \"bravo\" },\n" + said + "{ not_delivered = \"x\" },\n",
          "9: play.freeze: bravo.test is killed");
  refused("{ freeze = \"bravo\" },\n" + rest, "10: play.delivered: @bob:bravo.test can hear nothing");
  refused("{ link = [\"clients\", \"alpha\"], mode = \"stall\" },\n" + rest,
          "9: play.by: @alice:alpha.test reaches nobody at this time: alpha.test is cut from clients");
  refused("{ kill = \"bravo\" },\n{ link = [\"clients\", \"bravo\"], mode = \"down\" },\n{ start = \"bravo\" },\n" +
              said + "{ not_delivered = \"x\" },\n",
          "10: play.start: bravo.test is cut from clients");
  refused("{ clock = \"bravo\" },\n" + rest, "8: play.offset");
  refused("{ clock = \"bravo\", offset = \"90\" },\n" + rest, "8: play.offset: 90 is no duration");
  refused("{ dns = \"bravo\", answer = \"maybe\" },\n" + rest, "8: play.dns: a name is answered by");
  refused("{ backoff = \"0s\" },\n" + rest, "8: play.backoff: max_ms must be");
  refused("{ heal = \"all\" },\n" + rest, "8: play.heal: nothing is wrong");
  refused("{ backoff = \"2s\" },\n{ heal = \"link\" },\n" + rest, "9: play.heal: no link is in force");
  refused("{ backoff = \"2s\" },\n{ heal = \"wounds\" },\n" + rest, "9: play.heal: there is no kind of fault wounds");
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
