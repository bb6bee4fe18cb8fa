// A server that stands still: its machine answers for it, and it says nothing.
#include <algorithm>
#include <csignal>

#include <catch2/catch.hpp>

#include "tests/support/world.h"

using namespace skerry::test;  // NOLINT(google-build-using-namespace)

TEST_CASE("a frozen server delays nobody and gets everything in order when it goes on") {
  World world(3);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  Actor carol = world.person("carol", "charlie");
  const std::string room = alice.creates_room("lobby");
  bob.joins("#lobby:alpha.test");
  carol.joins("#lobby:alpha.test");
  carol.says(room, "everybody is here");
  alice.hears(room, carol, "everybody is here");
  bob.hears(room, carol, "everybody is here");

  world.signal("bravo", SIGSTOP);
  std::vector<std::string> texts;
  for (int i = 0; i < 100; ++i) texts.push_back("while bravo is frozen " + std::to_string(i));
  std::vector<std::string> events;
  for (const std::string& text : texts) {
    const auto said = std::chrono::steady_clock::now();
    events.push_back(alice.says(room, text));
    // The one delivery that hangs takes half a minute to be given up: nobody waits for that.
    CHECK(carol.hears(room, alice, text).when - said < std::chrono::seconds(10));
  }
  carol.says(room, "and back");
  alice.hears(room, carol, "and back");
  CHECK_FALSE(bob.has_heard(texts.front()));

  world.signal("bravo", SIGCONT);
  bob.hears(room, alice, texts.back());
  bob.hears(room, carol, "and back");
  auto history = must(bob.person().event_ids(room), "bob pages back");
  std::erase_if(history,
                [&](const std::string& id) { return std::find(events.begin(), events.end(), id) == events.end(); });
  CHECK(history == events);
  world.agree(room, {&alice, &bob, &carol});
}

TEST_CASE("a server that is killed while it is frozen gets everything from those who waited") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  const std::string room = alice.creates_room("lobby");
  bob.joins("#lobby:alpha.test");
  bob.says(room, "here");
  alice.hears(room, bob, "here");

  world.signal("bravo", SIGSTOP);
  for (int i = 0; i < 20; ++i) alice.says(room, "not heard yet " + std::to_string(i));
  world.kill("bravo");
  world.start("bravo");
  bob.hears(room, alice, "not heard yet 19");
  world.agree(room, {&alice, &bob});
}
