// What an application service is sent: what it is interested in, in order, all of it, whatever happens in between.
#include <map>
#include <mutex>

#include "tests/homeserver/fake_appservice.h"

using namespace skerry;
using namespace skerry::test;

namespace {

// A room of alice's that the ghost is in.
struct GhostRoom {
  Bridged& bridged;
  Api alice = Api(bridged.server.url()).register_user("alice");
  std::string room = public_room(alice);

  explicit GhostRoom(Bridged& with) : bridged(with) {
    bridged.register_ghost("_bridge_ghost", {{"inhibit_login", true}});
    ghost_does("/join");
  }
  void ghost_does(const std::string& what) const {
    must(bridged.bot.post(bridged.as_user(room_path(room) + what, "_bridge_ghost")));
  }
  // Over a restart of the server, which may change its port.
  Api alice_again() const { return Api(bridged.server.url(), alice.access_token()); }
};

Texts numbers(int from, int to) {
  Texts list;
  for (int i = from; i <= to; ++i) list.push_back(std::to_string(i));
  return list;
}

}  // namespace

TEST_CASE("an application service is sent what happens in its users' rooms, from the invite on, and nothing else") {
  Bridged bridged;
  const Api alice = Api(bridged.server.url()).register_user("alice");
  const Api bob = Api(bridged.server.url()).register_user("bob");
  bridged.register_ghost("_bridge_ghost", {{"inhibit_login", true}});
  const std::string room = public_room(alice);
  const std::string other = public_room(bob);
  say(alice, room, "before");
  say(bob, other, "elsewhere");
  must(alice.post(room_path(room) + "/invite", {{"user_id", "@_bridge_ghost:alpha.test"}}));
  say(alice, room, "not joined yet");
  must(bridged.bot.post(bridged.as_user(room_path(room) + "/join", "_bridge_ghost")));
  say(alice, room, "joined");
  set_state(alice, room, "m.room.topic", {{"topic", "one"}});
  set_state(alice, room, "m.room.topic", {{"topic", "two"}});
  must(bridged.bot.post(bridged.as_user(room_path(room) + "/leave", "_bridge_ghost")));
  say(alice, room, "left");
  bridged.register_ghost("_bridge_last", {{"inhibit_login", true}});
  must(bridged.bot.post(bridged.as_user(room_path(other) + "/join", "_bridge_last")));
  say(bob, other, "end");

  eventually("the end comes", [&] { return contains(bridged.appservice.texts(), "end"); });
  CHECK(bridged.appservice.texts() == Texts{"joined", "end"});
  Texts members;
  for (const Json& event : bridged.appservice.events()) {
    if (event.at("type") == "m.room.member")
      members.push_back(event.at("state_key").get<std::string>() + " " +
                        event.at("content").at("membership").get<std::string>());
    CHECK(event.contains("event_id"));
    CHECK(event.contains("room_id"));
    CHECK(event.contains("origin_server_ts"));
    if (event.at("type") == "m.room.topic" && event.at("content").at("topic") == "two")
      CHECK(event.at("unsigned").at("prev_content") == Json{{"topic", "one"}});
  }
  CHECK(members == Texts{"@_bridge_ghost:alpha.test invite", "@_bridge_ghost:alpha.test join",
                         "@_bridge_ghost:alpha.test leave", "@_bridge_last:alpha.test join"});
  CHECK(bridged.appservice.transactions().front().body.at("events").is_array());
}

TEST_CASE("rooms by id, and rooms by alias, are of interest without anybody in them") {
  TemporaryFolder files;
  FakeAppservice appservice;
  const std::string file = files.path() + "/a.yaml";
  write_file(file, "id: logger\nurl: " + appservice.url() + "/base\nas_token: " + as_token + "\nhs_token: " + hs_token +
                       "\nsender_localpart: logger\nnamespaces:\n  aliases:\n    - exclusive: false\n      regex: "
                       "'#logged_'\n");
  HomeserverProcess server(Bridged::with_registration(file, {}));
  const Api alice = Api(server.url()).register_user("alice");
  const std::string logged = create_room(alice, {{"room_alias_name", "logged_town"}});
  const std::string other = create_room(alice, {{"room_alias_name", "town"}});
  say(alice, other, "not this");
  say(alice, logged, "this");
  eventually("it comes", [&] { return contains(appservice.texts(), "this"); });
  CHECK(appservice.texts() == Texts{"this"});
}

