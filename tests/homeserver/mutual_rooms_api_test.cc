// Rooms that two users share, against a real process. Client-server API, 'Mutual Rooms'.
#include "tests/homeserver/chat_api.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string path = "/_matrix/client/v1/mutual_rooms";

}  // namespace

TEST_CASE("mutual rooms are those that both are joined to now") {
  HomeserverProcess server;
  const Api nobody(server.url());
  const Api alice = nobody.register_user("alice");
  const Api bob = nobody.register_user("bob");
  const auto with = [](const std::string& user) { return path + "?user_id=" + encoded(user); };
  CHECK(must(alice.get(with(bob.user_id))) == Json{{"joined", Json::array()}, {"count", 0}});
  const std::string shared = public_room(alice);
  const std::string left = public_room(alice);
  const std::string own = public_room(alice);
  join(bob, shared);
  join(bob, left);
  must(alice.post(room_path(own) + "/invite", {{"user_id", bob.user_id}}));
  must(bob.post(room_path(left) + "/leave"));
  const Json expected = {{"joined", {shared}}, {"count", 1}};
  CHECK(must(alice.get(with(bob.user_id))) == expected);
  CHECK(must(bob.get(with(alice.user_id))) == expected);
  CHECK(must(alice.get(with("@nobody:alpha.test"))).at("count") == 0);
  CHECK(must(alice.get(with("@nobody:elsewhere.example"))).at("count") == 0);

  CHECK(alice.get(path).status == 400);
  CHECK(alice.get(with("bob")).errcode() == "M_INVALID_PARAM");
  CHECK(alice.get(with(alice.user_id)).errcode() == "M_INVALID_PARAM");
  CHECK(alice.get(with(bob.user_id) + "&from=x").errcode() == "M_INVALID_PARAM");
  CHECK(nobody.get(with(bob.user_id)).errcode() == "M_MISSING_TOKEN");
}
