// Relations, their aggregations, threads, against a real process. Client-server API, 'Forming relationships between
// events', 'Threading'.
#include "tests/homeserver/chat_api.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const char* const v1 = "/_matrix/client/v1";

struct Room {
  HomeserverProcess server;
  Api alice = Api(server.url()).register_user("alice");
  Api bob = Api(server.url()).register_user("bob");
  std::string id = public_room(alice);
  Room() { join(bob, id); }

  int sent = 0;
  Answer try_relate(const Api& api, const std::string& type, const Json& content) {
    return api.put(room_path(id) + "/send/" + encoded(type) + "/relation" + std::to_string(++sent), content);
  }
  std::string relate(const Api& api, const std::string& relation, const std::string& parent, const std::string& text) {
    return must(try_relate(api, "m.room.message",
                           {{"msgtype", "m.text"},
                            {"body", text},
                            {"m.relates_to", {{"rel_type", relation}, {"event_id", parent}}}}))
        .at("event_id");
  }
  std::string edit(const Api& api, const std::string& parent, const std::string& text) {
    return must(try_relate(api, "m.room.message",
                           {{"msgtype", "m.text"},
                            {"body", "* " + text},
                            {"m.new_content", {{"msgtype", "m.text"}, {"body", text}}},
                            {"m.relates_to", {{"rel_type", "m.replace"}, {"event_id", parent}}}}))
        .at("event_id");
  }
  Answer try_react(const Api& api, const std::string& parent, const std::string& key) {
    return try_relate(api, "m.reaction",
                      {{"m.relates_to", {{"rel_type", "m.annotation"}, {"event_id", parent}, {"key", key}}}});
  }
  std::string redact(const Api& api, const std::string& event) {
    return must(api.put(room_path(id) + "/redact/" + encoded(event) + "/" + std::to_string(++sent))).at("event_id");
  }

  std::string path() const { return std::string(v1) + "/rooms/" + encoded(id); }
  Json relations(const Api& api, const std::string& parent, const std::string& more = {}) {
    return must(api.get(path() + "/relations/" + encoded(parent) + more));
  }
  Texts related(const Api& api, const std::string& parent, const std::string& more = {}) {
    return bodies(relations(api, parent, more).at("chunk"));
  }
  Json event(const Api& api, const std::string& event) {
    return must(api.get(room_path(id) + "/event/" + encoded(event)));
  }
  Json bundle(const Api& api, const std::string& event_id) {
    return at(event(api, event_id), {"unsigned", "m.relations"});
  }
};

Texts ids(const Json& events) {
  Texts list;
  for (const Json& event : events) list.push_back(event.at("event_id"));
  return list;
}

}  // namespace

TEST_CASE("children are listed by relation and type and in pages both ways") {
  Room room;
  const std::string root = say(room.alice, room.id, "root");
  for (const char* text : {"one", "two", "three", "four", "five"}) room.relate(room.bob, "m.thread", root, text);
  room.relate(room.bob, "m.reference", root, "pointer");
  must(room.try_react(room.bob, root, "👍"));
  CHECK(room.relations(room.alice, root).at("chunk").size() == 7);
  CHECK(room.related(room.alice, root, "/m.thread") == Texts{"five", "four", "three", "two", "one"});
  CHECK(room.related(room.alice, root, "/m.thread/m.room.message?dir=f") ==
        Texts{"one", "two", "three", "four", "five"});
  CHECK(room.related(room.alice, root, "/m.thread/m.sticker").empty());
  CHECK(room.relations(room.alice, root, "/m.annotation").at("chunk")[0].at("type") == "m.reaction");

  const Json first = room.relations(room.alice, root, "/m.thread?limit=2");
  CHECK(bodies(first.at("chunk")) == Texts{"five", "four"});
  CHECK_FALSE(first.contains("prev_batch"));
  const std::string next = first.at("next_batch");
  const Json second = room.relations(room.alice, root, "/m.thread?limit=2&from=" + next);
  CHECK(bodies(second.at("chunk")) == Texts{"three", "two"});
  CHECK(second.contains("prev_batch"));
  const Json last =
      room.relations(room.alice, root, "/m.thread?limit=2&from=" + second.at("next_batch").get<std::string>());
  CHECK(bodies(last.at("chunk")) == Texts{"one"});
  CHECK_FALSE(last.contains("next_batch"));
  CHECK(room.related(room.alice, root, "/m.thread?to=" + next) == Texts{"five"});
  // A token of /sync is one as well.
  const std::string since = sync(room.alice).at("next_batch");
  room.relate(room.bob, "m.thread", root, "six");
  CHECK(room.related(room.alice, root, "/m.thread?limit=1&from=" + since) == Texts{"five"});
  CHECK(room.alice.get(room.path() + "/relations/" + encoded(root) + "?dir=x").status == 400);
  CHECK(room.alice.get(room.path() + "/relations/" + encoded(root) + "?from=x").status == 400);
}

