// World files: what they give, and how what is wrong is told.
#include "sandbox/scenario/world_file.h"

#include <catch2/catch.hpp>

using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

namespace {

constexpr const char* small = R"(seed = 5
servers = 2
[[users]]
name = "alice@alpha"
devices = ["PHONE", "LAPTOP"]
[[users]]
name = "guest"
count = 4
on = ["alpha", "bravo"]
[[rooms]]
name = "town"
by = "alice"
members = ["guest*"]
say = ["alice: Hello", "guest2: Hi: you"]
chatter = 50
)";

std::string problem_of(const std::string& text) {
  const auto world = parse_world(text, "w.toml");
  return world ? "" : world.error().text;
}

}  // namespace

TEST_CASE("a world file gives users, rooms and what is said in them") {
  const auto world = parse_world(small, "w.toml");
  REQUIRE(world);
  REQUIRE(world->users.size() == 5);
  CHECK(world->users[0].devices.size() == 2);
  CHECK(world->users[1].id() == "@guest1:alpha.test");
  CHECK(world->users[2].id() == "@guest2:bravo.test");
  REQUIRE(world->rooms.size() == 1);
  CHECK(world->rooms[0].members.size() == 4);
  REQUIRE(world->rooms[0].messages.size() == 52);
  CHECK(world->rooms[0].messages[1].user == 2);
  CHECK(world->rooms[0].messages[1].text == "Hi: you");
}

TEST_CASE("a seed decides the passwords and all that is said") {
  const auto one = parse_world(small, "w.toml");
  const auto same = parse_world(small, "other.toml");
  const auto other = parse_world(small, "w.toml", 6);
  REQUIRE((one && same && other));
  const auto& messages = one->rooms[0].messages;
  bool all_same = true;
  bool some_differ = false;
  for (std::size_t i = 2; i < messages.size(); ++i) {
    all_same &=
        messages[i].text == same->rooms[0].messages[i].text && messages[i].user == same->rooms[0].messages[i].user;
    some_differ |= messages[i].text != other->rooms[0].messages[i].text;
  }
  CHECK(all_same);
  CHECK(some_differ);
  CHECK(one->users[0].password == same->users[0].password);
  CHECK(one->users[0].password != other->users[0].password);
  CHECK(one->users[0].password != one->users[1].password);
  // What this generator gave once it gives on every machine.
  CHECK(Decisions(1).next() == 0x910a2dec89025cc1);
}

TEST_CASE("what is wrong with a world is told by file, line and what was expected") {
  const std::string user = "[[users]]\nname = \"alice@alpha\"\n";
  CHECK(problem_of("seed = \"x\"").starts_with("w.toml:1: seed: must be a whole number"));
  CHECK(problem_of("sed = 1") == "w.toml:1: sed: there is no such key here");
  CHECK(problem_of("[[users]]\nname = \"alice@zulu\"").starts_with("w.toml:2: users.name: there is no server zulu"));
  CHECK(problem_of("[[users]]\nname = \"alice\"").find("lives on no server") != std::string::npos);
  CHECK(problem_of(user + user).starts_with("w.toml:4: users.name: @alice:alpha.test is there already"));
  CHECK(problem_of("[[users]]\nname = \"Alice@alpha\"").starts_with("w.toml:2: users.name: must be of a-z"));
  const std::string room = user + "[[rooms]]\nname = \"r\"\n";
  CHECK(problem_of(room) == "w.toml:3: rooms.by: is required");
  CHECK(problem_of(room + "by = \"bob\"") == "w.toml:5: rooms.by: there is no user bob above");
  CHECK(problem_of(room + "by = \"alice\"\nversion = \"13\"").starts_with("w.toml:6: rooms.version: must be a room"));
  CHECK(problem_of(room + "by = \"alice\"\nsay = [\n\"alice Hello\"]").starts_with("w.toml:7: rooms.say: must be as"));
  CHECK(problem_of(room + "by = \"alice\"\npowers = { alice = 5 }").find("no bounds") != std::string::npos);
  CHECK(problem_of(room + "by = \"alice\"\nversion = \"10\"\npowers = { alice = 5 }").empty());
  CHECK(problem_of("a = [").starts_with("w.toml:1: TOML:"));
}

TEST_CASE("all problems of a world are told at once in the order of the file") {
  const std::string text = problem_of("[[users]]\nname = 5\n[[rooms]]\nname = \"A\"\n");
  const auto first = text.find("w.toml:2:");
  const auto second = text.find("w.toml:4:");
  REQUIRE(first != std::string::npos);
  REQUIRE(second != std::string::npos);
  CHECK(first < second);
}
