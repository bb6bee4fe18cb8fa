// /sync, against a real process. Client-server API, 'Syncing'.
#include <thread>

#include "tests/homeserver/chat_api.h"

using namespace skerry;
using namespace skerry::test;

namespace {

struct Room {
  HomeserverProcess server;
  Api alice = Api(server.url()).register_user("alice");
  Api bob = Api(server.url()).register_user("bob");
  std::string id = public_room(alice);

  std::string since(const Api& api) { return sync(api).at("next_batch"); }
};

}  // namespace

TEST_CASE("a first sync brings a room's timeline and the state before it") {
  Room room;
  for (int i = 0; i < 15; ++i) say(room.alice, room.id, "m" + std::to_string(i));
  const Json first = sync(room.alice);
  const Json entry = room_of(first, room.id);
  REQUIRE(entry.is_object());
  const Json& timeline = entry.at("timeline");
  CHECK(timeline.at("events").size() == 10);
  CHECK(timeline.at("limited") == true);
  CHECK(bodies(timeline.at("events")).front() == "m5");
  CHECK(bodies(timeline.at("events")).back() == "m14");
  const auto state = keys(entry.at("state").at("events"));
  CHECK(contains(state, "m.room.create "));
  CHECK(contains(state, "m.room.member " + room.alice.user_id));
  CHECK(contains(state, "m.room.power_levels "));
  CHECK(contains(state, "m.room.join_rules "));
  CHECK(entry.at("summary").at("m.joined_member_count") == 1);
  for (const Json& event : timeline.at("events")) {
    CHECK_FALSE(event.contains("room_id"));
    CHECK(event.at("unsigned").contains("age"));
  }
  // The gap is filled from prev_batch backwards.
  const Json earlier = must(room.alice.get(
      room_path(room.id) + "/messages?dir=b&limit=5&from=" + timeline.at("prev_batch").get<std::string>()));
  CHECK(bodies(earlier.at("chunk")) == Texts{"m4", "m3", "m2", "m1", "m0"});
}

TEST_CASE("a later sync brings only what is new") {
  Room room;
  const std::string other = public_room(room.alice);
  const std::string since = room.since(room.alice);
  const Json nothing = sync(room.alice, since);
  CHECK(at(nothing, {"rooms"}).is_null());
  say(room.alice, room.id, "news");
  const Json news = sync(room.alice, since);
  const Json entry = room_of(news, room.id);
  CHECK(bodies(entry.at("timeline").at("events")) == Texts{"news"});
  CHECK(entry.at("timeline").at("limited") == false);
  CHECK(entry.at("state").at("events").empty());
  CHECK(room_of(news, other).is_null());
  // The same token gives the same again, as a client that lost the answer needs.
  CHECK(bodies(room_of(sync(room.alice, since), room.id).at("timeline").at("events")) == Texts{"news"});
}

TEST_CASE("a gap brings the state that changed in it") {
  Room room;
  const std::string since = room.since(room.alice);
  set_state(room.alice, room.id, "m.room.topic", {{"topic", "hidden in the gap"}});
  for (int i = 0; i < 12; ++i) say(room.alice, room.id, "m" + std::to_string(i));
  const Json entry = room_of(sync(room.alice, since), room.id);
  CHECK(entry.at("timeline").at("limited") == true);
  CHECK(keys(entry.at("state").at("events")) == Texts{"m.room.topic "});
  // What the timeline shows need not come as state.
  const std::string later = room.since(room.alice);
  set_state(room.alice, room.id, "m.room.topic", {{"topic", "seen"}});
  const Json seen = room_of(sync(room.alice, later), room.id);
  CHECK(seen.at("state").at("events").empty());
  CHECK(keys(seen.at("timeline").at("events")) == Texts{"m.room.topic "});
  CHECK(seen.at("timeline").at("events")[0].at("unsigned").at("prev_content").at("topic") == "hidden in the gap");
}

TEST_CASE("full_state brings all state though nothing is new") {
  Room room;
  const std::string since = room.since(room.alice);
  const Json entry = room_of(sync(room.alice, since, "&full_state=true"), room.id);
  REQUIRE(entry.is_object());
  CHECK(contains(keys(entry.at("state").at("events")), "m.room.create "));
  CHECK(entry.at("timeline").at("events").empty());
}

