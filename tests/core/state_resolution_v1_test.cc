// Histories of version 1, whose resolution looks at depths and SHA-1 sums, derived by hand in the comments.
#include "core/crypto.h"
#include "tests/core/resolution_cases.h"

namespace skerry::test {
namespace {

// Of two ids the one that comes last in 'ascending depth then descending sha1(event_id)' when depths are equal.
EventPtr last_by_hash(const EventPtr& a, const EventPtr& b) {
  return sha1(a->id().str()) < sha1(b->id().str()) ? a : b;
}

// Filler, so that what follows lies deeper.
void deepen(RoomBuilder& room, Tip& tip) {
  for (int i = 0; i < 3; ++i) room.message(tip, alice);
}

TEST_CASE("v1: of two topics the deeper wins whatever the clocks say") {
  RoomBuilder room("1");
  const Tip tip = room_with_bob(room);
  Tip left = tip;
  Tip right = tip;
  deepen(room, left);
  const EventPtr deeper = room.add(left, {bob, "m.room.topic", "", R"({"topic":"deep"})", 1'000, {}});
  topic(room, right, alice, "later");
  CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.topic") == deeper->id());
}

TEST_CASE("v1: of two topics of one depth the one with the lower hash wins") {
  RoomBuilder room("1");
  const Tip tip = room_with_bob(room);
  Tip left = tip;
  Tip right = tip;
  const EventPtr a = topic(room, left, alice, "a");
  const EventPtr b = topic(room, right, bob, "b");
  CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.topic") == last_by_hash(a, b)->id());
}

TEST_CASE("v1: power levels of one depth are both applied and the lower hash stands") {
  RoomBuilder room("1");
  const Tip tip = room_with_bob(room);
  Tip left = tip;
  Tip right = tip;
  // The first needs no check; the second is alice's, who has 100 in either.
  const EventPtr a = room.state(left, alice, "m.room.power_levels", levels(room, {{bob.str(), 40}}));
  const EventPtr b = room.state(right, alice, "m.room.power_levels", levels(room, {{bob.str(), 60}}));
  CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.power_levels") == last_by_hash(a, b)->id());
}

TEST_CASE("v1: a demotion holds against what the demoted does deeper") {
  RoomBuilder room("1");
  const Tip tip = room_with_bob(room);
  Tip demoting = tip;
  Tip promoting = tip;
  const EventPtr demotion = room.state(demoting, alice, "m.room.power_levels", levels(room, {{bob.str(), 0}}));
  deepen(room, promoting);
  room.state(promoting, bob, "m.room.power_levels", levels(room, {{bob.str(), 50}, {carol.str(), 50}}));
  // The demotion is first, unchecked; bob's needs 50, he has 0 now: the list ends there.
  CHECK(id_in(resolve(room, {demoting.state, promoting.state}), "m.room.power_levels") == demotion->id());
}

// Three power levels, of which the second is refused: the third is not looked at any more.
TEST_CASE("v1: the first refused power levels end the list") {
  RoomBuilder room("1");
  const Tip tip = room_with_bob(room);
  Tip one = tip;
  Tip two = tip;
  Tip three = tip;
  const EventPtr demotion = room.state(one, alice, "m.room.power_levels", levels(room, {{bob.str(), 0}}));
  deepen(room, two);
  room.state(two, bob, "m.room.power_levels", levels(room, {{bob.str(), 50}, {carol.str(), 1}}));
  deepen(room, three);
  deepen(room, three);
  room.state(three, alice, "m.room.power_levels", levels(room, {{bob.str(), 70}}));
  CHECK(id_in(resolve(room, {one.state, two.state, three.state}), "m.room.power_levels") == demotion->id());
}

// What only one fork has is no conflict: carol is in, though the other fork had closed the room. v2 throws her out.
TEST_CASE("v1: a join of one fork stays when the other closed the room and v2 undoes it") {
  for (const char* version : {"1", "2"}) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip closing = tip;
    Tip joining = tip;
    const EventPtr closed = room.state(closing, alice, "m.room.join_rules", R"({"join_rule":"invite"})");
    const EventPtr join = room.join(joining, carol);
    // v1: join rules: the old, then the new, allowed. carol's membership: in R from the start.
    const StateMap resolved = resolve(room, {closing.state, joining.state});
    CHECK(id_in(resolved, "m.room.join_rules") == closed->id());
    const bool is_v1 = room.rules().state_resolution == RoomRules::StateResolution::v1;
    CHECK(id_in(resolved, "m.room.member", carol.str()) == (is_v1 ? join->id() : EventId{}));
  }
}

TEST_CASE("v1: a ban holds against a deeper rejoin and comes after a shallower one") {
  for (const bool ban_is_deeper : {false, true}) {
    RoomBuilder room("1");
    const Tip tip = room_with_bob(room);
    Tip banning = tip;
    Tip renaming = tip;
    deepen(room, ban_is_deeper ? banning : renaming);
    const EventPtr ban = room.member(banning, alice, bob, "ban");
    room.join(renaming, bob);
    // Shallower: the join is refused after it (5.2.3). Deeper: it is allowed after the join.
    CHECK(id_in(resolve(room, {banning.state, renaming.state}), "m.room.member", bob.str()) == ban->id());
  }
}

// bob bans carol on one side, alice bans bob on the other. Both memberships conflict, so R holds neither: bob's ban of
// carol is judged in a room without bob and refused (5.5.1), and carol's join, first in its list, stands.
TEST_CASE("v1: memberships are judged without each other") {
  RoomBuilder room("1");
  Tip tip = room_with_bob(room);
  const EventPtr carols = room.join(tip, carol);
  Tip left = tip;
  Tip right = tip;
  room.member(left, bob, carol, "ban");
  const EventPtr ban = room.member(right, alice, bob, "ban");
  const StateMap resolved = resolve(room, {left.state, right.state});
  CHECK(id_in(resolved, "m.room.member", bob.str()) == ban->id());
  CHECK(id_in(resolved, "m.room.member", carol.str()) == carols->id());
}

// Topics see all memberships: bob is banned in the end, so both of his are refused, and the shallower is taken.
TEST_CASE("v1: when no event passes the first of the list stands") {
  RoomBuilder room("1");
  const Tip tip = room_with_bob(room);
  Tip left = tip;
  Tip right = tip;
  const EventPtr shallow = topic(room, left, bob, "shallow");
  room.member(left, alice, bob, "ban");
  deepen(room, right);
  topic(room, right, bob, "deep");
  CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.topic") == shallow->id());
}

// A key that only some forks have is no conflict either.
TEST_CASE("v1: what a fork lacks is taken from the other") {
  RoomBuilder room("1");
  const Tip tip = room_with_bob(room);
  StateMap poor = tip.state;
  poor.erase({"m.room.power_levels", ""});
  poor.erase({"m.room.member", bob.str()});
  CHECK(resolve(room, {tip.state, poor}) == tip.state);
}

TEST_CASE("v1: events that are not at hand are reported") {
  RoomBuilder room("1");
  const Tip tip = room_with_bob(room);
  Tip left = tip;
  Tip right = tip;
  const EventPtr gone = topic(room, left, alice, "one");
  topic(room, right, bob, "two");
  for (const EventId& hidden : {gone->id(), id_in(tip.state, "m.room.member", alice.str())}) {
    const EventLookup partial = [&](const EventId& id) { return id == hidden ? nullptr : room.find(id); };
    const auto result = resolve_state(
        room.rules(), {std::make_shared<const StateMap>(left.state), std::make_shared<const StateMap>(right.state)},
        partial, room.is_rejected());
    REQUIRE(std::holds_alternative<Missing>(result));
    CHECK(std::get<Missing>(result).ids == std::vector{hidden});
  }
}

}  // namespace
}  // namespace skerry::test
