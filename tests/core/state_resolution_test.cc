// Histories of two or more forks, their resolution derived by hand in the comments.
#include "core/state_resolution.h"

#include <algorithm>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/core/resolution_cases.h"

namespace skerry::test {
namespace {

const char* const all_versions[] = {"2", "3", "5", "6", "9", "10", "11", "12"};

TEST_CASE("one fork and equal forks come back as they are") {
  RoomBuilder room("12");
  const Tip tip = room_with_bob(room);
  CHECK(resolve(room, {tip.state}) == tip.state);
  CHECK(resolve(room, {tip.state, tip.state, tip.state}) == tip.state);
}

TEST_CASE("of two topics by the same power the later wins") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip left = tip;
    Tip right = tip;
    // Both cite the same power levels: one mainline position, so the time decides, and the later is applied last.
    topic(room, left, alice, "first");
    const EventPtr later = topic(room, right, alice, "second");
    CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.topic") == later->id());
  }
}

TEST_CASE("of two topics of one moment the greater event id wins") {
  RoomBuilder room("12");
  const Tip tip = room_with_bob(room);
  Tip left = tip;
  Tip right = tip;
  const EventPtr a = room.add(left, {alice, "m.room.topic", "", R"({"topic":"a"})", 1'800'000'000'000, {}});
  const EventPtr b = room.add(right, {alice, "m.room.topic", "", R"({"topic":"b"})", 1'800'000'000'000, {}});
  CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.topic") == std::max(a->id(), b->id()));
}

TEST_CASE("a ban wins over a concurrent join") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip banning = tip;
    Tip joining = tip;
    const EventPtr ban = room.member(banning, alice, carol, "ban");
    room.join(joining, carol);
    // The ban is a power event and applied first; the join, though later, then meets rule 5.3.3: carol is banned.
    CHECK(id_in(resolve(room, {banning.state, joining.state}), "m.room.member", carol.str()) == ban->id());
  }
}

TEST_CASE("a banned user's concurrent topic is undone") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip banning = tip;
    Tip writing = tip;
    const EventPtr ban = room.member(banning, alice, bob, "ban");
    topic(room, writing, bob, "mine");
    // Power events: the ban. Then by mainline: bob's old join (refused, banned), the old topic (allowed), bob's
    // (refused, rule 6).
    const StateMap resolved = resolve(room, {banning.state, writing.state});
    CHECK(id_in(resolved, "m.room.member", bob.str()) == ban->id());
    CHECK(id_in(resolved, "m.room.topic") == id_in(tip.state, "m.room.topic"));
  }
}

TEST_CASE("who leaves of their own will is no power event and keeps what they said") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip leaving = tip;
    Tip writing = tip;
    const EventPtr mine = topic(room, writing, bob, "mine");
    const EventPtr leave = room.member(leaving, bob, bob, "leave");
    // No power events. By time: bob's join, the old topic, bob's topic (bob is still in the room), bob's leave.
    const StateMap resolved = resolve(room, {leaving.state, writing.state});
    CHECK(id_in(resolved, "m.room.member", bob.str()) == leave->id());
    CHECK(id_in(resolved, "m.room.topic") == mine->id());
  }
}

TEST_CASE("a demotion by more power wins over the demoted user's power levels") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip demoting = tip;
    Tip promoting = tip;
    // bob's is the earlier, but alice has more power: hers is applied first, and bob then lacks the power for his (rule
    // 8).
    room.state(promoting, bob, "m.room.power_levels", levels(room, {{bob.str(), 50}, {carol.str(), 50}}));
    const EventPtr demotion = room.state(demoting, alice, "m.room.power_levels", levels(room, {{bob.str(), 0}}));
    CHECK(id_in(resolve(room, {demoting.state, promoting.state}), "m.room.power_levels") == demotion->id());
  }
}