TEST_CASE("what relates over another is listed when recursion is asked for") {
  Room room;
  const std::string root = say(room.alice, room.id, "root");
  const std::string child = room.relate(room.bob, "m.thread", root, "child");
  room.edit(room.bob, child, "grandchild");
  CHECK(room.related(room.alice, root) == Texts{"child"});
  const Json all = room.relations(room.alice, root, "?recurse=true");
  CHECK(bodies(all.at("chunk")) == Texts{"* grandchild", "child"});
  CHECK(all.at("recursion_depth") == 3);
  CHECK_FALSE(room.relations(room.alice, root).contains("recursion_depth"));
  CHECK(room.related(room.alice, root, "?recurse=true&dir=f&limit=1") == Texts{"child"});
  // The way to the edit leads over what does not match.
  CHECK(room.related(room.alice, root, "/m.replace?recurse=true").empty());
}

TEST_CASE("relations of what one may not see are not told") {
  Room room;
  must(room.bob.post(room_path(room.id) + "/leave"));
  const std::string root = say(room.alice, room.id, "behind his back");
  room.relate(room.alice, "m.thread", root, "more");
  set_state(room.alice, room.id, "m.room.history_visibility", {{"history_visibility", "joined"}});
  const std::string path = room.path() + "/relations/" + encoded(root);
  CHECK(room.bob.get(path).status == 404);
  CHECK(room.alice.get(room.path() + "/relations/" + encoded("$nothing")).status == 404);
  CHECK(room.alice.get(std::string(v1) + "/rooms/" + encoded(public_room(room.alice)) + "/relations/" + encoded(root))
            .status == 404);
  CHECK(room.bob.get(room.path() + "/threads").json.at("chunk").empty());

  // A child that is in a part of the history that the reader may not see.
  const std::string seen = say(room.alice, room.id, "for later");
  room.relate(room.alice, "m.reference", seen, "unseen");
  set_state(room.alice, room.id, "m.room.history_visibility", {{"history_visibility", "world_readable"}});
  const std::string open = say(room.alice, room.id, "open");
  set_state(room.alice, room.id, "m.room.history_visibility", {{"history_visibility", "joined"}});
  room.relate(room.alice, "m.reference", open, "closed");
  CHECK(room.related(room.bob, open).empty());
  CHECK(room.bundle(room.bob, open).is_null());
  CHECK(room.related(room.alice, open) == Texts{"closed"});
}

