// Access tokens that expire, and what refreshes them, against a real process whose clock the test sets. Client-server
// API, 'Refreshing access tokens', 'Soft logout'.
#include <functional>

#include "homeserver/steering.h"
#include "tests/homeserver/fake_appservice.h"
#include "tests/support/waiting_sync.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string login_path = std::string(v3) + "/login";
const std::string refresh_path = std::string(v3) + "/refresh";
const std::string register_path = std::string(v3) + "/register";
const std::string whoami_path = std::string(v3) + "/account/whoami";
constexpr std::int64_t minute_ms = 60'000;

// What a client that refreshes keeps.
struct Kept {
  std::string access;
  std::string refresh;
  std::string device;
};

Kept kept(const Json& answer) {
  return {answer.at("access_token"), answer.at("refresh_token"), answer.value("device_id", "")};
}

Json password_login(const std::string& name, const Json& more = Json::object()) {
  Json body = {{"type", "m.login.password"},
               {"identifier", {{"type", "m.id.user"}, {"user", name}}},
               {"password", "correct horse"}};
  body.update(more);
  return body;
}

// A homeserver, a client without a session, and alice, whose own session does not expire.
struct Home {
  TemporaryFolder files;
  std::unique_ptr<homeserver::Steering> steering = *homeserver::Steering::create(files.path() + "/steering");
  HomeserverProcess server{options()};
  Api nobody{server.url()};
  Api alice = nobody.register_user("alice");

  HomeserverOptions options() const {
    HomeserverOptions wanted;
    wanted.steering_file = files.path() + "/steering";
    wanted.tables = metrics_table;
    return wanted;
  }
  Kept log_in(const Json& more = Json::object()) const {
    Json body = password_login("alice", more);
    body["refresh_token"] = true;
    return kept(must(nobody.post(login_path, body)));
  }
  Answer try_refresh(const std::string& token) const { return nobody.post(refresh_path, {{"refresh_token", token}}); }
  Kept refresh(const std::string& token) const { return kept(must(try_refresh(token))); }
  bool works(const std::string& access_token) const { return nobody.as(access_token).get(whoami_path).status == 200; }
  // 401 for good: what the client keeps of the session is of no use any more.
  bool ended(const Answer& answer) const {
    INFO(answer.status << " " << answer.text);
    return answer.status == 401 && answer.errcode() == "M_UNKNOWN_TOKEN" && !answer.json.value("soft_logout", false);
  }
  bool access_ended(const std::string& token) const { return ended(nobody.as(token).get(whoami_path)); }
  bool refresh_ended(const std::string& token) const { return ended(try_refresh(token)); }
  bool soft_logged_out(const std::string& access_token) const {
    const Answer answer = nobody.as(access_token).get(whoami_path);
    return answer.status == 401 && answer.errcode() == "M_UNKNOWN_TOKEN" && answer.json.value("soft_logout", false);
  }
};

}  // namespace

TEST_CASE("a refresh token is given to those who ask for it and to no others") {
  const Home home;
  const Json plain = must(home.nobody.post(login_path, password_login("alice", {{"refresh_token", false}})));
  CHECK_FALSE(plain.contains("refresh_token"));
  CHECK_FALSE(plain.contains("expires_in_ms"));
  const Json login = must(home.nobody.post(login_path, password_login("alice", {{"refresh_token", true}})));
  CHECK(login.at("refresh_token").is_string());
  CHECK(login.at("expires_in_ms") == 5 * minute_ms);
  CHECK(home.works(login.at("access_token")));
  Json wanted = {{"username", "bob"}, {"password", "x"}, {"auth", {{"type", "m.login.dummy"}}}};
  wanted["refresh_token"] = "yes";
  CHECK(home.nobody.post(register_path, wanted).errcode() == "M_BAD_JSON");
  wanted["refresh_token"] = true;
  const Json made = must(home.nobody.post(register_path, wanted));  // what was refused made no account
  CHECK(made.at("refresh_token").is_string());
  CHECK(made.at("expires_in_ms") == 5 * minute_ms);
  CHECK(home.works(home.refresh(made.at("refresh_token")).access));
}

TEST_CASE("a login token lets a client in that refreshes and is not spent on a bad request") {
  const Home home;
  const std::string path = "/_matrix/client/v1/login/get_token";
  const std::string token = must(home.alice.post(path, {{"auth", password_login("alice")}})).at("login_token");
  Json body = {{"type", "m.login.token"}, {"token", token}, {"refresh_token", 1}};
  CHECK(home.nobody.post(login_path, body).errcode() == "M_BAD_JSON");
  body["refresh_token"] = true;
  CHECK(home.works(home.refresh(kept(must(home.nobody.post(login_path, body))).refresh).access));
}

