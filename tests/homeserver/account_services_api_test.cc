// Ending an account, tokens for others and for other devices, reports, against a real process. Client-server API,
// 'Account management', 'Login', 'OpenID', 'Reporting Content'.
#include <SQLiteCpp/SQLiteCpp.h>

#include "tests/homeserver/chat_api.h"

using namespace skerry;
using namespace skerry::test;

namespace {

Json password_of(const std::string& user, const std::string& password = "correct horse") {
  return {
      {"type", "m.login.password"}, {"identifier", {{"type", "m.id.user"}, {"user", user}}}, {"password", password}};
}

}  // namespace

TEST_CASE("a deactivated account leaves its rooms and is never to be had again") {
  HomeserverProcess server;
  const Api nobody(server.url());
  const Api alice = nobody.register_user("alice");
  const Api bob = nobody.register_user("bob");
  const std::string room = public_room(alice);
  join(bob, room);
  const std::string invited = create_room(alice);
  must(alice.post(room_path(invited) + "/invite", {{"user_id", bob.user_id}}));
  const std::string path = std::string(v3) + "/account/deactivate";
  CHECK(bob.post(path).status == 401);
  CHECK(bob.post(path, {{"auth", password_of("bob", "wrong")}}).status == 401);
  CHECK(bob.get(std::string(v3) + "/account/whoami").status == 200);
  CHECK(must(bob.post(path, {{"auth", password_of("bob")}})).at("id_server_unbind_result") == "success");

  CHECK(bob.get(std::string(v3) + "/account/whoami").errcode() == "M_UNKNOWN_TOKEN");
  CHECK(nobody.post(std::string(v3) + "/login", password_of("bob")).status == 403);
  CHECK(nobody.get(std::string(v3) + "/register/available?username=bob").errcode() == "M_USER_IN_USE");
  CHECK(nobody.get(std::string(v3) + "/profile/" + encoded(bob.user_id)).status == 404);
  for (const std::string& left : {room, invited}) {
    const Json member = must(alice.get(room_path(left) + "/state/m.room.member/" + encoded(bob.user_id)));
    CHECK(member.at("membership") == "leave");
  }
}

TEST_CASE("a login token lets one other device in once") {
  HomeserverProcess server;
  const Api nobody(server.url());
  const Api alice = nobody.register_user("alice");
  const std::string path = "/_matrix/client/v1/login/get_token";
  CHECK(alice.post(path).status == 401);
  const Json made = must(alice.post(path, {{"auth", password_of("alice")}}));
  CHECK(made.at("expires_in_ms") == 120'000);
  const Json body = {{"type", "m.login.token"}, {"token", made.at("login_token")}};
  const Json session = must(nobody.post(std::string(v3) + "/login", body));
  CHECK(session.at("user_id") == alice.user_id);
  CHECK(session.at("device_id") != alice.device_id);
  CHECK(nobody.post(std::string(v3) + "/login", body).status == 403);
  CHECK(nobody.post(std::string(v3) + "/login", {{"type", "m.login.token"}, {"token", "guess"}}).status == 403);
  // An OpenID token is no login token.
  const Json openid = must(alice.post(std::string(v3) + "/user/" + encoded(alice.user_id) + "/openid/request_token"));
  CHECK(nobody.post(std::string(v3) + "/login", {{"type", "m.login.token"}, {"token", openid.at("access_token")}})
            .status == 403);
}

TEST_CASE("an OpenID token tells others whose it is and nothing else") {
  HomeserverProcess server;
  const Api nobody(server.url());
  const Api alice = nobody.register_user("alice");
  const Api bob = nobody.register_user("bob");
  const std::string path = std::string(v3) + "/user/" + encoded(alice.user_id) + "/openid/request_token";
  CHECK(bob.post(path).status == 403);
  const Json openid = must(alice.post(path));
  CHECK(openid.at("token_type") == "Bearer");
  CHECK(openid.at("expires_in") == 3'600);
  const std::string token = openid.at("access_token");
  const std::string info = "/_matrix/federation/v1/openid/userinfo";
  CHECK(must(nobody.get(info + "?access_token=" + encoded(token))) == Json{{"sub", alice.user_id}});
  CHECK(must(nobody.get(info + "?access_token=" + encoded(token))).at("sub") == alice.user_id);
  CHECK(nobody.get(info + "?access_token=guess").errcode() == "M_UNKNOWN_TOKEN");
  CHECK(nobody.get(info).status == 401);
  CHECK(nobody.as(token).get(std::string(v3) + "/account/whoami").status == 401);
}

TEST_CASE("this server knows no third-party identifiers and no TURN server") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  CHECK(must(alice.get(std::string(v3) + "/account/3pid")) == Json{{"threepids", Json::array()}});
  CHECK(must(alice.get(std::string(v3) + "/voip/turnServer")) == Json::object());
}

TEST_CASE("reports of rooms and events and users are kept for the operator") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  const std::string room = public_room(alice);
  join(bob, room);
  const std::string event = say(alice, room, "buy this");
  must(bob.post(room_path(room) + "/report", {{"reason", "spam room"}}));
  must(bob.post(room_path(room) + "/report/" + encoded(event), {{"reason", "spam"}, {"score", -100}}));
  must(bob.post(room_path(room) + "/report/" + encoded(event)));
  must(bob.post(std::string(v3) + "/users/" + encoded(alice.user_id) + "/report", {{"reason", "spammer"}}));
  // What is not there is reported as well as what is, but for events, which are named in a room of one's own.
  must(bob.post(room_path("!nowhere:example.org") + "/report", {{"reason", ""}}));
  CHECK(bob.post(room_path(room) + "/report").status == 400);
  CHECK(bob.post(room_path(room) + "/report", {{"reason", std::string(5'000, 'x')}}).status == 400);
  CHECK(bob.post(room_path(room) + "/report/" + encoded("$nothing"), {{"reason", "x"}}).status == 404);
  must(bob.post(room_path(room) + "/leave"));
  CHECK(bob.post(room_path(room) + "/report/" + encoded(event), {{"reason", "x"}}).status == 404);
  SQLite::Database database(server.folder() + "/data/homeserver.db", SQLite::OPEN_READONLY);
  CHECK(database.execAndGet("SELECT count(*) FROM reports").getInt() == 5);
  CHECK(database.execAndGet("SELECT user FROM reports WHERE reason = 'spam'").getString() == alice.user_id);
}
