// Rooms that are replaced by others of another version, against a real process.
#include "tests/homeserver/chat_api.h"

using namespace skerry;
using namespace skerry::test;

namespace {

struct Server {
  HomeserverProcess process;
  Api nobody = Api(process.url());
  Api alice = nobody.register_user("alice");
  Api bob = nobody.register_user("bob");
  Api carol = nobody.register_user("carol");
};

Json state(const Api& api, const std::string& room, const std::string& type, const std::string& key = {}) {
  return must(api.get(room_path(room) + "/state/" + encoded(type) + "/" + encoded(key)));
}

Answer try_upgrade(const Api& api, const std::string& room, const Json& body) {
  return api.post(room_path(room) + "/upgrade", body);
}

std::string upgrade(const Api& api, const std::string& room, const std::string& version) {
  return must(try_upgrade(api, room, {{"new_version", version}})).at("replacement_room");
}

Json create_content(const Api& api, const std::string& room) { return state(api, room, "m.room.create"); }

std::string account_data_path(const Api& api, const std::string& type) {
  return std::string(v3) + "/user/" + encoded(api.user_id) + "/account_data/" + type;
}

}  // namespace

TEST_CASE("a room is replaced by one of any version and each names the other") {
  Server server;
  std::string room = create_room(server.alice, {{"room_version", "1"}, {"creation_content", {{"type", "test.kind"}}}});
  for (const char* version : {"1", "3", "6", "9", "11", "12", "12", "10"}) {
    CAPTURE(version);
    const std::string made = upgrade(server.alice, room, version);
    CHECK(made != room);
    const Json tombstone = state(server.alice, room, "m.room.tombstone");
    CHECK(tombstone.at("replacement_room") == made);
    CHECK(tombstone.at("body").is_string());
    const Json create = create_content(server.alice, made);
    CHECK(create.at("room_version") == version);
    CHECK(create.at("type") == "test.kind");
    CHECK(create.at("predecessor").at("room_id") == room);
    if (version != std::string("12")) {
      const std::string last = create.at("predecessor").at("event_id");
      CHECK(must(server.alice.get(room_path(room) + "/event/" + encoded(last))).at("type") == "m.room.tombstone");
    }
    say(server.alice, made, std::string("here ") + version + room);
    room = made;
  }
}

TEST_CASE("what makes a room itself moves to its replacement") {
  Server server;
  const Json acl = {{"allow", {"*"}}, {"deny", {"evil.test"}}};
  const std::string room = create_room(
      server.alice, {{"room_version", "9"},
                     {"preset", "public_chat"},
                     {"name", "Harbour"},
                     {"topic", "Boats"},
                     {"power_level_content_override", {{"events", {{"m.room.name", 77}}}, {"users_default", 5}}},
                     {"initial_state",
                      {{{"type", "m.room.encryption"}, {"content", {{"algorithm", "m.megolm.v1.aes-sha2"}}}},
                       {{"type", "m.room.avatar"}, {"content", {{"url", "mxc://example.org/boat"}}}},
                       {{"type", "m.room.history_visibility"}, {"content", {{"history_visibility", "world_readable"}}}},
                       {{"type", "m.room.guest_access"}, {"content", {{"guest_access", "can_join"}}}},
                       {{"type", "m.room.server_acl"}, {"content", acl}},
                       {{"type", "test.private"}, {"content", {{"by", "alice"}}}}}}});
  join(server.bob, room);
  must(server.alice.post(room_path(room) + "/ban", {{"user_id", server.carol.user_id}, {"reason", "noise"}}));
  const Json levels = state(server.alice, room, "m.room.power_levels");
  const std::string made = upgrade(server.alice, room, "11");
  for (const char* type : {"m.room.name", "m.room.topic", "m.room.encryption", "m.room.avatar", "m.room.join_rules",
                           "m.room.history_visibility", "m.room.guest_access", "m.room.server_acl"}) {
    CAPTURE(type);
    CHECK(state(server.alice, made, type) == state(server.alice, room, type));
  }
  CHECK(state(server.alice, made, "m.room.power_levels") == levels);
  const Json ban = state(server.alice, made, "m.room.member", server.carol.user_id);
  CHECK(ban.at("membership") == "ban");
  CHECK(ban.at("reason") == "noise");
  CHECK(server.carol.post(room_path(made) + "/join").status == 403);
  CHECK(server.alice.get(room_path(made) + "/state/test.private/").status == 404);
  CHECK(server.alice.get(room_path(made) + "/state/m.room.member/" + encoded(server.bob.user_id)).status == 404);
  join(server.bob, made);
}

