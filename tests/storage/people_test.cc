// Who is in rooms with whom.
#include <algorithm>

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

}  // namespace skerry::test
