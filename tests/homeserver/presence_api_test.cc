// Presence, against real processes. Client-server API, 'Presence'; server-server API, 'Presence'.
#include <chrono>

#include "tests/homeserver/chat_api.h"
#include "tests/support/town.h"

using namespace skerry;
using namespace skerry::test;

namespace {

std::string status_path(const std::string& user) { return std::string(v3) + "/presence/" + encoded(user) + "/status"; }

// The content of a user's newest m.presence event of a response, null when it has none.
Json presence_of(const Json& sync, const Api& user) {
  Json content;
  const Json events = at(sync, {"presence", "events"});
  if (!events.is_array()) return content;
  for (const Json& event : events) {
    CHECK(event.at("type") == "m.presence");
    if (event.at("sender") == user.user_id) content = event.at("content");
  }
  return content;
}

// Syncs on until the user is seen in this state.
Json wait_for(const Api& api, std::string& since, const Api& user, const std::string& state,
              const std::string& message = {}) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < deadline) {
    const Json answer =
        must(api.get(std::string(v3) + "/sync?timeout=1000" + (since.empty() ? "" : "&since=" + since)));
    since = answer.at("next_batch");
    const Json content = presence_of(answer, user);
    if (content.is_object() && content.at("presence") == state && content.value("status_msg", "") == message)
      return content;
  }
  FAIL(user.user_id << " was never seen as " << state);
  return {};
}

}  // namespace

TEST_CASE("presence is seen by those in a room with the user, and by nobody else") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  const Api carol = Api(server.url()).register_user("carol");
  const std::string room = public_room(alice);
  join(bob, room);
  std::string since = sync(bob).at("next_batch");
  std::string carols = sync(carol).at("next_batch");

  CHECK(must(alice.put(status_path(alice.user_id), {{"presence", "online"}, {"status_msg", "here"}})) ==
        Json::object());
  const Json content = wait_for(bob, since, alice, "online", "here");
  CHECK(content.at("currently_active") == true);
  CHECK(content.at("last_active_ago").get<int>() >= 0);
  const Json status = must(bob.get(status_path(alice.user_id)));
  CHECK(status.at("presence") == "online");
  CHECK(status.at("status_msg") == "here");
  CHECK(must(alice.get(status_path(alice.user_id))).at("status_msg") == "here");

  CHECK(presence_of(sync(carol, carols), alice).is_null());
  CHECK(presence_of(sync(carol), alice).is_null());
  CHECK(carol.get(status_path(alice.user_id)).errcode() == "M_FORBIDDEN");
  CHECK(carol.get(status_path("@nobody:alpha.test")).errcode() == "M_FORBIDDEN");

  // A client that starts learns who is there; one that meets somebody as well.
  CHECK(presence_of(sync(bob), alice).at("presence") == "online");
  join(carol, room);
  CHECK(presence_of(sync(carol, carols), alice).at("presence") == "online");
  CHECK(presence_of(sync(bob, since), carol).at("presence") == "online");
}

TEST_CASE("what cannot be said of a presence is refused") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  const std::string path = status_path(alice.user_id);
  CHECK(bob.put(path, {{"presence", "online"}}).errcode() == "M_FORBIDDEN");
  CHECK(Api(server.url()).put(path, {{"presence", "online"}}).errcode() == "M_MISSING_TOKEN");
  CHECK(alice.put(path, {{"presence", "asleep"}}).errcode() == "M_INVALID_PARAM");
  CHECK(alice.put(path, Json::object()).errcode() == "M_MISSING_PARAM");
  CHECK(alice.put(path, {{"presence", "online"}, {"status_msg", 5}}).errcode() == "M_BAD_JSON");
  CHECK(alice.put(path, {{"presence", "online"}, {"status_msg", std::string(2'000, 'x')}}).errcode() ==
        "M_INVALID_PARAM");
  CHECK(alice.put(path, {{"presence", "online"}, {"status_msg", nullptr}}).status == 200);
  CHECK(alice.get(std::string(v3) + "/sync?set_presence=asleep").errcode() == "M_INVALID_PARAM");
}

TEST_CASE("a filter keeps presence out, of all or of some") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  join(bob, public_room(alice));
  sync(alice);
  CHECK(presence_of(sync(bob), alice).is_object());
  CHECK(presence_of(sync_filtered(bob, {{"presence", {{"not_types", {"*"}}}}}), alice).is_null());
  CHECK(presence_of(sync_filtered(bob, {{"presence", {{"types", Json::array()}}}}), alice).is_null());
  CHECK(presence_of(sync_filtered(bob, {{"presence", {{"not_senders", {alice.user_id}}}}}), alice).is_null());
  CHECK(presence_of(sync_filtered(bob, {{"presence", {{"senders", {alice.user_id}}}}}), alice).is_object());
}

TEST_CASE("a waiting sync ends when somebody comes, goes idle, and goes") {
  HomeserverOptions options;
  options.tables = "[presence]\nidle_after_seconds = 3\noffline_after_seconds = 6\n";
  HomeserverProcess server(options);
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  join(bob, public_room(alice));
  std::string since = sync(bob).at("next_batch");
  sync(alice, "", "&set_presence=offline");
  CHECK(must(bob.get(status_path(alice.user_id))).at("presence") == "offline");
  sync(alice);
  wait_for(bob, since, alice, "online");
  wait_for(bob, since, alice, "unavailable");
  wait_for(bob, since, alice, "offline");
}

TEST_CASE("presence reaches the servers that share a room, also when they join later") {
  Town town;
  auto alpha = town.homeserver("alpha.town.test");
  auto bravo = town.homeserver("bravo.town.test");
  const Api alice = Api(alpha->url()).register_user("alice");
  const Api bob = Api(bravo->url()).register_user("bob");
  const std::string room = public_room(alice);
  must(alice.put(status_path(alice.user_id), {{"presence", "online"}, {"status_msg", "before"}}));
  std::string alices = sync(alice).at("next_batch");
  std::string bobs = sync(bob).at("next_batch");
  CHECK(presence_of(sync(bob), alice).is_null());

  must(bob.post(room_path(room) + "/join?via=alpha.town.test"));
  wait_for(bob, bobs, alice, "online", "before");
  wait_for(alice, alices, bob, "online");
  must(bob.put(status_path(bob.user_id), {{"presence", "unavailable"}, {"status_msg", "at sea"}}));
  wait_for(alice, alices, bob, "unavailable", "at sea");
  CHECK(must(alice.get(status_path(bob.user_id))).at("status_msg") == "at sea");
}

TEST_CASE("a server where presence is switched off says so, and its syncs have none") {
  HomeserverOptions options;
  options.tables = "[presence]\nenabled = false\n";
  HomeserverProcess server(options);
  const Api alice = Api(server.url()).register_user("alice");
  CHECK(alice.put(status_path(alice.user_id), {{"presence", "online"}}).errcode() == "M_UNRECOGNIZED");
  CHECK(alice.get(status_path(alice.user_id)).errcode() == "M_UNRECOGNIZED");
  CHECK_FALSE(sync(alice).contains("presence"));
}