TEST_CASE("the old room is closed to those who could write in it") {
  Server server;
  const std::string room = create_room(server.alice, {{"room_version", "11"}, {"preset", "public_chat"}});
  join(server.bob, room);
  const std::string since = sync(server.bob).at("next_batch");
  upgrade(server.alice, room, "12");
  const Json levels = state(server.alice, room, "m.room.power_levels");
  CHECK(levels.at("events_default") == 50);
  CHECK(levels.at("invite") == 50);
  CHECK(try_say(server.bob, room, "still here", "1").status == 403);
  const Json timeline = room_of(sync(server.bob, since), room).at("timeline").at("events");
  CHECK(contains(keys(timeline), "m.room.tombstone "));

  const std::string high =
      create_room(server.alice,
                  {{"room_version", "11"}, {"power_level_content_override", {{"users_default", 60}, {"invite", 90}}}});
  upgrade(server.alice, high, "11");
  CHECK(state(server.alice, high, "m.room.power_levels").at("events_default") == 61);
  CHECK(state(server.alice, high, "m.room.power_levels").at("invite") == 90);
}

TEST_CASE("aliases and the directory's entry lead to the new room") {
  Server server;
  const std::string room =
      create_room(server.alice, {{"room_version", "10"}, {"visibility", "public"}, {"room_alias_name", "harbour"}});
  const std::string alias = state(server.alice, room, "m.room.canonical_alias").at("alias");
  const std::string second = "#quay" + alias.substr(alias.find(':'));
  must(server.alice.put(std::string(v3) + "/directory/room/" + encoded(second), {{"room_id", room}}));
  set_state(server.alice, room, "m.room.canonical_alias", {{"alias", alias}, {"alt_aliases", {second}}});
  const std::string made = upgrade(server.alice, room, "12");
  for (const std::string& one : {alias, second}) {
    CHECK(must(server.nobody.get(std::string(v3) + "/directory/room/" + encoded(one))).at("room_id") == made);
  }
  const Json canonical = {{"alias", alias}, {"alt_aliases", {second}}};
  CHECK(state(server.alice, made, "m.room.canonical_alias") == canonical);
  CHECK(state(server.alice, room, "m.room.canonical_alias") == Json::object());
  const auto listed = [&](const std::string& id) {
    return must(server.alice.get(std::string(v3) + "/directory/list/room/" + encoded(id))).at("visibility");
  };
  CHECK(listed(room) == "private");
  CHECK(listed(made) == "public");
}

TEST_CASE("creators of a new room have no power level in it and those of an old one get one") {
  Server server;
  const std::string room = create_room(
      server.alice,
      {{"room_version", "11"},
       {"preset", "public_chat"},
       {"power_level_content_override", {{"users", {{server.alice.user_id, 100}, {server.bob.user_id, 100}}}}}});
  const Json answer =
      must(try_upgrade(server.alice, room, {{"new_version", "12"}, {"additional_creators", {server.carol.user_id}}}));
  const std::string made = answer.at("replacement_room");
  CHECK(create_content(server.alice, made).at("additional_creators") == Json{server.carol.user_id});
  CHECK(state(server.alice, made, "m.room.power_levels").at("users") == Json{{server.bob.user_id, 100}});
  // They are not taken along by themselves, and mean nothing to older versions.
  join(server.carol, made);
  const std::string third = upgrade(server.carol, made, "12");
  CHECK_FALSE(create_content(server.carol, third).contains("additional_creators"));
  const std::string back =
      must(try_upgrade(server.carol, third, {{"new_version", "11"}, {"additional_creators", "nonsense"}}))
          .at("replacement_room");
  CHECK_FALSE(create_content(server.carol, back).contains("additional_creators"));
  const Json users = {{server.alice.user_id, 100}, {server.bob.user_id, 100}, {server.carol.user_id, 100}};
  CHECK(state(server.carol, back, "m.room.power_levels").at("users") == users);
}

TEST_CASE("a version that does not know the join rule gets one that it knows") {
  Server server;
  const std::string room = create_room(
      server.alice,
      {{"room_version", "10"},
       {"initial_state", {{{"type", "m.room.join_rules"}, {"content", {{"join_rule", "knock_restricted"}}}}}}});
  const std::string made = upgrade(server.alice, room, "9");
  CHECK(state(server.alice, made, "m.room.join_rules") == Json{{"join_rule", "invite"}});
}

TEST_CASE("a space takes its rooms along") {
  Server server;
  const std::string child = create_room(server.alice);
  const std::string space =
      create_room(server.alice, {{"room_version", "11"}, {"creation_content", {{"type", "m.space"}}}});
  const Json content = {{"via", {"here.test"}}, {"order", "a"}};
  set_state(server.alice, space, "m.space.child", content, child);
  set_state(server.alice, space, "m.space.child", Json::object(), "!gone:here.test");
  const std::string made = upgrade(server.alice, space, "12");
  CHECK(create_content(server.alice, made).at("type") == "m.space");
  CHECK(state(server.alice, made, "m.space.child", child) == content);
  CHECK(server.alice.get(room_path(made) + "/state/m.space.child/" + encoded("!gone:here.test")).status == 404);
}

