// What people on different servers see of each other. Real processes, real TLS, real databases.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/world.h"

using namespace skerry::test;  // NOLINT(google-build-using-namespace)
using skerry::Json;

TEST_CASE("messages cross in both directions and both servers hold the same room") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");

  const std::string room = alice.creates_room("lobby");
  bob.joins("#lobby:alpha.test");
  alice.says(room, "hello bob");
  bob.hears(room, alice, "hello bob");
  bob.says(room, "hello alice");
  alice.hears(room, bob, "hello alice");

  world.agree(room, {&alice, &bob});
}

TEST_CASE("every room version federates") {
  const std::string version = GENERATE("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12");
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");

  const std::string room = alice.creates_room("lobby", version);
  bob.joins("#lobby:alpha.test");
  bob.says(room, "this is version " + version);
  alice.hears(room, bob, "this is version " + version);
  alice.says(room, "so it is");
  bob.hears(room, alice, "so it is");

  world.agree(room, {&alice, &bob});
}

TEST_CASE("a newcomer reads what was said before on other servers") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");

  const std::string room = alice.creates_room("lobby");
  for (int i = 0; i < 30; ++i) alice.says(room, "before " + std::to_string(i));
  bob.joins("#lobby:alpha.test");

  world.agree(room, {&alice, &bob});
}

TEST_CASE("an invitation crosses and can be accepted") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");

  const std::string room = alice.creates_room("lobby");
  alice.invites(room, bob);
  bob.is_invited_to(room);
  bob.joins(room);
  alice.sees_state(room, "m.room.member", bob.id(), "\"join\"");
  bob.says(room, "thank you");
  alice.hears(room, bob, "thank you");
}

TEST_CASE("one who accepts an invitation from another server is not told that they left") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");

  const std::string room = alice.creates_room("lobby");
  const auto since = bob.person().api().get("/sync").value().at("next_batch").get<std::string>();
  alice.invites(room, bob);
  bob.is_invited_to(room);
  bob.joins(room);
  const Json shown = bob.person().api().get("/sync?since=" + since).value();
  CHECK(shown.at("rooms").at("join").contains(room));
  CHECK_FALSE(shown.at("rooms").contains("leave"));
}

TEST_CASE("one who left comes back and the others see both") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");

  const std::string room = alice.creates_room("lobby");
  bob.joins("#lobby:alpha.test");
  alice.sees_state(room, "m.room.member", bob.id(), "\"join\"");
  bob.leaves(room);
  alice.sees_state(room, "m.room.member", bob.id(), "\"leave\"");
  alice.says(room, "nobody here but me");
  bob.joins("#lobby:alpha.test");
  bob.says(room, "back again");
  alice.hears(room, bob, "back again");

  world.agree(room, {&alice, &bob});
}

TEST_CASE("topics and names and redactions are seen on other servers") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");

  const std::string room = alice.creates_room("lobby");
  bob.joins("#lobby:alpha.test");
  must(alice.person().set_state(room, "m.room.topic", "", {{"topic", "rocks in the sea"}}), "alice sets the topic");
  bob.sees_state(room, "m.room.topic", "", "rocks in the sea");
  must(bob.person().api().put("/profile/" + bob.id() + "/displayname", {{"displayname", "Bob the Builder"}}),
       "bob changes his name");
  alice.sees_state(room, "m.room.member", bob.id(), "Bob the Builder");
  const std::string regretted = alice.says(room, "something regretted");
  bob.hears(room, alice, "something regretted");
  const std::string redaction = must(alice.person().redact(room, regretted), "alice redacts");
  REQUIRE(bob.person().listener().wait_for_event(redaction, std::chrono::seconds(30)));
  const Json event = must(bob.person().api().get("/rooms/" + skerry::net::percent_encode(room) + "/event/" +
                                                 skerry::net::percent_encode(regretted)),
                          "bob reads the redacted event");
  CHECK(event.at("content") == Json::object());

  world.agree(room, {&alice, &bob});
}

TEST_CASE("three servers hear each other whoever speaks") {
  World world(3);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  Actor carol = world.person("carol", "charlie");

  const std::string room = alice.creates_room("lobby");
  alice.invites(room, bob);
  bob.is_invited_to(room);
  bob.joins(room);
  carol.joins("#lobby:alpha.test");
  const std::vector<Actor*> all = {&alice, &bob, &carol};
  for (int round = 0; round < 5; ++round) {
    for (Actor* speaker : all) speaker->says(room, std::to_string(round) + " by " + speaker->id());
  }
  for (Actor* speaker : all) {
    for (Actor* other : all) {
      if (speaker != other) other->hears(room, *speaker, "4 by " + speaker->id());
    }
  }
  world.agree(room, {&alice, &bob, &carol});
}