TEST_CASE("the latest valid edit is bundled with the event") {
  Room room;
  const std::string original = say(room.alice, room.id, "first");
  CHECK(room.bundle(room.alice, original).is_null());
  room.edit(room.alice, original, "second");
  const std::string third = room.edit(room.alice, original, "third");
  const Json bundle = room.bundle(room.bob, original);
  CHECK(at(bundle, {"m.replace", "event_id"}) == third);
  CHECK(at(bundle, {"m.replace", "content", "m.new_content", "body"}) == "third");
  CHECK(room.event(room.bob, original).at("content").at("body") == "first");

  // Of another sender, of another type, without new content, of a state event, of an edit: no edits.
  const std::string untouched = say(room.alice, room.id, "untouched");
  room.edit(room.bob, untouched, "forged");
  must(room.try_relate(
      room.alice, "m.sticker",
      {{"m.new_content", Json::object()}, {"m.relates_to", {{"rel_type", "m.replace"}, {"event_id", untouched}}}}));
  room.relate(room.alice, "m.replace", untouched, "no new content");
  CHECK(room.bundle(room.bob, untouched).is_null());
  room.edit(room.alice, third, "edit of an edit");
  CHECK(room.bundle(room.bob, third).is_null());
  const std::string topic = set_state(room.alice, room.id, "m.room.topic", {{"topic", "t"}});
  room.relate(room.alice, "m.reference", topic, "on the topic");
  CHECK(room.bundle(room.bob, topic).is_null());
}

TEST_CASE("redacting an edit brings back the one before and redacting the original ends them") {
  Room room;
  const std::string original = say(room.alice, room.id, "first");
  const std::string second = room.edit(room.alice, original, "second");
  const std::string third = room.edit(room.alice, original, "third");
  room.redact(room.alice, third);
  CHECK(at(room.bundle(room.bob, original), {"m.replace", "event_id"}) == second);
  CHECK(room.relations(room.bob, original).at("chunk").size() == 1);
  room.relate(room.bob, "m.reference", original, "pointer");
  room.redact(room.alice, original);
  const Json bundle = room.bundle(room.bob, original);
  CHECK(at(bundle, {"m.replace"}).is_null());
  CHECK(at(bundle, {"m.reference", "chunk"}).size() == 1);
}

TEST_CASE("references are bundled by id") {
  Room room;
  const std::string root = say(room.alice, room.id, "root");
  const std::string one = room.relate(room.bob, "m.reference", root, "one");
  const std::string two = room.relate(room.alice, "m.reference", root, "two");
  CHECK(at(room.bundle(room.alice, root), {"m.reference", "chunk"}) ==
        Json::array({{{"event_id", one}}, {{"event_id", two}}}));
}

TEST_CASE("a thread is bundled with its root") {
  Room room;
  const std::string root = say(room.alice, room.id, "root");
  room.relate(room.bob, "m.thread", root, "one");
  const std::string latest = room.relate(room.bob, "m.thread", root, "two");
  room.edit(room.bob, latest, "two and a half");
  const Json for_bob = at(room.bundle(room.bob, root), {"m.thread"});
  CHECK(for_bob.at("count") == 2);
  CHECK(for_bob.at("latest_event").at("event_id") == latest);
  CHECK(for_bob.at("current_user_participated") == true);
  // The latest event has its own bundle.
  CHECK(at(for_bob, {"latest_event", "unsigned", "m.relations", "m.replace", "content", "m.new_content", "body"}) ==
        "two and a half");
  CHECK(at(room.bundle(room.alice, root), {"m.thread", "current_user_participated"}) == true);
  const Api carol = Api(room.server.url()).register_user("carol");
  join(carol, room.id);
  CHECK(at(room.bundle(carol, root), {"m.thread", "current_user_participated"}) == false);

  room.redact(room.bob, latest);
  const Json shorter = at(room.bundle(room.alice, root), {"m.thread"});
  CHECK(shorter.at("count") == 1);
  CHECK(shorter.at("latest_event").at("content").at("body") == "one");
  // Those who are ignored do not count.
  must(carol.put(std::string(v3) + "/user/" + encoded(carol.user_id) + "/account_data/m.ignored_user_list",
                 {{"ignored_users", {{room.bob.user_id, Json::object()}}}}));
  CHECK(room.bundle(carol, root).is_null());
  room.relate(room.alice, "m.thread", root, "three");
  CHECK(at(room.bundle(carol, root), {"m.thread", "count"}) == 1);
  CHECK(at(room.bundle(room.alice, root), {"m.thread", "count"}) == 2);
}

