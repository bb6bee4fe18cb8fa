// Accounts that administrators lock and suspend, against a real process. Client-server API, 'Account moderation',
// 'Server administration'.
#include "core/crypto.h"
#include "tests/homeserver/fake_appservice.h"
#include "tests/support/waiting_sync.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string login_path = std::string(v3) + "/login";
const std::string whoami_path = std::string(v3) + "/account/whoami";

std::string lock_path(const std::string& user) { return "/_matrix/client/v1/admin/lock/" + encoded(user); }
std::string suspend_path(const std::string& user) { return "/_matrix/client/v1/admin/suspend/" + encoded(user); }

using Path = std::string (*)(const std::string& user);

Api administrator(const Api& api, const std::string& name) {
  const std::string path = "/_synapse/admin/v1/register";
  const std::string nonce = must(api.get(path)).at("nonce");
  const std::string nul(1, '\0');
  const std::string mac = hmac_sha1_hex("the shared secret", nonce + nul + name + nul + "pass" + nul + "admin");
  const Json made =
      must(api.post(path, {{"nonce", nonce}, {"username", name}, {"password", "pass"}, {"admin", true}, {"mac", mac}}));
  Api session = api.as(made.at("access_token"));
  session.user_id = made.at("user_id");
  return session;
}

Json password_login(const std::string& name, const std::string& password = "correct horse") {
  return {
      {"type", "m.login.password"}, {"identifier", {{"type", "m.id.user"}, {"user", name}}}, {"password", password}};
}

void check_locked(const Answer& answer) {
  INFO(answer.status << " " << answer.text);
  CHECK(answer.status == 401);
  CHECK(answer.errcode() == "M_USER_LOCKED");
  CHECK(answer.json.value("soft_logout", false));
}

void check_suspended(const Answer& answer) {
  INFO(answer.status << " " << answer.text);
  CHECK(answer.status == 403);
  CHECK(answer.errcode() == "M_USER_SUSPENDED");
}

HomeserverOptions with_metrics() {
  HomeserverOptions options;
  options.tables = metrics_table;
  return options;
}

struct Home {
  HomeserverProcess server{with_metrics()};
  Api nobody{server.url()};
  Api root = administrator(nobody, "root");
  Api bob = nobody.register_user("bob");
};

}  // namespace

TEST_CASE("a locked user may do nothing but log out and keeps the sessions for afterwards") {
  const Home home;
  Json refreshable = password_login("bob");
  refreshable["refresh_token"] = true;
  const Json phone = must(home.nobody.post(login_path, refreshable));
  const Api leaving = home.nobody.login("bob");
  CHECK(home.bob.get(whoami_path).status == 200);  // the server remembers the session
  CHECK(must(home.root.get(lock_path(home.bob.user_id))) == Json{{"locked", false}});
  WaitingSync waiting(home.server, home.bob);
  CHECK(must(home.root.put(lock_path(home.bob.user_id), {{"locked", true}})) == Json{{"locked", true}});
  CHECK(must(home.root.get(lock_path(home.bob.user_id))) == Json{{"locked", true}});
  check_locked(waiting.answer());
  check_locked(home.bob.get(whoami_path));
  check_locked(home.bob.get(std::string(v3) + "/sync?timeout=0"));
  check_locked(home.bob.post(std::string(v3) + "/createRoom"));
  check_locked(home.nobody.post(login_path, password_login("bob")));
  check_locked(home.nobody.post(std::string(v3) + "/refresh", {{"refresh_token", phone.at("refresh_token")}}));
  // Who does not know the password learns nothing.
  CHECK(home.nobody.post(login_path, password_login("bob", "wrong")).errcode() == "M_FORBIDDEN");
  must(leaving.post(std::string(v3) + "/logout"));

  must(home.root.put(lock_path(home.bob.user_id), {{"locked", false}}));
  CHECK(home.bob.get(whoami_path).status == 200);
  CHECK(leaving.get(whoami_path).errcode() == "M_UNKNOWN_TOKEN");
  must(home.nobody.post(std::string(v3) + "/refresh", {{"refresh_token", phone.at("refresh_token")}}));
  must(home.root.put(lock_path(home.bob.user_id), {{"locked", true}}));
  must(home.bob.post(std::string(v3) + "/logout/all"));
  must(home.root.put(lock_path(home.bob.user_id), {{"locked", false}}));
  CHECK(home.bob.get(whoami_path).errcode() == "M_UNKNOWN_TOKEN");
  CHECK(home.nobody.post(login_path, password_login("bob")).status == 200);
}