TEST_CASE("concurrent power levels of equals end with the later") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip left = tip;
    Tip right = tip;
    // Same sender, same power: by time. The second is compared with the first and alters nothing above alice: allowed.
    room.state(left, alice, "m.room.power_levels", levels(room, {{bob.str(), 40}}));
    const EventPtr later = room.state(right, alice, "m.room.power_levels", levels(room, {{bob.str(), 60}}));
    CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.power_levels") == later->id());
  }
}

TEST_CASE("a topic under newer power levels wins over a later one under older") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip left = tip;
    Tip right = tip;
    room.state(left, alice, "m.room.power_levels", levels(room, {{bob.str(), 60}}));
    const EventPtr under_new = topic(room, left, alice, "under new levels");
    const EventPtr under_old = topic(room, right, alice, "under old levels");
    REQUIRE(under_old->origin_server_ts_ms() > under_new->origin_server_ts_ms());
    // Mainline of the new levels P2: [P2, P1, ...]. The left topic cites P2 (position 0), the right P1 (position 1):
    // greater positions come first, so the left is applied last.
    CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.topic") == under_new->id());
  }
}

TEST_CASE("a room that closes lets nobody in through a fork") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip closing = tip;
    Tip joining = tip;
    const EventPtr invite_only = room.state(closing, alice, "m.room.join_rules", R"({"join_rule":"invite"})");
    room.join(joining, carol);
    // Join rules are a power event: applied first (after the old ones, which are earlier); carol's join then needs an
    // invite.
    const StateMap resolved = resolve(room, {closing.state, joining.state});
    CHECK(id_in(resolved, "m.room.join_rules") == invite_only->id());
    CHECK(id_in(resolved, "m.room.member", carol.str()).empty());
  }
}

TEST_CASE("an event that depends on a refused one falls with it") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room, {{"events", {{"m.room.topic", 0}}}, {"invite", 50}});
    Tip demoting = tip;
    Tip inviting = tip;
    const EventPtr demotion =
        room.state(demoting, alice, "m.room.power_levels", levels(room, {{bob.str(), 0}}, {{"invite", 50}}));
    room.member(inviting, bob, mallory, "invite");
    room.join(inviting, mallory);
    topic(room, inviting, mallory, "gotcha");
    // The demotion comes first. The conflicted mallory events are the join and, by the auth difference, the invite: the
    // invite needs 50 (5.4.5). The room is public, so the join alone is allowed; a topic needs 50 under the new levels
    // (rule 8).
    const StateMap resolved = resolve(room, {demoting.state, inviting.state});
    CHECK(id_in(resolved, "m.room.power_levels") == demotion->id());
    CHECK(room.in_state(resolved, "m.room.member", mallory.str())->membership() == "join");
    CHECK(id_in(resolved, "m.room.topic") == id_in(tip.state, "m.room.topic"));
  }
}

TEST_CASE("three forks resolve to one state") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip one = tip;
    Tip two = tip;
    Tip three = tip;
    topic(room, one, alice, "one");
    const EventPtr ban = room.member(two, alice, bob, "ban");
    const EventPtr carols = room.join(three, carol);
    topic(room, three, bob, "three");
    const EventPtr name = room.state(one, alice, "m.room.name", R"({"name":"n"})");
    // bob's topic falls by the ban; the topics by alice remain, 'one' being the later; carol's join and the name stand
    // alone.
    const StateMap resolved = resolve(room, {one.state, two.state, three.state});
    CHECK(room.in_state(resolved, "m.room.topic")->content()["topic"] == "one");
    CHECK(id_in(resolved, "m.room.member", bob.str()) == ban->id());
    CHECK(id_in(resolved, "m.room.member", carol.str()) == carols->id());
    CHECK(id_in(resolved, "m.room.name") == name->id());
  }
}