TEST_CASE("bundles come with messages and context and limited syncs") {
  Room room;
  const std::string root = say(room.alice, room.id, "root");
  room.relate(room.bob, "m.thread", root, "reply");
  const auto count_in = [&](const Json& events) {
    for (const Json& event : events) {
      if (event.at("event_id") == root) return at(event, {"unsigned", "m.relations", "m.thread", "count"});
    }
    return Json("no such event");
  };
  CHECK(count_in(must(room.alice.get(room_path(room.id) + "/messages?dir=b")).at("chunk")) == 1);
  const Json context = must(room.alice.get(room_path(room.id) + "/context/" + encoded(root)));
  CHECK(at(context, {"event", "unsigned", "m.relations", "m.thread", "count"}) == 1);
  const Json limited = sync_filtered(room.alice, {{"room", {{"timeline", {{"limit", 2}}}}}});
  REQUIRE(room_of(limited, room.id).at("timeline").at("limited") == true);
  CHECK(count_in(room_of(limited, room.id).at("timeline").at("events")) == 1);
}

TEST_CASE("a room's threads are listed by their latest event") {
  Room room;
  const std::string first = say(room.alice, room.id, "first");
  const std::string second = say(room.bob, room.id, "second");
  say(room.alice, room.id, "no thread");
  room.relate(room.alice, "m.thread", first, "in first");
  room.relate(room.alice, "m.thread", second, "in second");
  const auto threads = [&](const Api& api, const std::string& more = {}) {
    return must(api.get(room.path() + "/threads" + more));
  };
  CHECK(ids(threads(room.alice).at("chunk")) == Texts{second, first});
  CHECK(at(threads(room.alice).at("chunk")[0], {"unsigned", "m.relations", "m.thread", "count"}) == 1);
  const std::string again = room.relate(room.alice, "m.thread", first, "in first again");
  CHECK(ids(threads(room.alice).at("chunk")) == Texts{first, second});
  const Json page = threads(room.alice, "?limit=1");
  CHECK(ids(page.at("chunk")) == Texts{first});
  const Json next = threads(room.alice, "?limit=1&from=" + page.at("next_batch").get<std::string>());
  CHECK(ids(next.at("chunk")) == Texts{second});
  CHECK_FALSE(next.contains("next_batch"));
  // bob took part in the second one, as he began it; in the first one not at all.
  CHECK(ids(threads(room.bob, "?include=participated").at("chunk")) == Texts{second});
  CHECK(ids(threads(room.bob, "?include=all").at("chunk")).size() == 2);
  room.redact(room.alice, again);
  CHECK(ids(threads(room.alice).at("chunk")) == Texts{second, first});
  CHECK(room.alice.get(room.path() + "/threads?include=some").status == 400);
  CHECK(room.alice.get(room.path() + "/threads?limit=0").status == 400);
  CHECK(room.alice.get(room.path() + "/threads?from=nonsense").status == 400);
  const Api stranger = Api(room.server.url()).register_user("stranger");
  CHECK(stranger.get(room.path() + "/threads").status == 403);
}

