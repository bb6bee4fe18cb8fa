// `skerry bench`: that it works and prints all its rows; never how fast.
#include <map>
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;        // NOLINT(google-build-using-namespace)
using namespace skerry::test;  // NOLINT(google-build-using-namespace)

TEST_CASE("each measurement of the bench gives its rows") {
  const auto [group, count] = GENERATE(table<std::string, int>({{"sends", 6},
                                                                {"sync", 2},
                                                                {"growth", 6},
                                                                {"start", 2},
                                                                {"memory", 2},
                                                                {"waiting", 2},
                                                                {"federation", 2},
                                                                {"joins", 10},
                                                                {"rooms", 11},
                                                                {"floods", 36}}));
  const Ran ran = run({SKERRY_BIN_DIR "/skerry", "bench", "--quick", "--json", group});
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  std::map<std::string, int> rows;
  std::istringstream lines(ran.output);
  for (std::string line; std::getline(lines, line);) {
    const Json row = Json::parse(line);
    ++rows[row["group"]];
    CHECK(row["value"].is_number());
  }
  const std::string title = group == "waiting" ? "waiting clients" : group;
  CHECK(rows == std::map<std::string, int>{{"this machine", 5}, {title, count}});
}

TEST_CASE("another homeserver is measured by its client API and never one elsewhere") {
  HomeserverProcess server;
  const Ran ran = run({SKERRY_BIN_DIR "/skerry", "bench", "--quick", "--json", "--target", server.url(), "sync"});
  INFO(ran.output);
  CHECK(ran.status == 0);
  CHECK(ran.output.find("who wait") != std::string::npos);
  const Ran elsewhere = run({SKERRY_BIN_DIR "/skerry", "bench", "--target", "http://192.0.2.1:8008"});
  CHECK(elsewhere.status == 1);
  CHECK(elsewhere.output.find("not on this machine") != std::string::npos);
  const Ran unknown = run({SKERRY_BIN_DIR "/skerry", "bench", "speed"});
  CHECK(unknown.status == 1);
  CHECK(unknown.output.find("there are: sends") != std::string::npos);
}