// bob's ban is in both states, a topic of his from before in one: v2 judges it by the unconflicted state, where he is
// banned; v2.1 starts from nothing and takes his membership from the topic's own auth_events, where he is joined.
TEST_CASE("v2 judges old events by the unconflicted state and v2.1 does not") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip writing = tip;
    Tip other = tip;
    const EventPtr by_alice = topic(room, other, alice, "alice's");
    const EventPtr by_bob = topic(room, writing, bob, "bob's");
    const EventPtr ban = room.member(writing, alice, bob, "ban");
    other.state[{"m.room.member", bob.str()}] = ban->id();
    const StateMap resolved = resolve(room, {writing.state, other.state});
    CHECK(id_in(resolved, "m.room.member", bob.str()) == ban->id());
    const bool is_v2 = room.rules().state_resolution == RoomRules::StateResolution::v2;
    CHECK(id_in(resolved, "m.room.topic") == (is_v2 ? by_alice : by_bob)->id());
  }
}

// The first problem that version 12 mends. P2 gives carol 100, carol makes the room invite only (J2), P3 takes her
// power away. One fork, told so by a server that erred, still has the old join rule J1; both have P3. Conflicted: J1
// and J2; nothing is in one chain only, since P3 and carol's join stand in both states. v2: X = {J1, J2}, J1 earlier
// and of no less power. J1 is allowed. J2 is judged by P3, which is unconflicted: carol has 0 (rule 7 of 6, 8 of 2 and
// 3). The room is public again. v2.1: with carol's join, which lies between J2 and J1. Nothing is presumed: J1 is
// allowed, carol's join is by J1, J2 is by the P2 it cites. The room stays closed.
TEST_CASE("a rule set under power since lost is reset by v2 and kept by v2.1") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    Tip tip = room.created();
    const EventPtr j1 = room.in_state(tip.state, "m.room.join_rules");
    room.join(tip, carol);
    room.state(tip, alice, "m.room.power_levels", levels(room, {{carol.str(), 100}}));
    Tip stale = tip;
    const EventPtr j2 = room.state(tip, carol, "m.room.join_rules", R"({"join_rule":"invite"})");
    const EventPtr p3 = room.state(tip, alice, "m.room.power_levels", levels(room, Json::object()));
    stale.state[{"m.room.power_levels", ""}] = p3->id();
    const StateMap resolved = resolve(room, {tip.state, stale.state});
    const bool is_v2 = room.rules().state_resolution == RoomRules::StateResolution::v2;
    // In version 12 carol may lose her power only to a creator, who is alice.
    CHECK(id_in(resolved, "m.room.join_rules") == (is_v2 ? j1 : j2)->id());
  }
}

// The second. P1, P2, P3 follow each other; the clock that dated P1 was fast. One fork erred and still has P1. A topic
// that both have cites P3, so that all three are in both chains: the auth difference is empty, and the conflicted set
// is {P1, P3}. Nothing says that P3 came after P1 but P2, which is not in it.
// v2: by time P3 comes before P1, both by alice, both allowed: P1 stands, and mallory has her power again.
// v2.1: P3 -> P2 -> P1 is a path between conflicted events, so P2 is in, and the order is P1, P2, P3.
TEST_CASE("power levels whose history is agreed upon are reset by v2 and kept by v2.1") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    Tip tip = room.created();
    const auto set_levels = [&](Json users, std::int64_t time) {
      return room.add(tip, {alice, "m.room.power_levels", "", levels(room, std::move(users)), time, {}});
    };
    const EventPtr p1 = set_levels({{mallory.str(), 50}}, 1'900'000'000'000);
    set_levels({{mallory.str(), 0}}, 1'800'000'000'000);
    const EventPtr p3 = set_levels({{bob.str(), 50}}, 1'800'000'000'001);
    topic(room, tip, alice, "under P3");
    StateMap stale = tip.state;
    stale[{"m.room.power_levels", ""}] = p1->id();
    const StateMap resolved = resolve(room, {tip.state, stale});
    const bool is_v2 = room.rules().state_resolution == RoomRules::StateResolution::v2;
    CHECK(id_in(resolved, "m.room.power_levels") == (is_v2 ? p1 : p3)->id());
  }
}

