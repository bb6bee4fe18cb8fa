// Summaries of rooms, spaces and the user directory, against real processes. Client-server API, 'Room summaries',
// 'Spaces', 'User directory'.
#include "tests/homeserver/chat_api.h"
#include "tests/support/town.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string v1 = "/_matrix/client/v1";

std::string space(const Api& api, const Json& more = {{"preset", "public_chat"}}) {
  Json body = {{"creation_content", {{"type", "m.space"}}}, {"name", "A space"}};
  body.update(more);
  return create_room(api, body);
}

void put_child(const Api& api, const std::string& parent, const std::string& child, const std::string& via,
               const Json& more = Json::object()) {
  Json content = {{"via", {via}}};
  content.update(more);
  set_state(api, parent, "m.space.child", content, child);
}

Answer hierarchy(const Api& api, const std::string& room, const std::string& query = {}) {
  return api.get(v1 + "/rooms/" + encoded(room) + "/hierarchy" + query);
}
Answer summary(const Api& api, const std::string& room, const std::string& query = {}) {
  return api.get(v1 + "/room_summary/" + encoded(room) + query);
}
Texts room_ids(const Answer& answer) {
  Texts ids;
  const Json body = must(answer);
  for (const Json& room : body.at("rooms")) ids.push_back(room.at("room_id"));
  return ids;
}

Json restricted_to(const std::string& room) {
  const Json rules = {{"join_rule", "restricted"}, {"allow", {{{"type", "m.room_membership"}, {"room_id", room}}}}};
  return {{"initial_state", {{{"type", "m.room.join_rules"}, {"state_key", ""}, {"content", rules}}}}};
}

}  // namespace

TEST_CASE("a room's summary is for those who are in it or may come in") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  const std::string room = create_room(alice, {{"preset", "public_chat"},
                                               {"name", "Quay"},
                                               {"topic", "Ships"},
                                               {"room_alias_name", "quay"},
                                               {"room_version", "11"}});
  const Json seen = must(summary(bob, room));
  CHECK(seen.at("room_id") == room);
  CHECK(seen.at("name") == "Quay");
  CHECK(seen.at("topic") == "Ships");
  CHECK(seen.at("join_rule") == "public");
  CHECK(seen.at("room_version") == "11");
  CHECK(seen.at("num_joined_members") == 1);
  CHECK_FALSE(seen.contains("membership"));
  CHECK_FALSE(seen.contains("children_state"));
  CHECK(must(summary(alice, "#quay:alpha.test")).at("membership") == "join");

  const std::string cabin = create_room(alice, {{"preset", "private_chat"}});
  CHECK(summary(bob, cabin).errcode() == "M_NOT_FOUND");
  must(alice.post(room_path(cabin) + "/invite", {{"user_id", bob.user_id}}));
  CHECK(must(summary(bob, cabin)).at("membership") == "invite");
  CHECK(summary(bob, "!nowhere:alpha.test").errcode() == "M_NOT_FOUND");
  CHECK(summary(bob, "#nowhere:alpha.test").errcode() == "M_NOT_FOUND");
  CHECK(Api(server.url()).get(v1 + "/room_summary/" + encoded(room)).errcode() == "M_MISSING_TOKEN");
}

TEST_CASE("a space is walked depth first, in its order, each room once, and only what one may see") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  const std::string top = space(alice), below = space(alice);
  const std::string first = public_room(alice), second = public_room(alice);
  const std::string secret = create_room(alice, {{"preset", "private_chat"}});
  const std::string members = create_room(alice, restricted_to(top));
  const std::string via = "alpha.test";
  put_child(alice, top, second, via);
  put_child(alice, top, below, via, {{"order", "b"}, {"suggested", true}});
  put_child(alice, top, first, via, {{"order", "a"}});
  put_child(alice, top, secret, via, {{"order", "c"}});
  put_child(alice, top, members, via, {{"order", "d"}});
  put_child(alice, below, top, via);  // round in a circle
  put_child(alice, below, second, via);

  CHECK(room_ids(hierarchy(alice, top)) == Texts{top, first, below, second, secret, members});
  CHECK(room_ids(hierarchy(bob, top)) == Texts{top, first, below, second});
  join(bob, top);
  CHECK(room_ids(hierarchy(bob, top)) == Texts{top, first, below, second, members});
  CHECK(room_ids(hierarchy(bob, top, "?max_depth=0")) == Texts{top});
  CHECK(room_ids(hierarchy(bob, top, "?max_depth=1")) == Texts{top, first, below, members, second});
  CHECK(room_ids(hierarchy(bob, top, "?suggested_only=true")) == Texts{top, below});

  const Json rooms = must(hierarchy(bob, top)).at("rooms");
  CHECK(rooms[0].at("room_type") == "m.space");
  CHECK(rooms[0].at("children_state").size() == 5);
  CHECK(rooms[0].at("children_state")[0].at("state_key") == first);
  CHECK(rooms[0].at("children_state")[0].at("origin_server_ts").is_number_integer());
  CHECK(rooms[1].at("children_state") == Json::array());
  CHECK(rooms[4].at("allowed_room_ids") == Json::array({top}));
  CHECK(hierarchy(bob, secret).errcode() == "M_FORBIDDEN");
  CHECK(hierarchy(bob, "!nowhere:alpha.test").errcode() == "M_FORBIDDEN");

  // A child that was taken out again is none any more.
  set_state(alice, top, "m.space.child", Json::object(), first);
  CHECK(room_ids(hierarchy(bob, top)) == Texts{top, below, second, members});
}

