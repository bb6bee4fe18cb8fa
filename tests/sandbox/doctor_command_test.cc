// skerry doctor, on real servers of a sandbox.
#include <chrono>
#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "tests/support/world.h"

using namespace skerry::test;  // NOLINT(google-build-using-namespace)
using skerry::Json;

namespace {

Ran doctor(const World& world, const std::string& server) {
  return run({SKERRY_BIN_DIR "/skerry", "doctor", server, "--json", "--dir", world.folder().path});
}

// The words of a server's findings of one check that are wrong.
std::string wrong(const World& world, const std::string& server, const std::string& check) {
  const Ran ran = doctor(world, server);
  const Json told = Json::parse(ran.output.substr(0, ran.output.find('\n')));
  std::string words;
  for (const Json& finding : told.at("servers").at(0).at("checks")) {
    const bool meant = finding.at("check") == check && finding.at("outcome") == "wrong";
    if (meant) words += finding.at("found").get<std::string>() + "\n";
  }
  CHECK(ran.status == (told.at("healthy") ? 0 : 1));
  return words;
}

}  // namespace

TEST_CASE("the doctor of a sandbox finds what was done to its servers") {
  World world(2);
  const Ran well = run({SKERRY_BIN_DIR "/skerry", "doctor", "--dir", world.folder().path});
  INFO(well.output);
  CHECK(well.status == 0);
  CHECK(well.output.find("WRONG") == std::string::npos);
  CHECK(well.output.find("keys") != std::string::npos);

  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  const std::string room = alice.creates_room("town");
  bob.joins("#town:alpha.test");

  SECTION("blocked, and given up for a while") {
    world.block("bravo");
    CHECK(wrong(world, "bravo", "process").find("gateway cuts it") != std::string::npos);
    CHECK(wrong(world, "bravo", "TLS").find("reset") != std::string::npos);
    alice.says(room, "Is anybody there?");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    std::string words;
    while (words.empty() && std::chrono::steady_clock::now() < deadline) words = wrong(world, "bravo", "backoff");
    CHECK(words.find("alpha.test could not reach it") != std::string::npos);
  }
  SECTION("killed") {
    world.kill("bravo");
    CHECK(wrong(world, "bravo", "process").find("ended by a signal") != std::string::npos);
    CHECK(wrong(world, "alpha", "process").empty());
  }
  SECTION("its clock an hour ahead") {
    REQUIRE(run({SKERRY_BIN_DIR "/skerry", "clock", "bravo", "+1h", "--dir", world.folder().path}).status == 0);
    CHECK(wrong(world, "bravo", "clock").find("60 min ahead") != std::string::npos);
    CHECK(wrong(world, "alpha", "clock").empty());
    REQUIRE(run({SKERRY_BIN_DIR "/skerry", "heal", "--dir", world.folder().path}).status == 0);
    CHECK(wrong(world, "bravo", "clock").empty());
  }
  SECTION("frozen") {
    REQUIRE(run({SKERRY_BIN_DIR "/skerry", "freeze", "bravo", "--dir", world.folder().path}).status == 0);
    const Ran ran = doctor(world, "bravo");  // once: it waits until its patience ends
    CHECK(ran.status == 1);
    CHECK(ran.output.find("it is frozen") != std::string::npos);
    CHECK(ran.output.find("no answer in time") != std::string::npos);
  }
}
