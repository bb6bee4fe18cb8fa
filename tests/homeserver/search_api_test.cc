// Search, the event at a time, notifications, against a real process. Client-server API, 'Server Side Search',
// 'Getting events for a room', 'Listing notifications'.
#include "tests/homeserver/chat_api.h"

using namespace skerry;
using namespace skerry::test;

namespace {

struct Room {
  HomeserverProcess server;
  Api alice = Api(server.url()).register_user("alice");
  Api bob = Api(server.url()).register_user("bob");
  std::string id = public_room(alice);
  Room() { join(bob, id); }
};

Answer try_search(const Api& api, Json criteria, const std::string& next = {}) {
  return api.post(std::string(v3) + "/search" + (next.empty() ? "" : "?next_batch=" + encoded(next)),
                  {{"search_categories", {{"room_events", std::move(criteria)}}}});
}
Json search(const Api& api, Json criteria, const std::string& next = {}) {
  return must(try_search(api, std::move(criteria), next)).at("search_categories").at("room_events");
}
Json recent(const std::string& term) { return {{"search_term", term}, {"order_by", "recent"}}; }
Texts found(const Json& answer) {
  Texts list;
  for (const Json& result : answer.at("results")) {
    const Json& content = result.at("result").at("content");
    list.push_back(content.value("body", content.value("topic", content.value("name", ""))));
  }
  return list;
}

}  // namespace

TEST_CASE("messages and names and topics are found by their words") {
  Room room;
  say(room.alice, room.id, "Ships in the harbour");
  say(room.bob, room.id, "the harbour is calm");
  set_state(room.alice, room.id, "m.room.topic", {{"topic", "harbour news"}});
  set_state(room.alice, room.id, "m.room.name", {{"name", "Harbour"}});
  set_state(room.alice, room.id, "org.example.other", {{"body", "harbour"}});
  CHECK(found(search(room.bob, recent("HARBOUR"))) ==
        Texts{"Harbour", "harbour news", "the harbour is calm", "Ships in the harbour"});
  Json bodies_only = recent("harbour");
  bodies_only["keys"] = {"content.body"};
  CHECK(found(search(room.bob, bodies_only)) == Texts{"the harbour is calm", "Ships in the harbour"});
  const Json ranked = search(room.bob, {{"search_term", "calm harbour"}});
  CHECK(found(ranked) == Texts{"the harbour is calm"});
  CHECK(ranked.at("count") == 1);
  CHECK(ranked.at("highlights") == Json({"calm", "harbour"}));
  CHECK(ranked.at("results")[0].at("rank").is_number());
  CHECK(found(search(room.bob, recent("\"harbour\" OR ("))).empty());
  CHECK(found(search(room.bob, recent("nothing of this kind"))).empty());
}

TEST_CASE("search keeps to what one may see") {
  Room room;
  const Api carol = Api(room.server.url()).register_user("carol");
  say(room.alice, room.id, "a secret plan");
  const std::string redacted = say(room.alice, room.id, "a secret slip");
  must(room.alice.put(room_path(room.id) + "/redact/" + encoded(redacted) + "/1"));
  CHECK(found(search(carol, recent("secret"))).empty());
  CHECK(found(search(room.bob, recent("secret"))) == Texts{"a secret plan"});
  must(room.bob.post(room_path(room.id) + "/leave"));
  say(room.alice, room.id, "a secret behind his back");
  CHECK(found(search(room.bob, recent("secret"))) == Texts{"a secret plan"});
  must(room.bob.post(room_path(room.id) + "/forget"));
  CHECK(found(search(room.bob, recent("secret"))).empty());
}

TEST_CASE("search results come in pages that new messages do not disturb") {
  Room room;
  for (int i = 0; i < 5; ++i) say(room.alice, room.id, "wave " + std::to_string(i));
  Json criteria = recent("wave");
  criteria["filter"] = {{"limit", 2}};
  const Json first = search(room.bob, criteria);
  CHECK(found(first) == Texts{"wave 4", "wave 3"});
  CHECK(first.at("count") == 5);
  say(room.alice, room.id, "wave 5");
  const Json second = search(room.bob, criteria, first.at("next_batch"));
  CHECK(found(second) == Texts{"wave 2", "wave 1"});
  const Json third = search(room.bob, criteria, second.at("next_batch"));
  CHECK(found(third) == Texts{"wave 0"});
  CHECK_FALSE(third.contains("next_batch"));
  CHECK(try_search(room.bob, criteria, "nonsense").status == 400);
}

