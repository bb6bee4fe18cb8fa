#include <catch2/catch.hpp>

#include "tests/storage/stores.h"

namespace skerry::test {

using storage::EventCommit;
using storage::StreamPosition;

namespace {

const UserId alice = user("@alice:alpha.test");
const UserId bob = user("@bob:bravo.test");
const UserId bert = user("@bert:bravo.test");

std::string membership_in(Stores& stores, const RoomId& room, const UserId& who) {
  const auto membership = stores.rooms().membership(room, who);
  REQUIRE(membership);
  return *membership ? (*membership)->membership : "none";
}

std::vector<std::string> servers_in(Stores& stores, const RoomId& room) {
  const auto servers = stores.rooms().joined_servers(room);
  REQUIRE(servers);
  std::vector<std::string> names;
  for (const ServerName& name : *servers) names.push_back(name.str());
  return names;
}

}  // namespace

TEST_CASE("a room is known by its create event and version") {
  Stores stores;
  stores.open();
  LiveRoom room(stores, "12");
  CHECK(stores.rooms().room(room.id()).value() == std::nullopt);
  CHECK(stores.rooms().head(room.id()).value() == std::nullopt);
  room.found();
  stores.reopen();
  const auto info = stores.rooms().room(room.id());
  REQUIRE(*info);
  CHECK((*info)->version == "12");
  CHECK((*info)->create_event == room.builder.create()->id());
  CHECK(stores.rooms().rooms().value() == std::vector{room.id()});
  const auto head = stores.rooms().head(room.id());
  REQUIRE(*head);
  CHECK((*head)->heads == room.tip.heads);
  CHECK((*head)->depth == room.tip.depth);
  CHECK((*head)->current_state == room.state);
}

TEST_CASE("the room directory lists what was published") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  CHECK(stores.rooms().published_rooms()->empty());
  REQUIRE(stores.rooms().set_published(room.id(), true));
  CHECK(stores.rooms().published_rooms().value() == std::vector{room.id()});
  CHECK(stores.rooms().room(room.id()).value()->published);
  REQUIRE(stores.rooms().set_published(room.id(), false));
  CHECK(stores.rooms().published_rooms()->empty());
}

TEST_CASE("an alias names one room") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const auto alias = RoomAlias::parse("#skerry:alpha.test").value();
  CHECK(stores.rooms().resolve_alias(alias).value() == std::nullopt);
  REQUIRE(stores.rooms().add_alias(alias, room.id(), alice));
  CHECK(stores.rooms().add_alias(alias, room.id(), alice).error().code == ErrorCode::room_in_use);
  stores.reopen();
  CHECK(stores.rooms().resolve_alias(alias).value() == room.id());
  const auto list = stores.rooms().aliases(room.id());
  REQUIRE(list->size() == 1);
  CHECK(list->front().alias == alias);
  CHECK(list->front().creator == alice);
  REQUIRE(stores.rooms().remove_alias(alias));
  CHECK(stores.rooms().remove_alias(alias).error().code == ErrorCode::not_found);
}

TEST_CASE("memberships follow the current state") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  CHECK(membership_in(stores, room.id(), bob) == "none");
  room.member(alice, bob, "invite");
  CHECK(membership_in(stores, room.id(), bob) == "invite");
  const StreamPosition joined = room.join(bob);
  const auto membership = stores.rooms().membership(room.id(), bob);
  CHECK((*membership)->membership == "join");
  CHECK((*membership)->position == joined);
  CHECK((*membership)->event == room.tip.heads.front());
  CHECK(stores.rooms().members(room.id())->size() == 2);
  room.member(alice, bob, "ban");
  stores.reopen();
  CHECK(membership_in(stores, room.id(), bob) == "ban");
  const auto of_bob = stores.rooms().memberships_of(bob);
  REQUIRE(of_bob->size() == 1);
  CHECK(of_bob->front().room == room.id());
}

TEST_CASE("a membership that state resolution takes away is a leave") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  room.join(bob);
  EventCommit message = room.next_message(alice);
  message.current_state_delta = {{{"m.room.member", bob.str()}, EventId()}};
  const auto position = commit(stores.rooms(), message);
  REQUIRE(position);
  CHECK(membership_in(stores, room.id(), bob) == "leave");
  CHECK(servers_in(stores, room.id()) == std::vector<std::string>{"alpha.test"});
  const auto changes = stores.rooms().state_changes(room.id(), *position - 1, *position);
  REQUIRE(changes->size() == 1);
  CHECK(changes->front().second.empty());
}

TEST_CASE("a forgotten room is remembered when the user comes back") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const UserId carol = user("@carol:alpha.test");
  room.join(carol);
  const StreamPosition left = room.member(carol, carol, "leave");
  const auto forgotten = stores.rooms().forget(room.id(), carol);
  REQUIRE(forgotten);
  CHECK(*forgotten > left);
  CHECK(stores.rooms().memberships_of(carol)->front().forgotten);
  CHECK_FALSE(stores.rooms().memberships_of(alice)->front().forgotten);
  room.join(carol);
  CHECK_FALSE(stores.rooms().memberships_of(carol)->front().forgotten);
}

