// Asking to be let into a room of another server, and the room's answers. Real processes, real TLS, real databases.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "net/http.h"
#include "tests/support/world.h"

using namespace skerry::test;  // NOLINT(google-build-using-namespace)
using skerry::Json;

namespace {

std::string closed_room(Actor& owner, const std::string& join_rule = "knock") {
  return must(owner.person().create_room(
                  {{"name", "Closed"},
                   {"preset", "private_chat"},
                   {"room_alias_name", "closed"},
                   {"initial_state",
                    {{{"type", "m.room.join_rules"}, {"state_key", ""}, {"content", {{"join_rule", join_rule}}}}}}}),
              "a room is made");
}

void knocks(Actor& who, const std::string& room_or_alias, const std::string& query = {}) {
  must(
      who.person().api().post("/knock/" + skerry::net::percent_encode(room_or_alias) + query, {{"reason", "it is me"}}),
      who.id() + " knocks");
}

Json sync(Actor& who, const std::string& since = {}) {
  return must(who.person().api().get("/sync?timeout=0" + (since.empty() ? "" : "&since=" + since)), "sync");
}

// Looks until a room is in a section of /sync.
Json shown(Actor& who, const std::string& section, const std::string& room, const std::string& since = {}) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    const Json answer = sync(who, since);
    const Json rooms = answer.value("rooms", Json::object()).value(section, Json::object());
    if (rooms.contains(room)) return rooms.at(room);
  }
  throw std::runtime_error(who.id() + " sees nothing of " + room + " in rooms." + section);
}

}  // namespace

TEST_CASE("one who knocks on another server's room is seen there, invited and let in") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");

  const std::string room = closed_room(alice);
  CHECK_FALSE(bob.person().join(room, {"alpha.test"}));
  knocks(bob, "#closed:alpha.test");
  const std::string state = shown(bob, "knock", room).at("knock_state").at("events").dump();
  CHECK(state.find("m.room.create") != std::string::npos);
  CHECK(state.find("\"Closed\"") != std::string::npos);
  CHECK(state.find("it is me") != std::string::npos);
  alice.sees_state(room, "m.room.member", bob.id(), "\"knock\"");

  world.kill("bravo");
  world.start("bravo");
  shown(bob, "knock", room);

  alice.invites(room, bob);
  shown(bob, "invite", room);
  bob.joins(room, {"alpha.test"});
  bob.says(room, "thank you");
  alice.hears(room, bob, "thank you");
  world.agree(room, {&alice, &bob});
}

TEST_CASE("one whose knock is turned down hears of it, and one can take a knock back") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");

  const std::string room = closed_room(alice, "knock_restricted");
  knocks(bob, room, "?via=alpha.test");
  const std::string since = sync(bob).at("next_batch");
  must(alice.person().api().post("/rooms/" + skerry::net::percent_encode(room) + "/kick",
                                 {{"user_id", bob.id()}, {"reason", "not today"}}),
       "alice turns bob down");
  const Json left = shown(bob, "leave", room, since);
  CHECK(left.at("timeline").at("events").at(0).at("content").at("reason") == "not today");
  CHECK_FALSE(sync(bob).value("rooms", Json::object()).contains("knock"));

  knocks(bob, room, "?server_name=alpha.test");
  shown(bob, "knock", room);
  bob.leaves(room);
  alice.sees_state(room, "m.room.member", bob.id(), "\"leave\"");
  CHECK_FALSE(sync(bob).value("rooms", Json::object()).contains("knock"));
}

TEST_CASE("a room that is not open to knocks refuses them, and what is no room is not found") {
  World world(2);
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  Actor carol = world.person("carol", "alpha");

  const std::string room = closed_room(alice, "invite");
  for (Actor* who : {&bob, &carol}) {
    const auto refused =
        who->person().api().post("/knock/" + skerry::net::percent_encode(room) + "?via=alpha.test", Json::object());
    REQUIRE_FALSE(refused);
    CHECK(skerry::sandbox::refused_with(refused.error(), "M_FORBIDDEN"));
  }
  const auto unknown = bob.person().api().post("/knock/%23nothing:alpha.test", Json::object());
  REQUIRE_FALSE(unknown);
  CHECK(skerry::sandbox::refused_with(unknown.error(), "M_NOT_FOUND"));

  must(alice.person().set_state(room, "m.room.join_rules", "", {{"join_rule", "knock"}}), "alice opens");
  knocks(carol, room);
  shown(carol, "knock", room);
  alice.sees_state(room, "m.room.member", carol.id(), "\"knock\"");
}