TEST_CASE("state_after tells the state at the timeline's end") {
  Room room;
  const std::string since = room.since(room.alice);
  set_state(room.alice, room.id, "m.room.topic", {{"topic", "new"}});
  const Json entry = room_of(sync(room.alice, since, "&use_state_after=true"), room.id);
  CHECK_FALSE(entry.contains("state"));
  CHECK(keys(entry.at("state_after").at("events")) == Texts{"m.room.topic "});
}

TEST_CASE("a waiting sync ends with the first news and at its time without") {
  Room room;
  const std::string since = room.since(room.alice);
  Json woken;
  std::thread waiting([&] { woken = room.alice.get(std::string(v3) + "/sync?timeout=30000&since=" + since).json; });
  say(room.alice, room.id, "wake up");
  waiting.join();
  CHECK(bodies(room_of(woken, room.id).at("timeline").at("events")) == Texts{"wake up"});

  const std::string later = woken.at("next_batch");
  const auto begin = std::chrono::steady_clock::now();
  const Json quiet = room.alice.get(std::string(v3) + "/sync?timeout=200&since=" + later).json;
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(200));
  CHECK(quiet.at("next_batch").is_string());
  CHECK(at(quiet, {"rooms"}).is_null());
}

TEST_CASE("an invitation comes with stripped state and a refusal ends it") {
  Room room;
  const std::string closed = create_room(room.alice, {{"name", "Closed"}, {"topic", "secret plans"}});
  const std::string since = room.since(room.bob);
  must(room.alice.post(room_path(closed) + "/invite", {{"user_id", room.bob.user_id}}));
  const Json invited = sync(room.bob, since);
  const Json entry = room_of(invited, closed, "invite");
  REQUIRE(entry.is_object());
  const auto state = keys(entry.at("invite_state").at("events"));
  CHECK(contains(state, "m.room.name "));
  CHECK(contains(state, "m.room.create "));
  CHECK(contains(state, "m.room.member " + room.bob.user_id));
  CHECK(room_of(invited, closed, "join").is_null());
  must(room.bob.post(room_path(closed) + "/leave"));
  const Json refused = sync(room.bob, invited.at("next_batch"));
  CHECK(room_of(refused, closed, "leave").is_object());
  CHECK(room_of(refused, closed, "invite").is_null());
  CHECK(room_of(sync(room.bob), closed, "invite").is_null());
}

TEST_CASE("a room that is joined comes whole and one that is left comes a last time") {
  Room room;
  say(room.alice, room.id, "before bob");
  const std::string since = room.since(room.bob);
  join(room.bob, room.id);
  const Json joined = sync(room.bob, since);
  const Json entry = room_of(joined, room.id);
  REQUIRE(entry.is_object());
  const auto all = keys(entry.at("state").at("events"));
  const auto shown = keys(entry.at("timeline").at("events"));
  CHECK((contains(all, "m.room.create ") || contains(shown, "m.room.create ")));
  CHECK(contains(bodies(entry.at("timeline").at("events")), "before bob"));

  say(room.alice, room.id, "still here");
  must(room.bob.post(room_path(room.id) + "/leave"));
  say(room.alice, room.id, "behind his back");
  const Json left = sync(room.bob, joined.at("next_batch"));
  CHECK(room_of(left, room.id).is_null());
  const Json last = room_of(left, room.id, "leave");
  REQUIRE(last.is_object());
  CHECK(bodies(last.at("timeline").at("events")) == Texts{"still here"});
  CHECK(contains(keys(last.at("timeline").at("events")), "m.room.member " + room.bob.user_id));
  const Json after = sync(room.bob, left.at("next_batch"));
  CHECK(at(after, {"rooms"}).is_null());
  // Rooms left before come only where the filter asks for them.
  CHECK(room_of(sync(room.bob), room.id, "leave").is_null());
  CHECK(room_of(sync_filtered(room.bob, {{"room", {{"include_leave", true}}}}), room.id, "leave").is_object());
}