TEST_CASE("a moderator may replace a room where tombstones are theirs to set") {
  Server server;
  const std::string room = create_room(
      server.alice,
      {{"room_version", "11"},
       {"preset", "public_chat"},
       {"name", "Harbour"},
       {"initial_state", {{{"type", "m.room.server_acl"}, {"content", {{"allow", {"*"}}}}}}},
       {"power_level_content_override",
        {{"users", {{server.alice.user_id, 100}, {server.bob.user_id, 50}}}, {"events", {{"m.room.tombstone", 50}}}}}});
  join(server.bob, room);
  const Json levels = state(server.alice, room, "m.room.power_levels");
  const std::string made = upgrade(server.bob, room, "11");
  // With no more power there than here, and all that takes more power to set.
  CHECK(state(server.bob, made, "m.room.power_levels") == levels);
  CHECK(state(server.bob, made, "m.room.server_acl") == Json{{"allow", {"*"}}});
  CHECK(server.bob.put(room_path(made) + "/state/m.room.power_levels/", {{"users_default", 50}}).status == 403);
}

TEST_CASE("an upgrade that is not allowed changes nothing") {
  Server server;
  const std::string room = public_room(server.alice);
  const auto code = [&](const Api& api, const Json& body) { return try_upgrade(api, room, body).errcode(); };
  CHECK(code(server.bob, {{"new_version", "12"}}) == "M_FORBIDDEN");
  join(server.bob, room);
  const std::string since = sync(server.bob).at("next_batch");
  CHECK(code(server.bob, {{"new_version", "12"}}) == "M_FORBIDDEN");
  CHECK(try_upgrade(server.bob, room, {{"new_version", "12"}}).status == 403);
  CHECK(code(server.alice, {{"new_version", "99"}}) == "M_UNSUPPORTED_ROOM_VERSION");
  CHECK(try_upgrade(server.alice, room, {{"new_version", "99"}}).status == 400);
  CHECK(code(server.alice, Json::object()) == "M_MISSING_PARAM");
  CHECK(code(server.alice, {{"new_version", 12}}) == "M_BAD_JSON");
  CHECK(code(server.alice, {{"new_version", "12"}, {"additional_creators", {"alice"}}}) == "M_INVALID_PARAM");
  CHECK(try_upgrade(server.alice, "!nowhere:here.test", {{"new_version", "12"}}).errcode() == "M_FORBIDDEN");
  CHECK(room_of(sync(server.bob, since), room).is_null());
  CHECK(must(server.bob.get(std::string(v3) + "/joined_rooms")).at("joined_rooms").size() == 1);
  CHECK(must(server.alice.get(std::string(v3) + "/joined_rooms")).at("joined_rooms").size() == 1);
}

TEST_CASE("a user's settings for a room go along into its replacement") {
  Server server;
  const std::string room = public_room(server.alice);
  join(server.bob, room);
  const auto tag = [&](const Api& api, const std::string& in) {
    return std::string(v3) + "/user/" + encoded(api.user_id) + "/rooms/" + encoded(in) + "/tags";
  };
  const std::string rules = std::string(v3) + "/pushrules/global/room/";
  for (const Api* api : {&server.alice, &server.bob}) {
    must(api->put(tag(*api, room) + "/m.favourite", {{"order", 0.25}}));
    must(api->put(rules + encoded(room), {{"actions", Json::array()}}));
    must(api->put(account_data_path(*api, "m.direct"), {{"@someone:here.test", {room}}}));
  }
  const std::string made = upgrade(server.alice, room, "12");
  join(server.bob, made);
  for (const Api* api : {&server.alice, &server.bob}) {
    CHECK(must(api->get(tag(*api, made))).at("tags").at("m.favourite").at("order") == 0.25);
    CHECK(must(api->get(rules + encoded(made))).at("actions") == Json::array());
    const Json direct = {{"@someone:here.test", {room, made}}};
    CHECK(must(api->get(account_data_path(*api, "m.direct"))) == direct);
  }
  // What was set in the new room since stays.
  must(server.bob.put(tag(server.bob, made) + "/m.lowpriority", Json::object()));
  join(server.bob, made);
  CHECK(must(server.bob.get(tag(server.bob, made))).at("tags").size() == 2);
}

TEST_CASE("clients are told which room versions there are and which is the one to take") {
  Server server;
  const Json versions =
      must(server.alice.get(std::string(v3) + "/capabilities")).at("capabilities").at("m.room_versions");
  CHECK(versions.at("default") == "12");
  for (int version = 1; version <= 12; ++version)
    CHECK(versions.at("available").at(std::to_string(version)) == "stable");
  CHECK(create_content(server.alice, create_room(server.alice)).at("room_version") == "12");
}