TEST_CASE("nobody annotates an event twice by the same key") {
  Room room;
  const std::string event = say(room.alice, room.id, "like this");
  const std::string like = must(room.try_react(room.bob, event, "👍")).at("event_id");
  const Answer again = room.try_react(room.bob, event, "👍");
  CHECK(again.status == 400);
  CHECK(again.errcode() == "M_DUPLICATE_ANNOTATION");
  CHECK(room.try_react(room.bob, event, "🎉").status == 200);
  CHECK(room.try_react(room.alice, event, "👍").status == 200);
  // The same transaction is no second annotation.
  const std::string path = room_path(room.id) + "/send/m.reaction/once";
  const Json content = {{"m.relates_to", {{"rel_type", "m.annotation"}, {"event_id", event}, {"key", "❤"}}}};
  const Json once = must(room.bob.put(path, content));
  CHECK(must(room.bob.put(path, content)) == once);
  room.redact(room.bob, like);
  CHECK(room.try_react(room.bob, event, "👍").status == 200);
  // Annotations are not aggregated.
  CHECK(room.bundle(room.alice, event).is_null());
}

TEST_CASE("no thread starts at an event that relates to another") {
  Room room;
  const std::string root = say(room.alice, room.id, "root");
  const std::string child = room.relate(room.bob, "m.thread", root, "child");
  const Answer nested = room.try_relate(
      room.bob, "m.room.message",
      {{"msgtype", "m.text"}, {"body", "deeper"}, {"m.relates_to", {{"rel_type", "m.thread"}, {"event_id", child}}}});
  CHECK(nested.status == 400);
  CHECK(nested.errcode() == "M_UNKNOWN");
}

TEST_CASE("unread counts go by thread where the filter asks for it") {
  Room room;
  const std::string root = say(room.alice, room.id, "root");
  const std::string in_thread = room.relate(room.alice, "m.thread", root, "in the thread");
  const Json mention = {{"msgtype", "m.text"},
                        {"body", "bob!"},
                        {"m.mentions", {{"user_ids", {room.bob.user_id}}}},
                        {"m.relates_to", {{"rel_type", "m.thread"}, {"event_id", root}}}};
  const std::string last = must(room.try_relate(room.alice, "m.room.message", mention)).at("event_id");
  const Json filter = {{"room", {{"timeline", {{"unread_thread_notifications", true}}}}}};
  const auto counts = [&] {
    const Json entry = room_of(sync_filtered(room.bob, filter, {}, "&full_state=true"), room.id);
    return Json{at(entry, {"unread_notifications", "notification_count"}),
                at(entry, {"unread_thread_notifications", root, "notification_count"}),
                at(entry, {"unread_thread_notifications", root, "highlight_count"})};
  };
  CHECK(counts() == Json({1, 2, 1}));
  CHECK(at(room_of(sync(room.bob), room.id), {"unread_notifications", "notification_count"}) == 3);
  const auto receipt = [&](const std::string& event, const Json& body) {
    return room.bob.post(room_path(room.id) + "/receipt/m.read/" + encoded(event), body);
  };
  // The main timeline is read, the thread is not.
  must(receipt(root, {{"thread_id", "main"}}));
  CHECK(counts() == Json({0, 2, 1}));
  must(receipt(in_thread, {{"thread_id", root}}));
  CHECK(counts() == Json({0, 1, 1}));
  say(room.alice, room.id, "in the main timeline");
  CHECK(counts() == Json({1, 1, 1}));
  // What relates to an event of the thread is in the thread.
  room.relate(room.alice, "m.reference", in_thread, "about the thread");
  CHECK(counts() == Json({1, 2, 1}));
  must(receipt(last, Json::object()));
  CHECK(counts() == Json({1, 1, 0}));
  // Receipts must fit their thread.
  CHECK(receipt(in_thread, {{"thread_id", "main"}}).status == 400);
  CHECK(receipt(last, {{"thread_id", in_thread}}).status == 400);
  CHECK(receipt(root, {{"thread_id", "nonsense"}}).status == 400);
  // One who has receipts of several threads on an event keeps them all.
  must(receipt(root, Json::object()));
  std::size_t of_root = 0;
  const Json passing = room_of(sync(room.alice), room.id).at("ephemeral").at("events");
  for (const Json& event : passing) {
    if (event.at("type") == "m.receipt" && event.at("content").contains(root)) ++of_root;
  }
  CHECK(of_root == 2);
}
