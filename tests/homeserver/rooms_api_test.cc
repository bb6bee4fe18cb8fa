// Making rooms, coming and going, reading and writing them, against a real process.
#include <set>

#include "tests/homeserver/chat_api.h"

using namespace skerry;
using namespace skerry::test;

namespace {

struct Server {
  HomeserverProcess process;
  Api nobody = Api(process.url());
  Api alice = nobody.register_user("alice");
  Api bob = nobody.register_user("bob");
};

Json state(const Api& api, const std::string& room, const std::string& type, const std::string& key = {}) {
  return must(api.get(room_path(room) + "/state/" + encoded(type) + "/" + encoded(key)));
}

std::string membership(const Api& api, const std::string& room, const Api& user) {
  return state(api, room, "m.room.member", user.user_id).at("membership");
}

Answer member_action(const Api& api, const std::string& room, const std::string& action, const Api& user) {
  return api.post(room_path(room) + "/" + action, {{"user_id", user.user_id}});
}

}  // namespace

TEST_CASE("presets set who may join and what a guest reads") {
  Server server;
  const std::string open = create_room(server.alice, {{"preset", "public_chat"}});
  CHECK(state(server.alice, open, "m.room.join_rules").at("join_rule") == "public");
  CHECK(state(server.alice, open, "m.room.history_visibility").at("history_visibility") == "shared");
  CHECK(state(server.alice, open, "m.room.guest_access").at("guest_access") == "forbidden");
  const std::string closed = create_room(server.alice, {{"preset", "private_chat"}});
  CHECK(state(server.alice, closed, "m.room.join_rules").at("join_rule") == "invite");
  CHECK(state(server.alice, closed, "m.room.guest_access").at("guest_access") == "can_join");
  // Without a preset the visibility decides.
  const std::string listed = create_room(server.alice, {{"visibility", "public"}});
  CHECK(state(server.alice, listed, "m.room.join_rules").at("join_rule") == "public");
  CHECK(state(server.alice, create_room(server.alice), "m.room.join_rules").at("join_rule") == "invite");
  CHECK(server.alice.post(std::string(v3) + "/createRoom", {{"preset", "odd"}}).status == 400);
  CHECK(server.alice.post(std::string(v3) + "/createRoom", {{"room_version", "99"}}).errcode() ==
        "M_UNSUPPORTED_ROOM_VERSION");
}

TEST_CASE("a trusted chat gives the invited the powers of its maker") {
  Server server;
  for (const char* version : {"11", "12"}) {
    const std::string room = create_room(server.alice, {{"preset", "trusted_private_chat"},
                                                        {"room_version", version},
                                                        {"is_direct", true},
                                                        {"invite", {server.bob.user_id}}});
    CAPTURE(version);
    CHECK(state(server.alice, room, "m.room.member", server.bob.user_id).at("is_direct") == true);
    join(server.bob, room);
    set_state(server.bob, room, "m.room.power_levels", state(server.bob, room, "m.room.power_levels"));
  }
}

TEST_CASE("what a room is made with is in it") {
  Server server;
  const std::string room = create_room(
      server.alice,
      {{"name", "Harbour"},
       {"topic", "Ships"},
       {"room_alias_name", "harbour"},
       {"creation_content", {{"m.federate", false}, {"org.example", 1}}},
       {"initial_state", {{{"type", "m.room.history_visibility"}, {"content", {{"history_visibility", "joined"}}}}}},
       {"power_level_content_override", {{"events_default", 10}}}});
  CHECK(state(server.alice, room, "m.room.name").at("name") == "Harbour");
  CHECK(state(server.alice, room, "m.room.topic").at("topic") == "Ships");
  CHECK(state(server.alice, room, "m.room.canonical_alias").at("alias") == "#harbour:alpha.test");
  CHECK(state(server.alice, room, "m.room.create").at("m.federate") == false);
  CHECK(state(server.alice, room, "m.room.create").at("org.example") == 1);
  CHECK(state(server.alice, room, "m.room.history_visibility").at("history_visibility") == "joined");
  CHECK(state(server.alice, room, "m.room.power_levels").at("events_default") == 10);
  CHECK(server.alice.post(std::string(v3) + "/createRoom", {{"room_alias_name", "harbour"}}).errcode() ==
        "M_ROOM_IN_USE");
}