TEST_CASE("what happens while the application service is away comes in order when it is back, under the same id") {
  Bridged bridged;
  GhostRoom room(bridged);
  say(room.alice, room.room, "0");
  eventually("it comes", [&] { return contains(bridged.appservice.texts(), "0"); });
  bridged.appservice.status = 500;
  for (int i = 1; i <= 120; ++i) say(room.alice, room.room, std::to_string(i));
  // The ghost goes before anything of this was taken: it is told all the same what it was there for.
  room.ghost_does("/leave");
  say(room.alice, room.room, "not this");
  const auto refused = [&] {
    std::map<std::string, int> counts;
    for (const auto& transaction : bridged.appservice.transactions()) {
      if (!transaction.accepted) ++counts[transaction.id];
    }
    return counts;
  };
  eventually("it is tried again", [&] { return refused().size() == 1 && refused().begin()->second > 2; });
  bridged.appservice.stop();
  bridged.appservice.status = 200;
  bridged.appservice.start();
  eventually("all came", [&] { return contains(bridged.appservice.texts(), "120"); });
  CHECK(bridged.appservice.texts() == numbers(0, 120));
  // The same id, the same events.
  const std::string id = refused().begin()->first;
  std::vector<Texts> same;
  for (const auto& transaction : bridged.appservice.transactions()) {
    if (transaction.id == id) same.push_back(bodies(transaction.body.at("events")));
    CHECK(transaction.body.at("events").size() <= 100);
  }
  REQUIRE(same.size() > 2);
  for (const Texts& texts : same) CHECK(texts == same.front());
}

TEST_CASE("a killed server sends what was not taken once more, the same under the same id, and loses nothing") {
  Bridged bridged;
  GhostRoom room(bridged);
  say(room.alice, room.room, "0");
  eventually("it comes", [&] { return contains(bridged.appservice.texts(), "0"); });
  bridged.appservice.status = 503;
  say(room.alice, room.room, "1");
  eventually("it is refused", [&] { return !bridged.appservice.transactions().back().accepted; });
  const auto first = bridged.appservice.transactions().back();
  for (int i = 2; i <= 5; ++i) say(room.alice, room.room, std::to_string(i));
  bridged.server.kill();
  const std::size_t before = bridged.appservice.transactions().size();
  bridged.start_again();
  for (int i = 6; i <= 8; ++i) say(room.alice_again(), room.room, std::to_string(i));
  eventually("it is sent again", [&] { return bridged.appservice.transactions().size() > before; });
  const auto again = bridged.appservice.transactions().at(before);
  CHECK(again.id == first.id);
  CHECK(bodies(again.body.at("events")) == bodies(first.body.at("events")));
  bridged.appservice.status = 200;
  eventually("all came", [&] { return contains(bridged.appservice.texts(), "8"); });
  CHECK(bridged.appservice.texts() == numbers(0, 8));
  // And once more: what was taken does not come under another id.
  bridged.server.kill();
  bridged.start_again();
  say(room.alice_again(), room.room, "9");
  eventually("it comes", [&] { return contains(bridged.appservice.texts(), "9"); });
  CHECK(bridged.appservice.texts() == numbers(0, 9));
}

TEST_CASE("an application service that is new is told what happens from then on") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string room = create_room(alice, {{"room_alias_name", "logged_town"}});
  say(alice, room, "before");
  server.stop();
  TemporaryFolder files;
  FakeAppservice appservice;
  write_file(files.path() + "/a.yaml", "id: logger\nurl: " + appservice.url() +
                                           "/base\nas_token: a\nhs_token: " + hs_token +
                                           "\nsender_localpart: logger\nnamespaces:\n  rooms:\n    - "
                                           "exclusive: false\n      regex: '!.*'\n");
  write_file(server.config_file(),
             read_file(server.config_file()) + "[appservices]\nregistrations = [\"" + files.path() + "/a.yaml\"]\n");
  server.start();
  say(Api(server.url(), alice.access_token()), room, "after");
  eventually("it comes", [&] { return contains(appservice.texts(), "after"); });
  CHECK(appservice.texts() == Texts{"after"});
}