// carol joins, sets power levels P that take mallory's, changes her name; alice then invites bob, citing P. carol's
// memberships and bob's conflict, P does not; but invite -> P -> carol's join is a path between conflicted events. So P
// is applied with the power events, and mallory's topic, citing the older levels, is refused. Without the subgraph
// nothing would stop it.
TEST_CASE("v2.1 brings in what lies between conflicted events") {
  RoomBuilder room("12");
  Tip tip = room.created();
  room.state(tip, alice, "m.room.power_levels", levels(room, {{carol.str(), 100}, {mallory.str(), 50}}));
  room.join(tip, mallory);
  room.join(tip, carol);
  Tip before_demotion = tip;
  const EventPtr demotion = room.state(tip, carol, "m.room.power_levels", levels(room, {{carol.str(), 100}}));
  Tip left = tip;
  Tip right = tip;
  room.member(left, alice, bob, "invite");
  const Draft rename{carol, "m.room.member", carol.str(), R"({"membership":"join","displayname":"C"})", 0, {}};
  const EventPtr renamed = room.add(right, rename);
  const EventPtr sneaky = topic(room, before_demotion, mallory, "sneaky");
  right.state[{"m.room.topic", ""}] = sneaky->id();

  const StateMap resolved = resolve(room, {left.state, right.state});
  CHECK(id_in(resolved, "m.room.power_levels") == demotion->id());
  CHECK(id_in(resolved, "m.room.member", carol.str()) == renamed->id());
  CHECK(room.in_state(resolved, "m.room.member", bob.str())->membership() == "invite");
  CHECK(id_in(resolved, "m.room.topic").empty());
}

TEST_CASE("a kick that a rejoin hides still counts") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip left = tip;
    Tip right = tip;
    room.member(left, alice, bob, "leave");
    topic(room, right, bob, "unaware");
    const EventPtr rejoin = room.join(left, bob);
    // The kick is in no state, but in one fork's auth chain: it is part of the auth difference, a power event, and so
    // applied before bob's topic, which is earlier than his rejoin and falls by rule 6.
    const StateMap resolved = resolve(room, {left.state, right.state});
    CHECK(id_in(resolved, "m.room.member", bob.str()) == rejoin->id());
    CHECK(id_in(resolved, "m.room.topic") == id_in(tip.state, "m.room.topic"));
  }
}

TEST_CASE("old power levels that all forks know of do not come back through one that cites them") {
  for (const char* version : {"10", "11"}) {
    RoomBuilder room(version);
    Tip before = room_with_bob(room, Json::object());
    Tip left = before;
    const EventPtr demotion = room.state(left, alice, "m.room.power_levels", levels(room, {{bob.str(), 0}}));
    Tip right = left;
    const EventPtr by_alice = topic(room, left, alice, "alice's");
    // bob's topic cites the older levels. They lie behind both forks' levels: no part of the auth difference.
    right.state[{"m.room.topic", ""}] = topic(room, before, bob, "stale")->id();
    const StateMap resolved = resolve(room, {left.state, right.state});
    CHECK(id_in(resolved, "m.room.power_levels") == demotion->id());
    CHECK(id_in(resolved, "m.room.topic") == by_alice->id());
  }
}

TEST_CASE("power levels that follow each other stay in their order whatever their clocks say") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip left = tip;
    Tip right = tip;
    const auto set_levels = [&](Tip& where, int power, std::int64_t time) {
      return room.add(where, {alice, "m.room.power_levels", "", levels(room, {{bob.str(), power}}), time, {}});
    };
    set_levels(left, 60, 1'900'000'000'000);
    const EventPtr last = set_levels(left, 70, 1'800'000'000'000);
    topic(room, right, alice, "other");
    CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.power_levels") == last->id());
  }
}

TEST_CASE("a rejected auth event is not taken for the state") {
  RoomBuilder room("12");
  const Tip tip = room_with_bob(room);
  Tip left = tip;
  Tip right = tip;
  const EventPtr by_alice = topic(room, left, alice, "alice's");
  const EventPtr by_bob = topic(room, right, bob, "bob's");
  REQUIRE(id_in(resolve(room, {left.state, right.state}), "m.room.topic") == by_bob->id());
  room.reject(id_in(tip.state, "m.room.member", bob.str()));
  CHECK(id_in(resolve(room, {left.state, right.state}), "m.room.topic") == by_alice->id());
}