TEST_CASE("people are invited and leave and are kicked and banned by those who may") {
  Server server;
  const Api carol = server.nobody.register_user("carol");
  const std::string room = create_room(server.alice);
  CHECK(server.bob.post(room_path(room) + "/join").errcode() == "M_FORBIDDEN");
  must(member_action(server.alice, room, "invite", server.bob));
  CHECK(membership(server.alice, room, server.bob) == "invite");
  join(server.bob, room);
  join(server.bob, room);  // again: nothing to do
  CHECK(member_action(server.bob, room, "kick", server.alice).errcode() == "M_FORBIDDEN");
  CHECK(member_action(server.bob, room, "ban", carol).errcode() == "M_FORBIDDEN");
  must(member_action(server.bob, room, "invite", carol));
  must(member_action(server.alice, room, "kick", carol));
  CHECK(membership(server.alice, room, carol) == "leave");
  must(member_action(server.alice, room, "ban", carol));
  CHECK(member_action(server.alice, room, "invite", carol).errcode() == "M_FORBIDDEN");
  CHECK(carol.post(room_path(room) + "/join").errcode() == "M_FORBIDDEN");
  must(member_action(server.alice, room, "unban", carol));
  CHECK(membership(server.alice, room, carol) == "leave");
  must(server.bob.post(room_path(room) + "/leave"));
  CHECK(membership(server.alice, room, server.bob) == "leave");
  CHECK(try_say(server.bob, room, "from outside", "1").errcode() == "M_FORBIDDEN");
  CHECK(must(server.alice.get(std::string(v3) + "/joined_rooms")).at("joined_rooms") == Json{room});
  CHECK(must(server.bob.get(std::string(v3) + "/joined_rooms")).at("joined_rooms").empty());
}

TEST_CASE("state is set and read with and without a key") {
  Server server;
  const std::string room = create_room(server.alice);
  const std::string path = room_path(room) + "/state/org.example.thing";
  must(server.alice.put(path, {{"n", 1}}));
  CHECK(must(server.alice.get(path)).at("n") == 1);
  CHECK(must(server.alice.get(path + "/")).at("n") == 1);
  must(server.alice.put(path + "/", {{"n", 2}}));
  CHECK(must(server.alice.get(path)).at("n") == 2);
  must(server.alice.put(path + "/a%2Fb", {{"n", 3}}));
  CHECK(must(server.alice.get(path + "/a%2Fb")).at("n") == 3);
  CHECK(must(server.alice.get(path + "/?format=event")).at("state_key") == "");
  CHECK(server.alice.get(path + "/none").errcode() == "M_NOT_FOUND");
  CHECK(server.bob.get(path).errcode() == "M_FORBIDDEN");
  CHECK(server.alice.put(path + "/" + encoded(server.bob.user_id), {{"n", 4}}).errcode() == "M_FORBIDDEN");
  CHECK(contains(keys(must(server.alice.get(room_path(room) + "/state"))), "org.example.thing a/b"));
}

TEST_CASE("messages page through history both ways to its ends") {
  Server server;
  const std::string room = create_room(server.alice);
  Texts said;
  for (int i = 0; i < 25; ++i) {
    said.push_back("m" + std::to_string(i));
    say(server.alice, room, said.back());
  }
  Texts backwards;
  std::string from;
  int pages = 0;
  for (; pages < 20; ++pages) {
    const Json page = must(
        server.alice.get(room_path(room) + "/messages?dir=b&limit=7" + (from.empty() ? "" : "&from=" + encoded(from))));
    CHECK(page.at("chunk").size() <= 7);
    for (const auto& body : bodies(page.at("chunk"))) backwards.push_back(body);
    if (!page.contains("end")) break;
    from = page.at("end");
  }
  CHECK(pages < 20);
  CHECK(backwards == Texts(said.rbegin(), said.rend()));
  Texts forwards;
  from.clear();
  for (pages = 0; pages < 20; ++pages) {
    const Json page = must(
        server.alice.get(room_path(room) + "/messages?dir=f&limit=7" + (from.empty() ? "" : "&from=" + encoded(from))));
    for (const auto& body : bodies(page.at("chunk"))) forwards.push_back(body);
    if (!page.contains("end")) break;
    from = page.at("end");
  }
  CHECK(forwards == said);
  CHECK(server.alice.get(room_path(room) + "/messages?dir=x").status == 400);
  CHECK(server.alice.get(room_path(room) + "/messages").status == 400);
  CHECK(server.alice.get(room_path(room) + "/messages?dir=b&from=nonsense").status == 400);
  CHECK(server.bob.get(room_path(room) + "/messages?dir=b").errcode() == "M_FORBIDDEN");
}

