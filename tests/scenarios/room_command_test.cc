// `skerry room`, beside servers that run.
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/world.h"

using namespace skerry;        // NOLINT(google-build-using-namespace)
using namespace skerry::test;  // NOLINT(google-build-using-namespace)

namespace {

Ran room_command(const World& world, std::vector<std::string> words) {
  words.insert(words.begin(), {SKERRY_BIN_DIR "/skerry", "room"});
  words.insert(words.end(), {"--dir", world.folder().path});
  return run(words);
}

Json room_json(const World& world, std::vector<std::string> words) {
  words.emplace_back("--json");
  const Ran ran = room_command(world, std::move(words));
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  return Json::parse(ran.output);
}

}  // namespace

TEST_CASE("a room is looked into while its servers run and in what they differ is told") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  const std::string room = alice.creates_room("lobby");
  bob.joins("#lobby:alpha.test");
  alice.says(room, "before");
  bob.hears(room, alice, "before");

  const Json agreeing = room_json(world, {"diff", "#lobby:alpha.test"});
  CHECK(agreeing["agree"] == true);
  world.block("alpha");
  const std::string lost = bob.says(room, "while alpha is away");
  const Json differing = room_json(world, {"diff", room});
  CHECK(differing["agree"] == false);
  CHECK(differing["servers"]["alpha.test"]["lacking"] == Json{lost});
  CHECK(room_command(world, {"diff", room}).output.find("alpha.test lacks 1 event") != std::string::npos);

  const Json graph = room_json(world, {"graph", room, "--server", "bravo"});
  CHECK(graph["extremities"] == Json{lost});
  CHECK(graph["events"].back()["event_id"] == lost);
  const Ran text = room_command(world, {"graph", room, "--server", "bravo"});
  CHECK(text.output.find("HEAD bob  m.room.message") != std::string::npos);
  std::istringstream lines(text.output);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 80);
  CHECK(room_command(world, {"graph", room, "--format", "svg"}).output.find("</svg>") != std::string::npos);
  CHECK(room_command(world, {"graph", room, "--format", "dot"}).output.find("digraph") != std::string::npos);

  const Json explained = room_json(world, {"explain", lost});
  CHECK(explained["verdict"] == "accepted");
  CHECK(explained["checks"][2]["outcome"] == "passed");
  CHECK_FALSE(explained["checks"][2]["rests_on"].empty());
  const Ran unknown = room_command(world, {"explain", "$nothing"});
  CHECK(unknown.status == 1);
  CHECK(unknown.output.find("no server here has the event") != std::string::npos);
}