TEST_CASE("one who is kicked or banned hears of it and then no more") {
  Room room;
  join(room.bob, room.id);
  const std::string since = room.since(room.bob);
  must(room.alice.post(room_path(room.id) + "/ban", {{"user_id", room.bob.user_id}, {"reason", "spam"}}));
  say(room.alice, room.id, "he is gone");
  const Json left = sync(room.bob, since);
  const Json last = room_of(left, room.id, "leave");
  REQUIRE(last.is_object());
  CHECK(bodies(last.at("timeline").at("events")).empty());
  CHECK(last.at("timeline").at("events").back().at("content").at("reason") == "spam");
  CHECK(at(sync(room.bob, left.at("next_batch")), {"rooms"}).is_null());
}

TEST_CASE("a forgotten room is gone from sync") {
  Room room;
  join(room.bob, room.id);
  CHECK(room.bob.post(room_path(room.id) + "/forget").status == 400);
  must(room.bob.post(room_path(room.id) + "/leave"));
  must(room.bob.post(room_path(room.id) + "/forget"));
  CHECK(room_of(sync_filtered(room.bob, {{"room", {{"include_leave", true}}}}), room.id, "leave").is_null());
}

TEST_CASE("filters choose what a sync brings") {
  Room room;
  set_state(room.alice, room.id, "m.room.topic", {{"topic", "t"}});
  for (int i = 0; i < 5; ++i) say(room.alice, room.id, "m" + std::to_string(i));
  const Json limited = sync_filtered(room.alice, {{"room", {{"timeline", {{"limit", 2}}}}}});
  CHECK(bodies(room_of(limited, room.id).at("timeline").at("events")) == Texts{"m3", "m4"});
  const Json typed = sync_filtered(room.alice, {{"room", {{"timeline", {{"types", {"m.room.t*"}}}}}}});
  CHECK(keys(room_of(typed, room.id).at("timeline").at("events")) == Texts{"m.room.topic "});
  const Json none = sync_filtered(room.alice, {{"room", {{"rooms", Json::array()}}}});
  CHECK(room_of(none, room.id).is_null());
  const Json not_this = sync_filtered(room.alice, {{"room", {{"not_rooms", {room.id}}}}});
  CHECK(room_of(not_this, room.id).is_null());
  const Json senders = sync_filtered(room.alice, {{"room", {{"timeline", {{"not_senders", {room.alice.user_id}}}}}}});
  CHECK(room_of(senders, room.id).at("timeline").at("events").empty());
  // A stored filter does the same by its id.
  const std::string id = must(room.alice.post(std::string(v3) + "/user/" + encoded(room.alice.user_id) + "/filter",
                                              {{"room", {{"timeline", {{"limit", 1}}}}}}))
                             .at("filter_id");
  CHECK(bodies(room_of(sync(room.alice, {}, "&filter=" + encoded(id)), room.id).at("timeline").at("events")) ==
        Texts{"m4"});
  CHECK(room.alice.get(std::string(v3) + "/sync?filter=nonsense").status == 400);
  CHECK(room.alice.get(std::string(v3) + "/sync?filter=%7Bbroken").status == 400);
}

TEST_CASE("members are loaded lazily where the filter says so") {
  Room room;
  const Api carol = Api(room.server.url()).register_user("carol");
  join(room.bob, room.id);
  join(carol, room.id);
  for (int i = 0; i < 10; ++i) say(room.bob, room.id, "m" + std::to_string(i));
  const Json filter = {{"room", {{"state", {{"lazy_load_members", true}}}}}};
  const Json entry = room_of(sync_filtered(room.alice, filter), room.id);
  const auto state = keys(entry.at("state").at("events"));
  CHECK(contains(state, "m.room.member " + room.bob.user_id));
  CHECK(contains(state, "m.room.member " + room.alice.user_id));
  CHECK_FALSE(contains(state, "m.room.member " + carol.user_id));
  CHECK(entry.at("summary").at("m.joined_member_count") == 3);
  CHECK(entry.at("summary").at("m.heroes").size() == 2);
}

TEST_CASE("unread counts rise with messages of others and fall with a receipt") {
  Room room;
  join(room.bob, room.id);
  say(room.alice, room.id, "one");
  const std::string two =
      must(room.alice.put(
               room_path(room.id) + "/send/m.room.message/two",
               {{"msgtype", "m.text"}, {"body", "bob: two"}, {"m.mentions", {{"user_ids", {room.bob.user_id}}}}}))
          .at("event_id");
  const Json unread = room_of(sync(room.bob), room.id).at("unread_notifications");
  CHECK(unread.at("notification_count") == 2);
  CHECK(unread.at("highlight_count") == 1);
  const std::string since = room.since(room.bob);
  must(room.bob.post(room_path(room.id) + "/receipt/m.read/" + encoded(two)));
  const Json read = room_of(sync(room.bob, since), room.id);
  REQUIRE(read.is_object());
  CHECK(read.at("unread_notifications").at("notification_count") == 0);
  CHECK(read.at("unread_notifications").at("highlight_count") == 0);
  CHECK(room_of(sync(room.alice), room.id).at("unread_notifications").at("notification_count") == 0);
}