TEST_CASE("an event is shown with what was around it") {
  Server server;
  const std::string room = create_room(server.alice);
  std::vector<std::string> ids;
  for (int i = 0; i < 9; ++i) ids.push_back(say(server.alice, room, "m" + std::to_string(i)));
  const Json context = must(server.alice.get(room_path(room) + "/context/" + encoded(ids[4]) + "?limit=4"));
  CHECK(context.at("event").at("event_id") == ids[4]);
  CHECK(bodies(context.at("events_before")) == Texts{"m3", "m2"});
  CHECK(bodies(context.at("events_after")) == Texts{"m5", "m6"});
  CHECK(contains(keys(context.at("state")), "m.room.create "));
  const Json earlier = must(server.alice.get(
      room_path(room) + "/messages?dir=b&limit=2&from=" + encoded(context.at("start").get<std::string>())));
  CHECK(bodies(earlier.at("chunk")) == Texts{"m1", "m0"});
  const Json later = must(server.alice.get(
      room_path(room) + "/messages?dir=f&limit=2&from=" + encoded(context.at("end").get<std::string>())));
  CHECK(bodies(later.at("chunk")) == Texts{"m7", "m8"});
  CHECK(must(server.alice.get(room_path(room) + "/event/" + encoded(ids[0]))).at("content").at("body") == "m0");
  CHECK(server.bob.get(room_path(room) + "/event/" + encoded(ids[0])).status == 404);
  CHECK(server.alice.get(room_path(room) + "/event/%24nothing").errcode() == "M_NOT_FOUND");
}

TEST_CASE("history is visible from when the room says") {
  Server server;
  const std::string room = create_room(
      server.alice,
      {{"preset", "public_chat"},
       {"initial_state", {{{"type", "m.room.history_visibility"}, {"content", {{"history_visibility", "joined"}}}}}}});
  say(server.alice, room, "before");
  join(server.bob, room);
  say(server.alice, room, "after");
  const auto seen = [&](const Api& api) {
    return bodies(must(api.get(room_path(room) + "/messages?dir=b&limit=100")).at("chunk"));
  };
  CHECK(seen(server.bob) == Texts{"after"});
  must(server.bob.post(room_path(room) + "/leave"));
  say(server.alice, room, "gone");
  CHECK(seen(server.bob) == Texts{"after"});
  CHECK(seen(server.alice) == Texts{"gone", "after", "before"});
}

TEST_CASE("members are listed as they are and as they were") {
  Server server;
  const std::string room = public_room(server.alice);
  const std::string before = sync(server.alice).at("next_batch");
  join(server.bob, room);
  const auto members = [&](const std::string& query) {
    return keys(must(server.alice.get(room_path(room) + "/members" + query)).at("chunk")).size();
  };
  CHECK(members("") == 2);
  CHECK(members("?at=" + encoded(before)) == 1);
  must(server.bob.post(room_path(room) + "/leave"));
  CHECK(members("?membership=leave") == 1);
  join(server.bob, room);
  CHECK(server.alice.get(room_path(room) + "/members?at=nonsense").errcode() == "M_INVALID_PARAM");
  CHECK(members("?not_membership=join") == 0);
  const Json joined = must(server.alice.get(room_path(room) + "/joined_members")).at("joined");
  CHECK(joined.size() == 2);
  CHECK(joined.contains(server.bob.user_id));
  CHECK(server.nobody.register_user("carol").get(room_path(room) + "/members").errcode() == "M_FORBIDDEN");
}

