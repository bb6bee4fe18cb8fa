// What another server may send without end costs this one no more with each event.
#include <algorithm>

#include <catch2/catch.hpp>

#include "homeserver/rooms/room.h"
#include "tests/homeserver/shared_room.h"

using namespace skerry;
using namespace skerry::test;

namespace {

// A room where alpha has banned bob, of which bravo has not heard; and where bravo's carol set something that alpha's
// policy refuses, so that bravo's state has what the current one of alpha lacks.
struct Divided : Shared {
  UserId carol = bravo.user("carol");

  Divided() {
    REQUIRE(alpha.set(room, alice, "m.room.power_levels", R"({"events":{"test.state":0}})"));
    world.deliver();
    REQUIRE(bravo.membership().join(carol, room, {bravo.name()}, "{}"));
    world.deliver();
    alpha.policy = [](const EventPtr& event) -> std::optional<Refused> {
      if (event->type() != "test.state") return std::nullopt;
      return Refused{"policy", "not here"};
    };
    REQUIRE(bravo.set(room, carol, "test.state", R"({"of":"carol"})"));
    world.deliver(bravo, alpha);
    REQUIRE(alpha.state(room).count({"test.state", ""}) == 0);
    REQUIRE(alpha.member(room, alice, bob, "ban"));
  }
};

}  // namespace

TEST_CASE("judging an event that is refused by now stores no state") {
  Divided room;
  const EventId said = room.bravo.say(room.room, room.bob, "still here").value();
  const std::size_t states = room.alpha.rooms().states_made();
  const auto outcome = room.alpha.receive(room.bravo.name(), room.bravo.event(said)->event->pdu());
  CHECK(outcome.judgement.verdict == Verdict::soft_failed);
  CHECK(room.alpha.rooms().states_made() == states);
}

TEST_CASE("what an event's past adds to the current state is looked at up to a bound") {
  Divided room;
  const EventId said = room.bravo.say(room.room, room.carol, "who is here").value();
  const auto outcome = room.alpha.receive(room.bravo.name(), room.bravo.event(said)->event->pdu());
  REQUIRE(outcome.judgement.verdict == Verdict::accepted);
  // The same two states as there were before it, in memory anew.
  auto loaded = homeserver::Room::load(room.alpha.rooms(), room.room, room.alpha.name());
  REQUIRE(loaded);
  homeserver::Room& here = **loaded;
  const auto placed = here.placed(said);
  REQUIRE(placed);
  for (const auto& head : here.heads) {
    if (head.id != said) here.current = head.after;
  }
  const homeserver::RoomState& before = (*placed)->before;
  REQUIRE(here.current.id() != before.id());
  const auto too_dear = here.current_informed_by(before, 1);
  REQUIRE(too_dear);
  CHECK_FALSE(too_dear->has_value());
  const auto informed = here.current_informed_by(before, 1'000);
  REQUIRE(informed);
  REQUIRE(informed->has_value());
  CHECK((*informed)->find("test.state", "") != nullptr);
  CHECK(here.membership(**informed, room.bob) == "ban");
}

TEST_CASE("the heads that another server makes of a room are merged before they are too many") {
  Shared shared;
  constexpr int count = 120;
  constexpr std::size_t most = 80;
  for (int i = 0; i < count; ++i) {
    Json pdu = shared.forged(shared.bob.str(), "m.room.message", Json{{"body", std::to_string(i)}}.dump());
    const auto outcome = shared.alpha.receive(shared.bravo.name(), shared.sign(std::move(pdu), shared.bravo.name()));
    REQUIRE(outcome.judgement.verdict == Verdict::accepted);
  }
  CHECK(shared.alpha.heads(shared.room).size() <= most);
  CHECK(shared.alpha.bodies(shared.room).size() == count);

  // The other server, too, gets fewer heads by that, and all that was said.
  shared.world.deliver();
  CHECK(shared.bravo.bodies(shared.room).size() > 0);
  CHECK(shared.bravo.heads(shared.room).size() <= most);
}
