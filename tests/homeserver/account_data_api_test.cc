// Profiles, account data, tags, filters and push rules, against a real process.
#include <catch2/catch.hpp>

#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string alice_path = std::string(v3) + "/user/%40alice%3Aalpha.test";
const std::string profile_path = std::string(v3) + "/profile/%40alice%3Aalpha.test";
const std::string rules_path = std::string(v3) + "/pushrules/";
const std::string room_path = alice_path + "/rooms/%21room%3Aalpha.test";

std::vector<std::string> rule_ids(const Api& api, const std::string& kind) {
  std::vector<std::string> ids;
  const Answer answer = api.get(rules_path);
  for (const Json& rule : answer.json.at("global").at(kind)) ids.push_back(rule.at("rule_id"));
  return ids;
}

}  // namespace

TEST_CASE("a profile is shown to anyone and changed by its user only") {
  HomeserverProcess server;
  Api nobody(server.url());
  const Api alice = nobody.register_user("alice");
  const Api bob = nobody.register_user("bob");
  CHECK(nobody.get(profile_path).json == Json::object());
  CHECK(nobody.get(profile_path + "/displayname").errcode() == "M_NOT_FOUND");
  CHECK(nobody.get(std::string(v3) + "/profile/%40nobody%3Aalpha.test").errcode() == "M_NOT_FOUND");

  CHECK(alice.put(profile_path + "/displayname", {{"displayname", "Alice \xF0\x9F\xA6\x80"}}).status == 200);
  CHECK(alice.put(profile_path + "/avatar_url", {{"avatar_url", "mxc://alpha.test/abc"}}).status == 200);
  CHECK(alice.put(profile_path + "/m.tz", {{"m.tz", "Europe/Berlin"}}).status == 200);
  CHECK(alice.put(profile_path + "/org.example.thing", {{"org.example.thing", {{"a", {1, 2.5, nullptr}}}}}).status ==
        200);
  CHECK(nobody.get(profile_path).json ==
        Json::parse("{\"displayname\":\"Alice \xF0\x9F\xA6\x80\",\"avatar_url\":\"mxc://alpha.test/abc\","
                    "\"m.tz\":\"Europe/Berlin\",\"org.example.thing\":{\"a\":[1,2.5,null]}}"));
  CHECK(nobody.get(profile_path + "/m.tz").json == Json::parse(R"({"m.tz":"Europe/Berlin"})"));
  CHECK(alice.del(profile_path + "/m.tz").status == 200);
  CHECK(nobody.get(profile_path + "/m.tz").status == 404);
  CHECK(alice.put(profile_path + "/displayname", {{"displayname", ""}}).status == 200);
  CHECK(nobody.get(profile_path + "/displayname").status == 404);

  CHECK(nobody.put(profile_path + "/displayname", {{"displayname", "x"}}).errcode() == "M_MISSING_TOKEN");
  CHECK(bob.put(profile_path + "/displayname", {{"displayname", "x"}}).errcode() == "M_FORBIDDEN");
  CHECK(bob.del(profile_path + "/avatar_url").errcode() == "M_FORBIDDEN");
}