TEST_CASE("typing and receipts come to those who ask for them, private receipts of their own users alone") {
  Bridged bridged("receive_ephemeral: true\n");
  GhostRoom room(bridged);
  const std::string event = say(room.alice, room.room, "read me");
  must(room.alice.put(room_path(room.room) + "/typing/" + encoded(room.alice.user_id), {{"typing", true}}));
  must(room.alice.post(room_path(room.room) + "/receipt/m.read.private/" + encoded(event)));
  must(bridged.bot.post(
      bridged.as_user(room_path(room.room) + "/receipt/m.read.private/" + encoded(event), "_bridge_ghost")));
  must(room.alice.post(room_path(room.room) + "/receipt/m.read/" + encoded(event)));
  const std::string other = create_room(room.alice);
  must(room.alice.put(room_path(other) + "/typing/" + encoded(room.alice.user_id), {{"typing", true}}));
  const auto told = [&] { return Json(bridged.appservice.events("ephemeral")).dump(); };
  eventually("the receipt comes", [&] { return told().find("\"m.read\":") != std::string::npos; });
  eventually("the typing comes", [&] { return told().find("m.typing") != std::string::npos; });
  for (const Json& passing : bridged.appservice.events("ephemeral")) {
    CHECK(passing.at("room_id") == room.room);
    if (passing.at("type") == "m.typing") CHECK(passing.at("content").at("user_ids") == Json{room.alice.user_id});
    if (passing.at("type") != "m.receipt") continue;
    const Json privately = at(passing, {"content", event, "m.read.private"});
    CHECK((privately.is_null() || !privately.contains(room.alice.user_id)));
  }
  CHECK_THAT(told(), Catch::Contains("@_bridge_ghost:alpha.test"));
}

TEST_CASE("who asks for typing by the name of before gets it by the name of before") {
  Bridged bridged("de.sorunome.msc2409.push_ephemeral: true\n");
  GhostRoom room(bridged);
  must(room.alice.put(room_path(room.room) + "/typing/" + encoded(room.alice.user_id), {{"typing", true}}));
  const auto told = [&] { return Json(bridged.appservice.events("de.sorunome.msc2409.ephemeral")).dump(); };
  eventually("the typing comes", [&] { return told().find("m.typing") != std::string::npos; });
  CHECK(bridged.appservice.events("ephemeral").empty());
}

TEST_CASE("presence comes of the application service's users and of those they are in a room with") {
  Bridged bridged("receive_ephemeral: true\n");
  GhostRoom room(bridged);
  const Api stranger = Api(bridged.server.url()).register_user("stranger");
  const auto is_there = [](const Api& api) {
    must(api.put(std::string(v3) + "/presence/" + encoded(api.user_id) + "/status",
                 {{"presence", "online"}, {"status_msg", "here"}}));
  };
  is_there(stranger);
  is_there(room.alice);
  const auto told = [&] { return Json(bridged.appservice.events("ephemeral")).dump(); };
  eventually("alice's comes", [&] { return told().find("@alice:alpha.test") != std::string::npos; });
  for (const Json& passing : bridged.appservice.events("ephemeral")) {
    CHECK(passing.at("type") == "m.presence");
    CHECK(passing.at("sender") != stranger.user_id);
    if (passing.at("sender") == room.alice.user_id) CHECK(passing.at("content").at("presence") == "online");
  }
}

TEST_CASE("an application service of before gets its transactions at the paths of before") {
  Texts targets;
  std::mutex mutex;
  ScriptedServer old([&](const net::HttpRequest& request, net::Responder responder) {
    const std::lock_guard lock(mutex);
    targets.push_back(request.target);
    const bool known = request.target.rfind("/transactions/", 0) == 0;
    responder.respond({known ? 200 : 404, {}, known ? "{}" : "Cannot PUT"});
  });
  TemporaryFolder files;
  write_file(files.path() + "/a.yaml", "id: old\nurl: " + old.url() +
                                           "\nas_token: a\nhs_token: h&h\nsender_localpart: old\nnamespaces:\n  "
                                           "rooms:\n    - exclusive: false\n      regex: '!.*'\n");
  HomeserverProcess server(Bridged::with_registration(files.path() + "/a.yaml", {}));
  const Api alice = Api(server.url()).register_user("alice");
  create_room(alice);
  const auto seen = [&] {
    const std::lock_guard lock(mutex);
    return targets;
  };
  eventually("it is asked the old way", [&] {
    const Texts all = seen();
    return !all.empty() && all.back().rfind("/transactions/", 0) == 0;
  });
  CHECK_THAT(seen().front(), Catch::StartsWith("/_matrix/app/v1/transactions/"));
  CHECK_THAT(seen().at(1), Catch::EndsWith("?access_token=h%26h"));
}
