// Servers that are killed or cut off, and what is known afterwards.
#include <algorithm>
#include <filesystem>
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/world.h"

using namespace skerry::test;  // NOLINT(google-build-using-namespace)

namespace {

std::vector<std::string> numbered(const std::string& text, int count) {
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.push_back(text + " " + std::to_string(i));
  return out;
}

// Without those that came before.
std::vector<std::string> last(const std::vector<std::string>& all, std::size_t count) {
  return {all.end() - static_cast<std::ptrdiff_t>(std::min(count, all.size())), all.end()};
}

// What /proc says of a process's sockets.
std::set<std::string> sockets_of(pid_t pid) {
  std::set<std::string> sockets;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone);
    if (target.starts_with("socket:")) sockets.insert(target);
  }
  return sockets;
}

}  // namespace

TEST_CASE("a server that is started holds no connection of the gateway open") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  const std::string room = alice.creates_room("lobby");
  bob.joins("#lobby:alpha.test");
  bob.says(room, "here");
  alice.hears(room, bob, "here");  // through the gateway
  world.kill("bravo");
  world.start("bravo");
  const auto now =
      must(must(skerry::sandbox::Controller::connect(world.folder()), "the supervisor").status(), "status");
  const auto of_supervisor = sockets_of(now.supervisor_pid);
  const auto of_bravo = sockets_of(*now.server("bravo.test").pid);
  std::vector<std::string> shared;
  std::set_intersection(of_supervisor.begin(), of_supervisor.end(), of_bravo.begin(), of_bravo.end(),
                        std::back_inserter(shared));
  CHECK(shared.empty());
}

TEST_CASE("a server that was killed in mid-traffic gets what it missed in order") {
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

  const auto texts = numbered("while you were away", 40);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i == 10) world.kill("bravo");
    alice.says(room, texts[i]);
  }
  carol.hears(room, alice, texts.back());
  world.start("bravo");

  bob.hears(room, alice, texts.back());
  CHECK(last(bob.heard_of(room, alice), texts.size()) == texts);
  world.agree(room, {&alice, &bob, &carol});
}

TEST_CASE("a sender that was killed still delivers what it acknowledged") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  const std::string room = alice.creates_room("lobby");
  bob.joins("#lobby:alpha.test");
  bob.says(room, "here");
  alice.hears(room, bob, "here");

  const auto texts = numbered("acknowledged", 20);
  world.block("bravo");
  for (const std::string& text : texts) alice.says(room, text);
  world.kill("alpha");
  world.unblock("bravo");
  world.start("alpha");

  bob.hears(room, alice, texts.back());
  CHECK(last(bob.heard_of(room, alice), texts.size()) == texts);
  world.agree(room, {&alice, &bob});
}

TEST_CASE("a blocked server and the others tell each other everything once it is unblocked") {
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

  world.block("alpha");
  const auto own_door = alice.person().api_at(world.status().server("alpha.test").own_client_url);
  for (const std::string& text : numbered("cut off", 5)) {
    must(own_door.put("/rooms/" + skerry::net::percent_encode(room) + "/send/m.room.message/" +
                          skerry::net::percent_encode(text),
                      {{"msgtype", "m.text"}, {"body", text}}),
         "alice writes beside her server");
  }
  for (const std::string& text : numbered("without alice", 5)) bob.says(room, text);
  carol.hears(room, bob, "without alice 4");
  CHECK_FALSE(carol.has_heard("cut off 0"));
  CHECK_FALSE(alice.has_heard("without alice 0"));

  world.unblock("alpha");
  alice.hears(room, bob, "without alice 4");
  bob.hears(room, alice, "cut off 4");
  carol.hears(room, alice, "cut off 4");
  world.agree(room, {&alice, &bob, &carol});
}

TEST_CASE("a room is joined through another server when the one that made it is blocked") {
  World world(3);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  const std::string room = alice.creates_room("lobby");
  bob.joins("#lobby:alpha.test");
  alice.says(room, "said before the block");
  bob.hears(room, alice, "said before the block");

  world.block("alpha");
  Actor dave = world.person("dave", "charlie");
  dave.joins(room, {"bravo.test"});
  bob.says(room, "welcome");
  dave.hears(room, bob, "welcome");
  world.agree(room, {&bob, &dave});
}