TEST_CASE("profile fields that break a rule are refused with the code of that rule") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  CHECK(alice.put(profile_path + "/displayname", {{"other", "x"}}).errcode() == "M_MISSING_PARAM");
  CHECK(alice.put(profile_path + "/displayname", {{"displayname", 5}}).errcode() == "M_BAD_JSON");
  CHECK(alice.put(profile_path + "/displayname", {{"displayname", std::string(300, 'x')}}).status == 400);
  CHECK(alice.put(profile_path + "/avatar_url", {{"avatar_url", "http://x"}}).errcode() == "M_INVALID_PARAM");
  CHECK(alice.put(profile_path + "/Bad", {{"Bad", "x"}}).errcode() == "M_INVALID_PARAM");
  const std::string long_key = "a." + std::string(300, 'b');
  CHECK(alice.put(profile_path + "/" + long_key, {{long_key, "x"}}).errcode() == "M_KEY_TOO_LARGE");
  CHECK(alice.put(profile_path + "/a.b", {{"a.b", std::string(70'000, 'x')}}).errcode() == "M_PROFILE_TOO_LARGE");
  CHECK(alice.get(profile_path).json == Json::object());
}

TEST_CASE("a new name and picture reach the rooms that the user is in") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  auto made = alice.post(std::string(v3) + "/createRoom", {{"preset", "public_chat"}});
  REQUIRE(made.status == 200);
  const std::string room = net::percent_encode(made.json.at("room_id").get<std::string>());
  REQUIRE(bob.post(std::string(v3) + "/rooms/" + room + "/join").status == 200);
  const std::string member = std::string(v3) + "/rooms/" + room + "/state/m.room.member/%40alice%3Aalpha.test";
  CHECK(bob.get(member).json == Json::parse(R"({"membership":"join"})"));
  CHECK(alice.put(profile_path + "/displayname", {{"displayname", "Alice"}}).status == 200);
  CHECK(alice.put(profile_path + "/avatar_url", {{"avatar_url", "mxc://a/b"}}).status == 200);
  CHECK(bob.get(member).json == Json::parse(R"({"membership":"join","displayname":"Alice","avatar_url":"mxc://a/b"})"));
  CHECK(alice.put(profile_path + "/displayname", {{"displayname", ""}}).status == 200);
  CHECK(bob.get(member).json == Json::parse(R"({"membership":"join","avatar_url":"mxc://a/b"})"));
}

TEST_CASE("account data is kept per user and room and some of it only by the server") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  for (const std::string& path : {alice_path + "/account_data/org.x", room_path + "/account_data/org.x"}) {
    INFO(path);
    CHECK(alice.get(path).errcode() == "M_NOT_FOUND");
    CHECK(alice.put(path, {{"a", 1.5}, {"path", path}}).status == 200);
    CHECK(alice.get(path).json == Json{{"a", 1.5}, {"path", path}});
    CHECK(bob.get(path).errcode() == "M_FORBIDDEN");
    CHECK(bob.put(path).errcode() == "M_FORBIDDEN");
  }
  for (const char* type : {"m.fully_read", "m.push_rules"}) {
    auto refused = alice.put(room_path + "/account_data/" + type, {{"event_id", "$x"}});
    CHECK(refused.status == 405);
    CHECK(refused.errcode() == "M_BAD_JSON");
  }
  CHECK(alice.put(alice_path + "/rooms/nonsense/account_data/a").errcode() == "M_INVALID_PARAM");
  CHECK(alice.get(alice_path + "/account_data/m.push_rules").json == alice.get(rules_path).json);
}

TEST_CASE("account data that changed is shown by sync") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  auto first = alice.get(std::string(v3) + "/sync");
  REQUIRE(first.status == 200);
  CHECK(first.json.at("account_data").at("events").at(0).at("type") == "m.push_rules");
  CHECK(alice.put(alice_path + "/account_data/org.x", {{"a", 1}}).status == 200);
  auto next = alice.get(std::string(v3) + "/sync?since=" + first.json.at("next_batch").get<std::string>());
  CHECK(next.json.at("account_data").at("events") == Json::parse(R"([{"type":"org.x","content":{"a":1}}])"));
}

TEST_CASE("tags are set and listed and removed") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  CHECK(alice.get(room_path + "/tags").json == Json::parse(R"({"tags":{}})"));
  CHECK(alice.put(room_path + "/tags/m.favourite", {{"order", 0.25}}).status == 200);
  CHECK(alice.put(room_path + "/tags/u.Work").status == 200);
  CHECK(alice.get(room_path + "/tags").json == Json::parse(R"({"tags":{"m.favourite":{"order":0.25},"u.Work":{}}})"));
  CHECK(alice.get(room_path + "/account_data/m.tag").json == alice.get(room_path + "/tags").json);
  CHECK(alice.del(room_path + "/tags/u.Work").status == 200);
  CHECK(alice.del(room_path + "/tags/u.Work").status == 200);
  CHECK(alice.get(room_path + "/tags").json == Json::parse(R"({"tags":{"m.favourite":{"order":0.25}}})"));
  CHECK(alice.put(room_path + "/tags/a", {{"order", 2}}).status == 400);
  CHECK(alice.put(room_path + "/tags/a", {{"order", "first"}}).errcode() == "M_BAD_JSON");
  CHECK(alice.put(room_path + "/tags/" + std::string(300, 'a')).errcode() == "M_INVALID_PARAM");
}

TEST_CASE("a filter comes back as it went") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  const Json filter = Json::parse(R"({"room":{"timeline":{"limit":5,"types":["m.room.*"]}},"unknown":[1]})");
  auto made = alice.post(alice_path + "/filter", filter);
  REQUIRE(made.status == 200);
  const std::string id = made.json.at("filter_id").get<std::string>();
  CHECK(alice.get(alice_path + "/filter/" + id).json == filter);
  CHECK(bob.get(alice_path + "/filter/" + id).errcode() == "M_FORBIDDEN");
  CHECK(bob.get(std::string(v3) + "/user/%40bob%3Aalpha.test/filter/" + id).errcode() == "M_NOT_FOUND");
  CHECK(alice.post(alice_path + "/filter", {{"room", {{"timeline", {{"types", "m.room"}}}}}}).errcode() ==
        "M_BAD_JSON");
  CHECK(alice.post(alice_path + "/filter", {{"a", std::string(70'000, 'x')}}).errcode() == "M_TOO_LARGE");
}

TEST_CASE("the predefined push rules are there and name their user") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  CHECK(rule_ids(alice, "override") == std::vector<std::string>{".m.rule.master", ".m.rule.suppress_notices",
                                                                ".m.rule.invite_for_me", ".m.rule.member_event",
                                                                ".m.rule.is_user_mention", ".m.rule.is_room_mention",
                                                                ".m.rule.tombstone", ".m.rule.reaction",
                                                                ".m.rule.room.server_acl", ".m.rule.suppress_edits"});
  CHECK(rule_ids(alice, "underride") == std::vector<std::string>{".m.rule.call", ".m.rule.encrypted_room_one_to_one",
                                                                 ".m.rule.room_one_to_one", ".m.rule.message",
                                                                 ".m.rule.encrypted"});
  CHECK(alice.get(rules_path + "global/").json == alice.get(rules_path).json.at("global"));
  CHECK(alice.get(rules_path + "global/override/.m.rule.is_user_mention").json ==
        Json::parse(R"({"rule_id":".m.rule.is_user_mention","default":true,"enabled":true,
            "conditions":[{"kind":"event_property_contains","key":"content.m\\.mentions.user_ids",
                           "value":"@alice:alpha.test"}],
            "actions":["notify",{"set_tweak":"sound","value":"default"},{"set_tweak":"highlight"}]})"));
  CHECK(alice.get(rules_path + "global/override/.m.rule.master").json ==
        Json::parse(R"({"rule_id":".m.rule.master","default":true,"enabled":false,"conditions":[],"actions":[]})"));
  CHECK(alice.get(rules_path + "global/underride/.m.rule.message").json.at("actions") == Json::array({"notify"}));
}

TEST_CASE("push rules of one's own are made and placed and changed and removed") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string content = rules_path + "global/content/";
  const Json cake = {{"pattern", "cake*lie"}, {"actions", Json::array({"notify", "dont_notify"})}};
  CHECK(alice.put(content + "one", cake).status == 200);
  CHECK(alice.get(content + "one").json == Json::parse(R"({"rule_id":"one","default":false,"enabled":true,
                                                         "pattern":"cake*lie","actions":["notify"]})"));
  CHECK(alice.put(content + "two", cake).status == 200);
  CHECK(rule_ids(alice, "content") == std::vector<std::string>{"two", "one"});
  CHECK(alice.put(content + "three?after=two", cake).status == 200);
  CHECK(rule_ids(alice, "content") == std::vector<std::string>{"two", "three", "one"});
  CHECK(alice.put(content + "one?before=two", cake).status == 200);
  CHECK(rule_ids(alice, "content") == std::vector<std::string>{"one", "two", "three"});
  CHECK(alice.put(content + "four?after=nothing", cake).status == 400);
  CHECK(alice.put(rules_path + "global/override/mine", {{"actions", Json::array()}}).status == 200);
  CHECK(rule_ids(alice, "override").at(1) == "mine");
  CHECK(alice.put(rules_path + "global/override/other?before=.m.rule.reaction", {{"actions", Json::array()}}).status ==
        400);

  CHECK(alice.put(content + "one/enabled", {{"enabled", false}}).status == 200);
  CHECK(alice.get(content + "one/enabled").json == Json::parse(R"({"enabled":false})"));
  CHECK(alice.put(content + "one", cake).status == 200);
  CHECK(alice.get(content + "one/enabled").json == Json::parse(R"({"enabled":false})"));
  CHECK(alice.put(content + "one/actions", {{"actions", Json::array()}}).status == 200);
  CHECK(alice.get(content + "one/actions").json == Json::parse(R"({"actions":[]})"));
  CHECK(alice.del(content + "one").status == 200);
  CHECK(alice.get(content + "one").errcode() == "M_NOT_FOUND");
  CHECK(alice.del(content + "one").errcode() == "M_NOT_FOUND");
}

TEST_CASE("push rules that make no sense are refused and predefined ones stay") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Json actions = {{"actions", Json::array({"notify"})}};
  CHECK(alice.put(rules_path + "global/content/.mine", {{"pattern", "x"}, {"actions", Json::array()}}).status == 400);
  CHECK(alice.put(rules_path + "global/content/a%2Fb", {{"pattern", "x"}, {"actions", Json::array()}}).status == 400);
  CHECK(alice.put(rules_path + "global/content/a", actions).errcode() == "M_MISSING_PARAM");
  CHECK(alice.put(rules_path + "global/nothing/a", actions).errcode() == "M_INVALID_PARAM");
  CHECK(alice.put(rules_path + "global/room/a").errcode() == "M_MISSING_PARAM");
  CHECK(alice.put(rules_path + "global/room/a", {{"actions", "notify"}}).errcode() == "M_BAD_JSON");
  CHECK(alice.put(rules_path + "global/override/a", {{"actions", Json::array()}, {"conditions", {5}}}).status == 400);
  CHECK(alice.get(rules_path + "global/nothing/a").errcode() == "M_NOT_FOUND");
  CHECK(alice.put(rules_path + "global/room/none/enabled", {{"enabled", true}}).errcode() == "M_NOT_FOUND");
  const std::string master = rules_path + "global/override/.m.rule.master";
  CHECK(alice.del(master).status == 400);
  CHECK(alice.put(master + "/enabled", {{"enabled", true}}).status == 200);
  CHECK(alice.get(master + "/enabled").json.at("enabled") == true);
  CHECK(alice.put(master + "/enabled", {{"enabled", "yes"}}).errcode() == "M_BAD_JSON");
}