TEST_CASE("receipts and typing come as ephemeral events") {
  Room room;
  join(room.bob, room.id);
  const std::string said = say(room.alice, room.id, "read me");
  const std::string since = room.since(room.alice);
  must(room.bob.post(room_path(room.id) + "/receipt/m.read/" + encoded(said)));
  const Json read = sync(room.alice, since);
  const Json receipts = room_of(read, room.id).at("ephemeral").at("events");
  REQUIRE(receipts.size() == 1);
  CHECK(receipts[0].at("type") == "m.receipt");
  CHECK(receipts[0].at("content").at(said).at("m.read").contains(room.bob.user_id));

  const std::string typing = room_path(room.id) + "/typing/" + encoded(room.bob.user_id);
  must(room.bob.put(typing, {{"typing", true}, {"timeout", 30'000}}));
  const Json began = sync(room.alice, read.at("next_batch"));
  const Json events = room_of(began, room.id).at("ephemeral").at("events");
  REQUIRE(events.size() == 1);
  CHECK(events[0].at("content").at("user_ids") == Json{room.bob.user_id});
  must(room.bob.put(typing, {{"typing", false}}));
  const Json ended = room_of(sync(room.alice, began.at("next_batch")), room.id).at("ephemeral").at("events");
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].at("content").at("user_ids").empty());
  CHECK(room.alice.put(typing, {{"typing", true}}).errcode() == "M_FORBIDDEN");

  // A private receipt is for its user only.
  const std::string later = room.since(room.alice);
  must(room.bob.post(room_path(room.id) + "/receipt/m.read.private/" + encoded(said)));
  CHECK(at(sync(room.alice, later), {"rooms"}).is_null());
}

TEST_CASE("a sender's transaction id comes back to the device that sent and to no other") {
  Room room;
  join(room.bob, room.id);
  const Api phone = Api(room.server.url()).login("alice");
  const std::string since = room.since(room.alice);
  const std::string first = must(try_say(room.alice, room.id, "hello", "txn 1")).at("event_id");
  CHECK(must(try_say(room.alice, room.id, "hello", "txn 1")).at("event_id") == first);
  const auto transaction_seen_by = [&](const Api& api) {
    const Json events = room_of(sync(api, since), room.id).at("timeline").at("events");
    REQUIRE(events.size() == 1);
    return at(events[0], {"unsigned", "transaction_id"});
  };
  CHECK(transaction_seen_by(room.alice) == "txn 1");
  CHECK(transaction_seen_by(phone).is_null());
  CHECK(transaction_seen_by(room.bob).is_null());
}

TEST_CASE("tokens that are none are refused") {
  Room room;
  CHECK(room.alice.get(std::string(v3) + "/sync?since=nonsense").errcode() == "M_INVALID_PARAM");
  CHECK(room.alice.get(std::string(v3) + "/sync?timeout=soon").status == 400);
  CHECK(room.alice.get(std::string(v3) + "/sync?since=s99999999&timeout=0").status != 500);
}

TEST_CASE("what was redacted is shown without its content") {
  Room room;
  const std::string since = room.since(room.alice);
  const std::string said = say(room.alice, room.id, "oops");
  const std::string redaction =
      must(room.alice.put(room_path(room.id) + "/redact/" + encoded(said) + "/r1", {{"reason", "typo"}}))
          .at("event_id");
  const Json events = room_of(sync(room.alice, since), room.id).at("timeline").at("events");
  REQUIRE(events.size() == 2);
  CHECK(events[0].at("content").empty());
  CHECK(events[0].at("unsigned").at("redacted_because").at("event_id") == redaction);
  CHECK(events[1].at("type") == "m.room.redaction");
  CHECK(events[1].at("content").at("redacts") == said);
  CHECK(events[1].at("redacts") == said);
}