TEST_CASE("a suspended user reads, leaves and takes back, and shows others nothing new") {
  const Home home;
  const Api& bob = home.bob;
  const std::string room = public_room(bob);
  const std::string other = public_room(home.root);
  join(home.root, room);
  const std::string own = say(bob, room, "mine");
  const std::string theirs = say(home.root, room, "theirs");
  const auto redact = [&](const std::string& event) {
    return bob.put(room_path(room) + "/redact/" + encoded(event) + "/" + encoded(event));
  };
  const std::string name_path = std::string(v3) + "/profile/" + encoded(bob.user_id) + "/displayname";
  CHECK(must(home.root.put(suspend_path(bob.user_id), {{"suspended", true}})) == Json{{"suspended", true}});
  CHECK(must(home.root.get(suspend_path(bob.user_id))) == Json{{"suspended", true}});
  CHECK(must(home.root.get(lock_path(bob.user_id))) == Json{{"locked", false}});

  check_suspended(try_say(bob, room, "more", "more"));
  check_suspended(bob.put(room_path(room) + "/state/m.room.topic/", {{"topic", "me"}}));
  check_suspended(bob.put(room_path(room) + "/state/m.room.topic", {{"topic", "me"}}));
  check_suspended(bob.put(room_path(room) + "/state/m.room.member/" + encoded(bob.user_id), {{"membership", "join"}}));
  check_suspended(bob.post(room_path(other) + "/join"));
  check_suspended(bob.post(std::string(v3) + "/join/" + encoded(other)));
  check_suspended(bob.post(std::string(v3) + "/knock/" + encoded(other)));
  check_suspended(bob.post(std::string(v3) + "/createRoom"));
  check_suspended(bob.put(name_path, {{"displayname", "Bob"}}));
  for (const char* change : {"/invite", "/kick", "/ban", "/unban"})
    check_suspended(bob.post(room_path(room) + change, {{"user_id", home.root.user_id}}));
  check_suspended(bob.post("/_matrix/media/v1/create"));
  check_suspended(redact(theirs));

  must(redact(own));
  CHECK(room_of(sync(bob), room).is_object());
  CHECK(home.nobody.post(login_path, password_login("bob")).status == 200);
  must(bob.post(room_path(room) + "/leave"));
  must(home.root.put(suspend_path(bob.user_id), {{"suspended", false}}));
  must(bob.put(name_path, {{"displayname", "Bob"}}));
  join(bob, other);
  say(bob, other, "back");
}

TEST_CASE("administrators moderate users of their server and nobody else does") {
  const Home home;
  const Api other = administrator(home.nobody, "other");
  for (const auto& [path, key] : {std::pair<Path, std::string>{lock_path, "locked"}, {suspend_path, "suspended"}}) {
    INFO(key);
    const auto put = [&, path = path, key = key](const std::string& user) {
      return home.root.put(path(user), {{key, true}});
    };
    // Others do not learn who is here.
    for (const char* name : {"@root:alpha.test", "@nobody:alpha.test", "@bob:alpha.test", "nonsense"}) {
      CHECK(home.bob.get(path(name)).errcode() == "M_FORBIDDEN");
      CHECK(home.bob.put(path(name), {{key, true}}).errcode() == "M_FORBIDDEN");
    }
    CHECK(home.root.get(path("@nobody:alpha.test")).errcode() == "M_NOT_FOUND");
    CHECK(put("@nobody:alpha.test").errcode() == "M_NOT_FOUND");
    CHECK(home.root.get(path("@bob:bravo.test")).errcode() == "M_INVALID_PARAM");
    CHECK(put("@bob:bravo.test").errcode() == "M_INVALID_PARAM");
    CHECK(put("nonsense").errcode() == "M_INVALID_PARAM");
    CHECK(home.root.get(path(other.user_id)).errcode() == "M_FORBIDDEN");
    CHECK(put(other.user_id).errcode() == "M_FORBIDDEN");
    CHECK(must(home.root.get(path(home.root.user_id))) == Json{{key, false}});
    CHECK(put(home.root.user_id).errcode() == "M_FORBIDDEN");
    CHECK(home.root.put(path(home.bob.user_id)).errcode() == "M_MISSING_PARAM");
    CHECK(home.root.put(path(home.bob.user_id), {{key, nullptr}}).errcode() == "M_BAD_JSON");
    CHECK(home.root.put(path(home.bob.user_id), {{key, "yes"}}).errcode() == "M_BAD_JSON");
  }
  const auto capability = [](const Api& api) {
    return at(must(api.get(std::string(v3) + "/capabilities")), {"capabilities", "m.account_moderation"});
  };
  CHECK(capability(home.root) == Json{{"lock", true}, {"suspend", true}});
  CHECK(capability(home.bob).is_null());
  must(home.bob.post(std::string(v3) + "/account/deactivate", {{"auth", password_login("bob")}}));
  CHECK(home.root.get(lock_path(home.bob.user_id)).errcode() == "M_NOT_FOUND");
}

TEST_CASE("locks and suspensions survive a kill") {
  Home home;
  const Api carol = home.nobody.register_user("carol");
  must(home.root.put(lock_path(home.bob.user_id), {{"locked", true}}));
  must(home.root.put(suspend_path(carol.user_id), {{"suspended", true}}));
  home.server.kill();
  home.server.start();
  check_locked(Api(home.server.url(), home.bob.access_token()).get(whoami_path));
  check_suspended(Api(home.server.url(), carol.access_token()).post(std::string(v3) + "/createRoom"));
}

TEST_CASE("an application service is kept out as a user who is locked") {
  const std::string ghost = "@_bridge_ghost:alpha.test";
  Bridged bridged({}, with_metrics());
  must(bridged.register_ghost("_bridge_ghost"));
  const Api root = administrator(Api(bridged.server.url()), "root");
  WaitingSync waiting(bridged.server, bridged.bot, "&user_id=" + encoded(ghost));
  must(root.put(lock_path(ghost), {{"locked", true}}));
  check_locked(waiting.answer());
  check_locked(bridged.bot.get(bridged.as_user(whoami_path, "_bridge_ghost")));
  CHECK(bridged.bot.get(whoami_path).status == 200);
}