TEST_CASE("a refresh gives the next tokens of the same device") {
  const Home home;
  const Kept first = home.log_in({{"device_id", "PHONE"}});
  const Json answer = must(home.try_refresh(first.refresh));
  CHECK(answer.size() == 3);
  CHECK(answer.at("expires_in_ms") == 5 * minute_ms);
  const Json who = must(home.nobody.as(answer.at("access_token")).get(whoami_path));
  CHECK(who.at("user_id") == "@alice:alpha.test");
  CHECK(who.at("device_id") == "PHONE");
  CHECK(home.nobody.post(refresh_path).errcode() == "M_MISSING_PARAM");
  CHECK(home.nobody.post(refresh_path, {{"refresh_token", 5}}).errcode() == "M_BAD_JSON");
  CHECK(home.refresh_ended("invented"));
  CHECK(home.refresh_ended(std::string(10'000, 'x')));
  CHECK(home.refresh_ended(answer.at("access_token")));  // the one is not the other
  CHECK(home.access_ended(answer.at("refresh_token")));
  CHECK(home.nobody.post("/_matrix/client/r0/refresh").errcode() == "M_UNRECOGNIZED");
}

TEST_CASE("old tokens end when the new access token is used and not before") {
  const Home home;
  const Kept first = home.log_in();
  CHECK(home.works(first.access));
  const Kept lost = home.refresh(first.refresh);  // an answer that did not arrive
  const Kept second = home.refresh(first.refresh);
  CHECK(home.works(first.access));
  CHECK(home.works(second.access));
  CHECK(home.access_ended(first.access));
  CHECK(home.refresh_ended(first.refresh));
  CHECK(home.access_ended(lost.access));
  CHECK(home.refresh_ended(lost.refresh));
  CHECK(home.works(second.access));
  CHECK(home.works(home.refresh(second.refresh).access));
}

TEST_CASE("old tokens end when the new refresh token is used and not before") {
  const Home home;
  const Kept first = home.log_in();
  CHECK(home.works(first.access));
  const Kept second = home.refresh(first.refresh);
  CHECK(home.works(first.access));
  const Kept third = home.refresh(second.refresh);
  CHECK(home.access_ended(first.access));
  CHECK(home.refresh_ended(first.refresh));
  CHECK(home.works(second.access));
  CHECK(home.works(third.access));
  CHECK(home.access_ended(second.access));
}

TEST_CASE("an answer that comes late after another of the same refresh still holds") {
  const Home home;
  const Kept first = home.log_in();
  const Kept early = home.refresh(first.refresh);
  const Kept late = home.refresh(first.refresh);
  CHECK(home.works(early.access));
  CHECK(home.access_ended(late.access));
  CHECK(home.refresh_ended(first.refresh));
}

TEST_CASE("an expired access token is a soft logout that a refresh ends") {
  const Home home;
  const Kept phone = home.log_in();
  const Kept unused = home.log_in();
  CHECK(home.works(phone.access));
  home.steering->set_clock_offset_ms(4 * minute_ms);
  CHECK(home.works(phone.access));
  home.steering->set_clock_offset_ms(5 * minute_ms);
  CHECK(home.soft_logged_out(phone.access));
  CHECK(home.soft_logged_out(unused.access));
  CHECK(home.works(home.alice.access_token()));
  const Kept next = home.refresh(phone.refresh);
  CHECK(home.works(next.access));
  CHECK(home.access_ended(phone.access));
  home.steering->set_clock_offset_ms(365 * 24 * 60 * minute_ms);
  CHECK(home.soft_logged_out(next.access));
  CHECK(home.works(home.refresh(next.refresh).access));
  CHECK(home.works(home.alice.access_token()));
}

TEST_CASE("whoever was softly logged out may log in again on the same device") {
  const Home home;
  const Kept phone = home.log_in({{"device_id", "PHONE"}});
  home.steering->set_clock_offset_ms(6 * minute_ms);
  CHECK(home.soft_logged_out(phone.access));
  CHECK(home.works(home.log_in({{"device_id", "PHONE"}}).access));
  CHECK(home.access_ended(phone.access));
  CHECK(home.refresh_ended(phone.refresh));
}

TEST_CASE("what ends a session ends its refresh tokens") {
  const Home home;
  const auto ends = [&](const std::string& what, const std::function<void(const Kept&)>& end) {
    INFO(what);
    const Kept session = home.log_in();
    const Kept offered = home.refresh(session.refresh);
    WaitingSync waiting(home.server, home.nobody.as(session.access));
    end(session);
    CHECK(home.ended(waiting.answer()));
    CHECK(home.access_ended(session.access));
    CHECK(home.refresh_ended(session.refresh));
    CHECK(home.access_ended(offered.access));
    CHECK(home.refresh_ended(offered.refresh));
  };
  const auto proven = [&](const std::string& path, Json body) {
    body["auth"] = password_login("alice");
    must(home.alice.post(path, body));
  };
  ends("logout", [&](const Kept& session) { must(home.nobody.as(session.access).post(std::string(v3) + "/logout")); });
  ends("deletion of the device", [&](const Kept& session) {
    proven(std::string(v3) + "/delete_devices", {{"devices", {session.device}}});
  });
  ends("another password", [&](const Kept&) {
    proven(std::string(v3) + "/account/password", {{"new_password", "correct horse"}});
  });
  ends("logout everywhere", [&](const Kept&) { must(home.alice.post(std::string(v3) + "/logout/all")); });
  ends("deactivation", [&](const Kept& session) {
    must(home.nobody.as(session.access)
             .post(std::string(v3) + "/account/deactivate", {{"auth", password_login("alice")}}));
  });
}

TEST_CASE("a sync that waits past the end of its access token brings nothing new") {
  const Home home;
  const Kept phone = home.log_in();
  WaitingSync waiting(home.server, home.nobody.as(phone.access));
  home.steering->set_clock_offset_ms(6 * minute_ms);
  must(home.alice.post(std::string(v3) + "/createRoom"));
  const Answer answer = waiting.answer();
  CHECK(answer.status == 401);
  CHECK(answer.errcode() == "M_UNKNOWN_TOKEN");
  CHECK(answer.json.value("soft_logout", false));
}

TEST_CASE("a sync waits on when another session of its user comes or goes") {
  const Home home;
  const Kept phone = home.log_in();
  WaitingSync waiting(home.server, home.nobody.as(phone.access));
  must(home.nobody.as(home.log_in().access).post(std::string(v3) + "/logout"));
  const std::string room = must(home.alice.post(std::string(v3) + "/createRoom")).at("room_id");
  CHECK(at(must(waiting.answer()), {"rooms", "join", room}).is_object());
}

TEST_CASE("another password that logs nobody out leaves refresh tokens as they are") {
  const Home home;
  const Kept session = home.log_in();
  must(home.alice.post(
      std::string(v3) + "/account/password",
      {{"new_password", "another horse"}, {"logout_devices", false}, {"auth", password_login("alice")}}));
  CHECK(home.works(home.refresh(session.refresh).access));
}

TEST_CASE("refreshed sessions survive a kill and so does the way back after a lost answer") {
  Home home;
  const Kept first = home.log_in();
  const Kept second = home.refresh(first.refresh);
  CHECK(home.works(second.access));
  const Kept lost = home.refresh(second.refresh);
  home.server.kill();
  home.server.start();
  home.nobody = Api(home.server.url());
  CHECK(home.refresh_ended(first.refresh));
  CHECK(home.works(second.access));
  const Kept third = home.refresh(second.refresh);
  CHECK(home.works(third.access));
  CHECK(home.access_ended(second.access));
  CHECK(home.access_ended(lost.access));
}

TEST_CASE("users of an application service refresh as others do") {
  Bridged bridged;
  const Json made = must(bridged.register_ghost("_bridge_ghost", {{"refresh_token", true}}));
  const Json login =
      must(bridged.bot.post(login_path, {{"type", "m.login.application_service"},
                                         {"identifier", {{"type", "m.id.user"}, {"user", "_bridge_ghost"}}},
                                         {"refresh_token", true}}));
  for (const Json& session : {made, login}) {
    const Json next =
        must(Api(bridged.server.url()).post(refresh_path, {{"refresh_token", session.at("refresh_token")}}));
    CHECK(must(Api(bridged.server.url(), next.at("access_token")).get(whoami_path)).at("user_id") ==
          "@_bridge_ghost:alpha.test");
  }
}

TEST_CASE("how long access tokens are good is configured") {
  HomeserverOptions options;
  options.tables = "[sessions]\naccess_token_seconds = 60\n";
  HomeserverProcess server(options);
  const Api nobody(server.url());
  nobody.register_user("alice");
  CHECK(must(nobody.post(login_path, password_login("alice", {{"refresh_token", true}}))).at("expires_in_ms") ==
        minute_ms);
}