TEST_CASE("a hierarchy comes in pages, whose tokens hold for the same query only") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string top = space(alice);
  Texts all{top};
  for (int i = 0; i < 5; ++i) {
    all.push_back(public_room(alice));
    put_child(alice, top, all.back(), "alpha.test", {{"order", std::string(1, static_cast<char>('a' + i))}});
  }
  Texts seen;
  std::string from;
  for (int page = 0; page < 3; ++page) {
    const Answer answer = hierarchy(alice, top, "?limit=2" + (from.empty() ? "" : "&from=" + from));
    const Texts ids = room_ids(answer);
    CHECK(ids.size() == 2);
    seen.insert(seen.end(), ids.begin(), ids.end());
    from = answer.json.value("next_batch", "");
    CHECK(from.empty() == (page == 2));
  }
  CHECK(seen == all);
  from = must(hierarchy(alice, top, "?limit=2")).at("next_batch");
  CHECK(hierarchy(alice, top, "?suggested_only=true&from=" + from).errcode() == "M_INVALID_PARAM");
  CHECK(hierarchy(alice, top, "?max_depth=3&from=" + from).errcode() == "M_INVALID_PARAM");
  CHECK(hierarchy(alice, top, "?from=x").errcode() == "M_INVALID_PARAM");
  CHECK(hierarchy(alice, top, "?limit=0").errcode() == "M_INVALID_PARAM");
}

TEST_CASE("rooms of other servers are asked for there, and shown to whom they are open") {
  Town town;
  auto alpha = town.homeserver("alpha.town.test");
  auto bravo = town.homeserver("bravo.town.test");
  const Api alice = Api(alpha->url()).register_user("alice");
  const Api bob = Api(bravo->url()).register_user("bob");
  const std::string top = space(alice);
  const std::string below = space(alice), deep = public_room(alice);
  const std::string secret = create_room(alice, {{"preset", "private_chat"}});
  put_child(alice, top, below, "alpha.town.test", {{"order", "a"}});
  put_child(alice, top, secret, "alpha.town.test", {{"order", "b"}});
  put_child(alice, below, deep, "alpha.town.test");

  CHECK(hierarchy(bob, top).errcode() == "M_FORBIDDEN");  // nothing says where it is
  CHECK(must(summary(bob, top, "?via=alpha.town.test")).at("room_type") == "m.space");
  CHECK(summary(bob, secret, "?via=alpha.town.test").errcode() == "M_NOT_FOUND");
  CHECK(summary(bob, top, "?via=nowhere.town.test").errcode() == "M_NOT_FOUND");

  must(bob.post(room_path(top) + "/join?via=alpha.town.test"));
  CHECK(room_ids(hierarchy(bob, top)) == Texts{top, below, deep});
  alpha->stop();
  CHECK(room_ids(hierarchy(bob, top)) == Texts{top});
}

TEST_CASE("people are found by id and name, among those that one may know of") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  const Api carol = Api(server.url()).register_user("carol");
  const Api dave = Api(server.url()).register_user("dave");
  must(bob.put(std::string(v3) + "/profile/" + encoded(bob.user_id) + "/displayname", {{"displayname", "Captain B"}}));
  const std::string room = create_room(alice, {{"preset", "private_chat"}});
  must(alice.post(room_path(room) + "/invite", {{"user_id", bob.user_id}}));
  join(bob, room);
  public_room(carol);
  create_room(dave, {{"preset", "private_chat"}});
  const auto search = [&](const Api& api, const Json& body) {
    return must(api.post(std::string(v3) + "/user_directory/search", body));
  };
  const auto found = [&](const Api& api, const std::string& term) {
    Texts ids;
    const Json answer = search(api, {{"search_term", term}});
    for (const Json& result : answer.at("results")) ids.push_back(result.at("user_id"));
    return ids;
  };
  CHECK(found(alice, "BOB") == Texts{bob.user_id});
  CHECK(found(alice, "captain") == Texts{bob.user_id});
  CHECK(search(alice, {{"search_term", "captain"}}).at("results")[0].at("display_name") == "Captain B");
  CHECK(found(alice, "carol") == Texts{carol.user_id});  // in a public room
  CHECK(found(alice, "dave").empty());
  CHECK(found(carol, "bob").empty());
  CHECK(found(carol, "captain").empty());
  CHECK(found(alice, "").empty());
  const Json limited = search(alice, {{"search_term", "alpha.test"}, {"limit", 1}});
  CHECK(limited.at("results").size() == 1);
  CHECK(limited.at("limited") == true);
  CHECK(alice.post(std::string(v3) + "/user_directory/search").errcode() == "M_MISSING_PARAM");
  CHECK(alice.post(std::string(v3) + "/user_directory/search", {{"search_term", "x"}, {"limit", "many"}}).errcode() ==
        "M_BAD_JSON");
}