TEST_CASE("events that are not at hand are reported") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    const Tip tip = room_with_bob(room);
    Tip left = tip;
    Tip right = tip;
    const EventPtr gone = topic(room, left, alice, "one");
    topic(room, right, bob, "two");
    const EventId join = id_in(tip.state, "m.room.member", bob.str());
    for (const EventId& hidden : {gone->id(), join}) {
      const EventLookup partial = [&](const EventId& id) { return id == hidden ? nullptr : room.find(id); };
      const auto result = resolve_state(
          room.rules(), {std::make_shared<const StateMap>(left.state), std::make_shared<const StateMap>(right.state)},
          partial, room.is_rejected());
      REQUIRE(std::holds_alternative<Missing>(result));
      CHECK(std::get<Missing>(result).ids == std::vector{hidden});
    }
  }
}

TEST_CASE("auth chains of twenty thousand events are walked without recursion") {
  RoomBuilder room("12");
  Tip tip = room_with_bob(room);
  Tip left = tip;
  // Unsigned, for speed: resolution looks at no signature.
  Json levels_event = room.find(id_in(tip.state, "m.room.power_levels"))->pdu();
  for (int i = 0; i < 20'000; ++i) {
    levels_event["origin_server_ts"] = 1'800'000'000'000 + i;
    levels_event["auth_events"] = {id_in(left.state, "m.room.power_levels").str(),
                                   id_in(tip.state, "m.room.member", alice.str()).str()};
    const EventPtr event = Event::make(room.rules(), levels_event).value();
    room.put(event);
    left.state[{"m.room.power_levels", ""}] = event->id();
  }
  Tip right = tip;
  topic(room, right, bob, "other");
  const std::vector<StatePtr> forks{std::make_shared<const StateMap>(left.state),
                                    std::make_shared<const StateMap>(right.state)};
  const auto resolved = resolve_state(room.rules(), forks, room.lookup(), room.is_rejected());
  REQUIRE(std::holds_alternative<StateMap>(resolved));
  CHECK(id_in(std::get<StateMap>(resolved), "m.room.power_levels") == id_in(left.state, "m.room.power_levels"));
}

TEST_CASE("a claimed circle of power levels ends every walk") {
  RoomBuilder room("2");
  const Tip tip = room_with_bob(room);
  const auto cite = [](const std::string& id) { return Json::array({id, Json::object()}); };
  Json auth_events = Json::array();
  for (const auto& key : {StateKey{"m.room.create", ""}, StateKey{"m.room.member", alice.str()}}) {
    auth_events.push_back(cite(tip.state.at(key).str()));
  }
  const auto claimed = [&](const std::string& id, const std::string& other) {
    Json cited = auth_events;
    cited.push_back(cite(other));
    return Draft{alice, "m.room.power_levels",
                 "",    levels(room, {{bob.str(), 50}}),
                 0,     {{"event_id", Json(id).dump()}, {"auth_events", cited.dump()}}};
  };
  Tip left = tip, right = tip;
  room.add(left, claimed("$one:alpha.test", "$other:alpha.test"));
  room.make(right, claimed("$other:alpha.test", "$one:alpha.test"));
  topic(room, left, alice, "left");
  topic(room, right, bob, "right");
  const std::vector<StatePtr> forks{std::make_shared<const StateMap>(left.state),
                                    std::make_shared<const StateMap>(right.state)};
  for (const CitingLookup& index : {CitingLookup(), room.index()}) {
    const auto resolved = resolve_state(room.rules(), forks, room.lookup(), room.is_rejected(), nullptr, index);
    CHECK(std::holds_alternative<StateMap>(resolved));
  }
}

}  // namespace
}  // namespace skerry::test
