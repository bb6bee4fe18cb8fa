#include "sandbox/people/environment.h"

#include <catch2/catch.hpp>

using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)
using skerry::UserId;

namespace {

using Prefixes = std::vector<std::vector<std::string>>;

Prefixes prefixes(const std::vector<std::string>& users) {
  std::vector<UserId> parsed;
  for (const std::string& user : users) parsed.push_back(*UserId::parse(user));
  const auto found = user_prefixes({"alpha.test", "bravo.test"}, parsed);
  return found ? *found : Prefixes();
}

}  // namespace

TEST_CASE("a user's variables begin with the name alone and with the name and the server") {
  CHECK(prefixes({"@alice:alpha.test", "@bob.b-2:bravo.test"}) ==
        Prefixes{{"SKERRY_ALICE", "SKERRY_ALICE_ALPHA"}, {"SKERRY_BOB_B_2", "SKERRY_BOB_B_2_BRAVO"}});
}

TEST_CASE("a beginning that could mean two is nobody's") {
  CHECK(prefixes({"@alice:alpha.test", "@alice:bravo.test"}) ==
        Prefixes{{"SKERRY_ALICE_ALPHA"}, {"SKERRY_ALICE_BRAVO"}});
  CHECK(prefixes({"@alpha:alpha.test"}) == Prefixes{{"SKERRY_ALPHA_ALPHA"}});  // the server's
  CHECK(prefixes({"@room:alpha.test"}) == Prefixes{{"SKERRY_ROOM_ALPHA"}});    // the room's
  CHECK(prefixes({"@alice:alpha.test", "@alice_alpha:alpha.test"}) ==
        Prefixes{{"SKERRY_ALICE"}, {"SKERRY_ALICE_ALPHA_ALPHA"}});
}

TEST_CASE("users that could not be told apart are refused") {
  CHECK(prefixes({"@a.b:alpha.test", "@a-b:alpha.test"}).empty());
  CHECK(prefixes({"@alice:alpha.test", "@alice:alpha.test"}).empty());
}
