// Who is in rooms with whom.
#include <algorithm>
#include <deque>

#include <catch2/catch.hpp>

#include "tests/storage/stores.h"

namespace skerry::test {

namespace {

template <class IdType>
std::vector<std::string> texts(const Result<std::vector<IdType>>& ids) {
  REQUIRE(ids);
  std::vector<std::string> list;
  for (const IdType& id : *ids) list.push_back(id.str());
  std::sort(list.begin(), list.end());
  return list;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("people are near who are joined to the same room, whatever server is theirs") {
  Stores stores;
  stores.open();
  const UserId alice = user("@alice:alpha.test");
  const UserId bob = user("@bob:bravo.test");
  const UserId carol = user("@carol:alpha.test");
  const UserId dave = user("@dave:charlie.test");
  LiveRoom one(stores), two(stores, "12", alice);
  one.found();
  two.found();
  one.join(bob);
  two.join(carol);
  two.join(dave);
  auto& people = stores.people();
  CHECK(texts(people.sharing_a_room(alice, {alice, bob, carol, dave})) ==
        Texts{"@alice:alpha.test", "@bob:bravo.test", "@carol:alpha.test", "@dave:charlie.test"});
  CHECK(texts(people.sharing_a_room(bob, {alice, carol, dave})) == Texts{"@alice:alpha.test"});
  CHECK(texts(people.local_users_near({bob})) == Texts{"@alice:alpha.test"});
  CHECK(texts(people.local_users_near({bob, dave})) == Texts{"@alice:alpha.test", "@carol:alpha.test"});
  CHECK(texts(people.servers_near(alice)) == Texts{"bravo.test", "charlie.test"});
  CHECK(texts(people.servers_near(carol)) == Texts{"charlie.test"});

  two.member(dave, dave, "leave");
  CHECK(texts(people.servers_near(alice)) == Texts{"bravo.test"});
  CHECK(texts(people.sharing_a_room(carol, {alice, dave})) == Texts{"@alice:alpha.test"});
  CHECK(texts(people.local_users_near({dave})).empty());
}

TEST_CASE("mutual rooms are those that both are joined to and come in pages") {
  Stores stores;
  stores.open();
  const UserId alice = user("@alice:alpha.test");
  const UserId bob = user("@bob:bravo.test");
  std::deque<LiveRoom> rooms;
  Texts ids;
  for (int i = 0; i < 5; ++i) {
    LiveRoom& room = rooms.emplace_back(stores, "12", user("@maker" + std::to_string(i) + ":alpha.test"));
    room.found();
    room.join(alice);
    if (i > 0) room.join(bob);  // not in the first
    if (i > 0) ids.push_back(room.id().str());
  }
  rooms.back().member(bob, bob, "leave");
  ids.pop_back();
  auto& people = stores.people();
  const auto first = people.mutual_rooms(alice, bob, 0, 2);
  REQUIRE(first);
  CHECK(first->count == 3);
  REQUIRE(first->next);
  const auto second = people.mutual_rooms(alice, bob, *first->next, 2);
  REQUIRE(second);
  CHECK(second->count == 3);
  CHECK_FALSE(second->next);
  Texts found;
  for (const auto& page : {*first, *second}) {
    for (const RoomId& room : page.rooms) found.push_back(room.str());
  }
  CHECK(found == ids);
  CHECK(people.mutual_rooms(bob, alice, 0, 10)->rooms.size() == 3);
  CHECK(people.mutual_rooms(alice, user("@nobody:bravo.test"), 0, 10)->count == 0);
}

}  // namespace skerry::test
