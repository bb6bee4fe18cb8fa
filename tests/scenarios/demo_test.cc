// `skerry demo` as its users run it.
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;        // NOLINT(google-build-using-namespace)
using namespace skerry::test;  // NOLINT(google-build-using-namespace)

TEST_CASE("the nine steps of the demo hold") {
  const Ran ran = run({SKERRY_BIN_DIR "/skerry", "demo", "--json"});
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  std::istringstream lines(ran.output);
  std::vector<Json> steps;
  for (std::string line; std::getline(lines, line);) steps.push_back(Json::parse(line));
  REQUIRE(steps.size() == 10);
  for (std::size_t i = 0; i < 9; ++i) {
    CHECK(steps[i]["step"] == i + 1);
    CHECK(steps[i]["held"] == true);
  }
  CHECK(steps[1]["facts"]["@alice:alpha.test"]["fields_sent"] == "auth.session, auth.type, password, username");
  CHECK(steps[5]["facts"]["pairs_left"] == 2);
  CHECK(steps[5]["facts"]["pairs"] == 6);
  CHECK(steps[8]["facts"]["blocks_here"] == 2);
  CHECK(steps[8]["facts"]["blocks_central"] == 1);
  CHECK(steps[9]["summary"] == "demo: 9 of 9 steps held");
  const std::string pid = steps[0]["facts"]["sandbox"]["servers"][0]["pid"].dump();
  CHECK(read_file("/proc/" + pid + "/comm").find("skerry") == std::string::npos);  // nothing is left running
}