TEST_CASE("a server is in a room as long as one of its users is") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  using Names = std::vector<std::string>;
  CHECK(servers_in(stores, room.id()) == Names{"alpha.test"});
  room.join(bob);
  room.join(bert);
  room.join(user("@carol:charlie.test"));
  CHECK(servers_in(stores, room.id()) == Names{"alpha.test", "bravo.test", "charlie.test"});
  room.member(bob, bob, "leave");
  CHECK(servers_in(stores, room.id()) == Names{"alpha.test", "bravo.test", "charlie.test"});
  room.member(alice, bert, "leave");
  stores.reopen();
  CHECK(servers_in(stores, room.id()) == Names{"alpha.test", "charlie.test"});
  CHECK(stores.rooms().joined_local_users(room.id()).value() == std::vector{alice});
  room.member(alice, alice, "leave");
  CHECK(servers_in(stores, room.id()) == Names{"charlie.test"});
  CHECK(stores.rooms().joined_local_users(room.id())->empty());
}

TEST_CASE("a joined room's members are known from state that came as outliers") {
  Stores stores;
  stores.open();
  LiveRoom room(stores, "11", user("@olga:bravo.test"));
  RoomBuilder::Tip tip = room.builder.created();
  for (int i = 0; i < 20; ++i) room.builder.join(tip, user("@u" + std::to_string(i) + ":bravo.test"));
  std::vector<EventCommit> commits;
  std::vector<std::pair<StateKey, EventId>> delta;
  for (const auto& [key, id] : tip.state) {
    EventCommit outlier;
    outlier.event = room.builder.find(id);
    outlier.room_version = "11";
    outlier.outlier = true;
    commits.push_back(std::move(outlier));
    delta.emplace_back(key, id);
  }
  const auto before = stores.rooms().store_state(room.id(), tip.state);
  REQUIRE(before);
  room.state = *before;
  room.tip = tip;
  EventCommit join = room.next_member(alice, alice, "join");
  join.current_state_delta.insert(join.current_state_delta.end(), delta.begin(), delta.end());
  commits.push_back(join);
  const auto position = commit_all(stores.rooms(), commits);
  REQUIRE(position);
  stores.reopen();
  CHECK(stores.rooms().members(room.id())->size() == 22);
  CHECK(servers_in(stores, room.id()) == std::vector<std::string>{"alpha.test", "bravo.test"});
  CHECK(stores.rooms().live_events(room.id(), 0, *position, 100, true)->events.size() == 1);
  CHECK(stores.rooms().state_changes(room.id(), 0, *position)->size() == delta.size() + 1);
  CHECK(stores.rooms().room(room.id()).value()->create_event == room.builder.create()->id());
  CHECK(stores.rooms().backward_extremities(room.id(), 10)->size() == 1);
}

TEST_CASE("changes of the current state are told newest per key") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const StreamPosition from = stores.stream().current();
  REQUIRE(commit(stores.rooms(), room.next_state(alice, "m.room.topic", R"({"topic":"one"})")));
  const EventId first = room.tip.heads.front();
  const StreamPosition middle = stores.stream().current();
  REQUIRE(commit(stores.rooms(), room.next_state(alice, "m.room.topic", R"({"topic":"two"})")));
  const EventId second = room.tip.heads.front();
  room.message(alice);
  const StreamPosition to = stores.stream().current();
  using Changes = std::vector<std::pair<StateKey, EventId>>;
  const StateKey topic{"m.room.topic", ""};
  CHECK(stores.rooms().state_changes(room.id(), from, to).value() == Changes{{topic, second}});
  CHECK(stores.rooms().state_changes(room.id(), from, middle).value() == Changes{{topic, first}});
  CHECK(stores.rooms().state_changes(room.id(), to, to + 5)->empty());
}

TEST_CASE("an invitation from outside lasts until it is answered") {
  Stores stores;
  stores.open();
  const auto room = RoomId::parse("!far:bravo.test").value();
  CHECK(stores.rooms().stripped_invites(alice)->empty());
  const auto invited = stores.rooms().save_stripped_invite({room, alice, "11", "invite", "{}", "[]", 0, {}});
  REQUIRE(invited);
  stores.reopen();
  auto pending = stores.rooms().stripped_invites(alice);
  REQUIRE(pending->size() == 1);
  CHECK(pending->front().room == room);
  CHECK(pending->front().membership == "invite");
  CHECK(pending->front().position == *invited);
  const auto over = stores.rooms().remove_stripped_invite(room, alice);
  REQUIRE(over);
  pending = stores.rooms().stripped_invites(alice);
  REQUIRE(pending->size() == 1);
  CHECK(pending->front().membership == "leave");
  CHECK(pending->front().position == *over);
  REQUIRE(stores.rooms().remove_stripped_invite(room, alice));
  CHECK(stores.rooms().stripped_invites(alice)->front().position == *over);
}

}  // namespace skerry::test