TEST_CASE("aliases lead to rooms and are removed by those who may") {
  Server server;
  const std::string room = public_room(server.alice);
  const std::string path = std::string(v3) + "/directory/room/" + encoded("#town:alpha.test");
  CHECK(server.nobody.get(path).errcode() == "M_NOT_FOUND");
  must(server.alice.put(path, {{"room_id", room}}));
  CHECK(server.alice.put(path, {{"room_id", room}}).status == 409);
  const Json found = must(server.nobody.get(path));
  CHECK(found.at("room_id") == room);
  CHECK(found.at("servers") == Json{"alpha.test"});
  CHECK(must(server.alice.get(room_path(room) + "/aliases")).at("aliases") == Json{"#town:alpha.test"});
  must(server.bob.post(std::string(v3) + "/join/" + encoded("#town:alpha.test")));
  CHECK(server.bob.del(path).errcode() == "M_FORBIDDEN");
  must(server.alice.del(path));
  CHECK(server.nobody.get(path).status == 404);
  CHECK(server.alice.put(std::string(v3) + "/directory/room/" + encoded("#town:bravo.test"), {{"room_id", room}})
            .status == 400);
}

TEST_CASE("the room directory lists what was made public and pages through it") {
  Server server;
  for (int i = 0; i < 5; ++i) {
    create_room(server.alice, {{"visibility", "public"}, {"name", "Room " + std::to_string(i)}});
  }
  const std::string hidden = public_room(server.alice);
  const std::string list = std::string(v3) + "/publicRooms";
  const Json all = must(server.nobody.get(list));
  CHECK(all.at("chunk").size() == 5);
  CHECK(all.at("chunk")[0].at("num_joined_members") == 1);
  CHECK(all.at("chunk")[0].at("join_rule") == "public");
  // Not a member more than PublicRoomsChunk has: matrix-nio takes no other.
  CHECK(all.at("chunk")[0].size() == 6);
  const Json first = must(server.nobody.get(list + "?limit=2"));
  CHECK(first.at("chunk").size() == 2);
  const Json second = must(server.nobody.get(list + "?limit=2&since=" + encoded(first.at("next_batch"))));
  CHECK(second.at("chunk").size() == 2);
  CHECK(second.at("chunk")[0].at("room_id") != first.at("chunk")[0].at("room_id"));
  const Json some = must(server.alice.post(list, {{"filter", {{"generic_search_term", "room 3"}}}}));
  REQUIRE(some.at("chunk").size() == 1);
  CHECK(some.at("chunk")[0].at("name") == "Room 3");
  create_room(server.alice, {{"visibility", "public"}, {"name", "Space"}, {"creation_content", {{"type", "m.space"}}}});
  const auto names_of = [&](const Json& types) {
    std::set<std::string> names;
    const Json found = must(server.alice.post(list, {{"filter", {{"room_types", types}}}}));
    for (const Json& room : found.at("chunk")) names.insert(room.at("name"));
    return names;
  };
  CHECK(names_of({"m.space"}) == std::set<std::string>{"Space"});
  CHECK(names_of(Json::array({nullptr})).size() == 5);
  CHECK(names_of({nullptr, "m.space"}).size() == 6);
  CHECK(names_of(Json::array()).empty());
  CHECK(server.alice.post(list, {{"filter", {{"room_types", {1}}}}}).errcode() == "M_BAD_JSON");
  const std::string visibility = std::string(v3) + "/directory/list/room/" + encoded(hidden);
  CHECK(must(server.nobody.get(visibility)).at("visibility") == "private");
  CHECK(server.bob.put(visibility, {{"visibility", "public"}}).errcode() == "M_FORBIDDEN");
  must(server.alice.put(visibility, {{"visibility", "public"}}));
  CHECK(must(server.nobody.get(list)).at("chunk").size() == 7);
}

TEST_CASE("messages that break a limit are refused") {
  Server server;
  const std::string room = create_room(server.alice);
  const std::string send = room_path(room) + "/send/m.room.message/";
  CHECK(server.alice.put(send + "1", {{"body", std::string(70'000, 'x')}}).errcode() == "M_TOO_LARGE");
  CHECK(server.alice.put(send + "2", {{"body", 1.5}}).status == 400);
  CHECK(server.alice.put(room_path(room) + "/send/" + std::string(300, 't') + "/3", {{"body", "x"}}).errcode() ==
        "M_TOO_LARGE");
  CHECK(server.alice.put(room_path(room) + "/send/m.room.create/4", Json::object()).status >= 400);
  CHECK(server.alice.put(room_path("!nowhere:alpha.test") + "/send/m.room.message/5", {{"body", "x"}}).status >= 400);
  CHECK(server.alice.request("PUT", send + "6", "[1]").status == 400);
}