TEST_CASE("search results are filtered and grouped and shown in their context") {
  Room room;
  const std::string other = public_room(room.alice);
  say(room.alice, room.id, "before");
  say(room.bob, room.id, "lighthouse one");
  say(room.alice, room.id, "after");
  say(room.alice, other, "lighthouse two");
  Json criteria = recent("lighthouse");
  criteria["groupings"] = {{"group_by", {{{"key", "room_id"}}, {{"key", "sender"}}}}};
  criteria["event_context"] = {{"before_limit", 1}, {"after_limit", 1}, {"include_profile", true}};
  criteria["include_state"] = true;
  const Json all = search(room.alice, criteria);
  CHECK(found(all) == Texts{"lighthouse two", "lighthouse one"});
  CHECK(all.at("groups").at("room_id").at(other).at("order") == 1);
  CHECK(all.at("groups").at("room_id").at(room.id).at("results").size() == 1);
  CHECK(all.at("groups").at("sender").size() == 2);
  CHECK(contains(keys(all.at("state").at(other)), "m.room.create "));
  const Json context = all.at("results")[1].at("context");
  CHECK(bodies(context.at("events_before")) == Texts{"before"});
  CHECK(bodies(context.at("events_after")) == Texts{"after"});
  CHECK(context.at("profile_info").contains(room.bob.user_id));
  CHECK(context.at("start").is_string());
  Json filtered = recent("lighthouse");
  filtered["filter"] = {{"rooms", {room.id}}};
  CHECK(found(search(room.alice, filtered)) == Texts{"lighthouse one"});
  filtered["filter"] = {{"not_senders", {room.bob.user_id}}};
  CHECK(found(search(room.alice, filtered)) == Texts{"lighthouse two"});
}

TEST_CASE("search refuses what is not a search") {
  Room room;
  CHECK(room.alice.post(std::string(v3) + "/search").status == 400);
  CHECK(try_search(room.alice, Json::object()).status == 400);
  CHECK(try_search(room.alice, {{"search_term", 7}}).status == 400);
  CHECK(try_search(room.alice, {{"search_term", "x"}, {"order_by", "size"}}).status == 400);
  CHECK(try_search(room.alice, {{"search_term", "x"}, {"keys", {"content.url"}}}).status == 400);
  CHECK(try_search(room.alice, {{"search_term", "x"}, {"groupings", {{"group_by", {{{"key", "x"}}}}}}}).status == 400);
  CHECK(found(search(room.alice, {{"search_term", "   "}})).empty());
}

TEST_CASE("the event closest to a time is found in either direction") {
  Room room;
  const std::string path = "/_matrix/client/v1/rooms/" + encoded(room.id) + "/timestamp_to_event?ts=";
  const std::string event = say(room.alice, room.id, "now");
  const std::int64_t ts = must(room.alice.get(room_path(room.id) + "/event/" + encoded(event))).at("origin_server_ts");
  const Json at_it = must(room.bob.get(path + std::to_string(ts) + "&dir=b"));
  CHECK(at_it.at("origin_server_ts") == ts);
  CHECK(at_it.at("event_id") == event);
  CHECK(must(room.bob.get(path + "0&dir=f")).at("origin_server_ts") <= ts);
  CHECK(must(room.bob.get(path + std::to_string(ts + 1'000'000) + "&dir=b")).at("event_id") == event);
  CHECK(room.bob.get(path + std::to_string(ts + 1'000'000) + "&dir=f").status == 404);
  CHECK(room.bob.get(path + "0&dir=b").status == 404);
  CHECK(room.bob.get(path + "soon&dir=b").status == 400);
  CHECK(room.bob.get(path + "0").status == 400);
  const Api stranger = Api(room.server.url()).register_user("stranger");
  CHECK(stranger.get(path + "0&dir=f").status == 403);
}

TEST_CASE("notifications are listed with what was read") {
  Room room;
  const std::string other = public_room(room.alice);
  join(room.bob, other);
  const auto list = [&](const std::string& more = {}) {
    return must(room.bob.get(std::string(v3) + "/notifications" + more));
  };
  const auto texts = [&](const Json& answer) {
    Texts result;
    for (const Json& entry : answer.at("notifications")) result.push_back(entry.at("event").at("content").at("body"));
    return result;
  };
  CHECK(list().at("notifications").empty());
  const std::string one = say(room.alice, room.id, "one");
  say(room.alice, other, "two");
  must(room.alice.put(room_path(room.id) + "/send/m.room.message/m",
                      {{"msgtype", "m.text"}, {"body", "bob!"}, {"m.mentions", {{"user_ids", {room.bob.user_id}}}}}));
  say(room.bob, other, "my own");
  must(room.bob.post(room_path(room.id) + "/receipt/m.read/" + encoded(one)));
  const Json all = list();
  CHECK(texts(all) == Texts{"bob!", "two", "one"});
  CHECK_FALSE(all.contains("next_token"));
  CHECK(all.at("notifications")[0].at("read") == false);
  CHECK(all.at("notifications")[0].at("actions") == Json::array({"notify", {{"set_tweak", "highlight"}}}));
  CHECK(all.at("notifications")[2].at("read") == true);
  CHECK(all.at("notifications")[2].at("room_id") == room.id);
  CHECK(texts(list("?only=highlight")) == Texts{"bob!"});
  const Json first = list("?limit=2");
  CHECK(texts(first) == Texts{"bob!", "two"});
  CHECK(texts(list("?limit=2&from=" + first.at("next_token").get<std::string>())) == Texts{"one"});
  CHECK(room.bob.get(std::string(v3) + "/notifications?from=x").status == 400);
}
