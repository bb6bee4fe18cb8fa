// Registration, sessions, devices and passwords, against a real process.
#include <catch2/catch.hpp>

#include "core/crypto.h"
#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string register_path = std::string(v3) + "/register";
const std::string login_path = std::string(v3) + "/login";
const std::string whoami_path = std::string(v3) + "/account/whoami";
const std::string devices_path = std::string(v3) + "/devices";

Json dummy() { return {{"type", "m.login.dummy"}}; }

Json password_auth(const std::string& user, const std::string& password, const std::string& session) {
  return {{"type", "m.login.password"},
          {"identifier", {{"type", "m.id.user"}, {"user", user}}},
          {"password", password},
          {"session", session}};
}

}  // namespace

TEST_CASE("registration asks for the dummy stage and then makes account and session") {
  HomeserverProcess server;
  Api api(server.url());
  const Json wanted = {{"username", "alice"}, {"password", "secret"}, {"initial_device_display_name", "phone"}};
  auto asked = api.post(register_path, wanted);
  REQUIRE(asked.status == 401);
  CHECK(asked.json.at("flows") == Json::parse(R"([{"stages":["m.login.dummy"]}])"));
  CHECK(asked.json.at("completed") == Json::array());
  CHECK_FALSE(asked.json.contains("errcode"));
  Json proven = wanted;
  proven["auth"] = {{"type", "m.login.dummy"}, {"session", asked.json.at("session")}};
  auto made = api.post(register_path, proven);
  REQUIRE(made.status == 200);
  CHECK(made.json.at("user_id") == "@alice:alpha.test");
  auto who = api.as(made.json.at("access_token").get<std::string>()).get(whoami_path);
  CHECK(who.status == 200);
  CHECK(who.json.at("user_id") == "@alice:alpha.test");
  CHECK(who.json.at("device_id") == made.json.at("device_id"));
  CHECK(who.json.at("is_guest") == false);
  // The session ended with its success.
  proven["username"] = "bob";
  auto again = api.post(register_path, proven);
  CHECK(again.status == 401);
  CHECK(again.errcode() == "M_FORBIDDEN");
  CHECK(again.json.at("session") != asked.json.at("session"));
}

TEST_CASE("registration refuses names before it asks for authentication") {
  HomeserverProcess server;
  Api api(server.url());
  api.register_user("alice");
  CHECK(api.post(register_path, {{"username", "alice"}}).errcode() == "M_USER_IN_USE");
  for (const char* name : {"", "Alice", "a b", "ü", "a:b", "@a"}) {
    INFO(name);
    auto answer = api.post(register_path, {{"username", name}});
    CHECK(answer.status == 400);
    CHECK(answer.errcode() == "M_INVALID_USERNAME");
  }
  CHECK(api.post(register_path, {{"username", std::string(300, 'a')}}).errcode() == "M_INVALID_USERNAME");
  CHECK(api.get(register_path + "/available?username=alice").errcode() == "M_USER_IN_USE");
  CHECK(api.get(register_path + "/available?username=bob").json.at("available") == true);
  CHECK(api.get(register_path + "/available?username=B").errcode() == "M_INVALID_USERNAME");
  CHECK(api.get(register_path + "/available").errcode() == "M_MISSING_PARAM");
}

TEST_CASE("registration refuses guests and wrong types and bad passwords") {
  HomeserverProcess server;
  Api api(server.url());
  auto guest = api.post(register_path + "?kind=guest");
  CHECK(guest.status == 403);
  CHECK(guest.errcode() == "M_FORBIDDEN");
  CHECK(api.post(register_path + "?kind=robot").status == 400);
  CHECK(api.post(register_path, {{"username", 5}, {"auth", dummy()}}).errcode() == "M_BAD_JSON");
  CHECK(api.post(register_path, {{"username", "bob"}, {"auth", dummy()}}).errcode() == "M_MISSING_PARAM");
  CHECK(api.post(register_path, {{"username", "bob"}, {"password", ""}, {"auth", dummy()}}).status == 400);
  CHECK(api.post(register_path, {{"password", std::string(600, 'x')}, {"auth", dummy()}}).status == 400);
  CHECK(api.post(register_path, {{"password", "x"}, {"inhibit_login", "yes"}, {"auth", dummy()}}).status == 400);
  auto other = api.post(register_path, {{"password", "x"}, {"auth", {{"type", "m.login.sso"}}}});
  CHECK(other.status == 401);
  CHECK(other.errcode() == "M_FORBIDDEN");
}

TEST_CASE("registration gives a name where none is wanted and no session where it is inhibited") {
  HomeserverProcess server;
  Api api(server.url());
  auto made = api.post(register_path, {{"password", "x"}, {"inhibit_login", true}, {"auth", dummy()}});
  REQUIRE(made.status == 200);
  CHECK_FALSE(made.json.contains("access_token"));
  CHECK_FALSE(made.json.contains("device_id"));
  const auto user = made.json.at("user_id").get<std::string>();
  CHECK(api.login(user, "x").user_id == user);
}

TEST_CASE("closed registration says so and still lets those in who know the secret") {
  HomeserverOptions options;
  options.registration_open = false;
  HomeserverProcess server(options);
  Api api(server.url());
  auto closed = api.post(register_path, {{"username", "alice"}, {"password", "x"}, {"auth", dummy()}});
  CHECK(closed.status == 403);
  CHECK(closed.errcode() == "M_FORBIDDEN");

  const std::string path = "/_synapse/admin/v1/register";
  const auto attempt = [&](const std::string& nonce, const std::string& name, const std::string& secret, bool admin) {
    const std::string nul(1, '\0');
    const std::string mac =
        hmac_sha1_hex(secret, nonce + nul + name + nul + "pass" + nul + (admin ? "admin" : "notadmin"));
    return api.post(path, {{"nonce", nonce}, {"username", name}, {"password", "pass"}, {"admin", admin}, {"mac", mac}});
  };
  const auto nonce = [&] { return api.get(path).json.at("nonce").get<std::string>(); };
  const std::string used = nonce();
  auto made = attempt(used, "alice", "the shared secret", true);
  REQUIRE(made.status == 200);
  CHECK(made.json.at("user_id") == "@alice:alpha.test");
  CHECK(made.json.at("home_server") == "alpha.test");
  CHECK(api.as(made.json.at("access_token").get<std::string>()).get(whoami_path).status == 200);
  CHECK(api.login("alice", "pass").user_id == "@alice:alpha.test");
  CHECK(attempt(used, "bob", "the shared secret", false).status == 400);
  CHECK(attempt(nonce(), "bob", "another secret", false).status == 403);
  CHECK(attempt("invented", "bob", "the shared secret", false).status == 400);
  CHECK(attempt(nonce(), "alice", "the shared secret", false).errcode() == "M_USER_IN_USE");
}

TEST_CASE("login takes a localpart or a full id and refuses everything else alike") {
  HomeserverProcess server;
  Api api(server.url());
  api.register_user("alice", "right");
  CHECK(api.get(login_path).json ==
        Json::parse(R"({"flows":[{"type":"m.login.password"},{"get_login_token":true,"type":"m.login.token"}]})"));
  CHECK(api.login("alice", "right").user_id == "@alice:alpha.test");
  CHECK(api.login("@alice:alpha.test", "right").user_id == "@alice:alpha.test");
  const auto attempt = [&](const Json& body) { return api.post(login_path, body); };
  const Json old_form = {{"type", "m.login.password"}, {"user", "alice"}, {"password", "right"}};
  CHECK(attempt(old_form).status == 200);
  const auto wrong_password = attempt({{"type", "m.login.password"}, {"user", "alice"}, {"password", "wrong"}});
  const auto nobody = attempt({{"type", "m.login.password"}, {"user", "nobody"}, {"password", "wrong"}});
  CHECK(wrong_password.status == 403);
  CHECK(wrong_password.errcode() == "M_FORBIDDEN");
  CHECK(nobody.status == 403);
  CHECK(nobody.text == wrong_password.text);
  CHECK(attempt({{"type", "m.login.sso"}, {"token", "x"}}).errcode() == "M_UNKNOWN");
  CHECK(attempt(Json::object()).errcode() == "M_MISSING_PARAM");
  CHECK(attempt({{"type", "m.login.password"}, {"user", "alice"}}).errcode() == "M_MISSING_PARAM");
  CHECK(attempt({{"type", "m.login.password"}, {"user", "alice"}, {"password", 5}}).errcode() == "M_BAD_JSON");
  CHECK(attempt({{"type", "m.login.password"},
                 {"identifier", {{"type", "m.id.phone"}, {"phone", "1"}}},
                 {"password", "right"}})
            .status == 400);
}

TEST_CASE("logout ends one session and logout all ends every one") {
  HomeserverProcess server;
  Api api(server.url());
  const Api first = api.register_user("alice", "right");
  const Api second = api.login("alice", "right");
  const Api third = api.login("alice", "right");
  CHECK(first.post(std::string(v3) + "/logout").status == 200);
  auto ended = first.get(whoami_path);
  CHECK(ended.status == 401);
  CHECK(ended.errcode() == "M_UNKNOWN_TOKEN");
  CHECK(second.get(whoami_path).status == 200);
  CHECK(second.post(std::string(v3) + "/logout/all").status == 200);
  CHECK(second.get(whoami_path).errcode() == "M_UNKNOWN_TOKEN");
  CHECK(third.get(whoami_path).errcode() == "M_UNKNOWN_TOKEN");
}

TEST_CASE("a login on a known device ends that device's old token and keeps its name") {
  HomeserverProcess server;
  Api api(server.url());
  const auto login = [&](const char* name) {
    return api.post(login_path, {{"type", "m.login.password"},
                                 {"user", "alice"},
                                 {"password", "right"},
                                 {"device_id", "PHONE"},
                                 {"initial_device_display_name", name}});
  };
  api.register_user("alice", "right");
  const Api old_session = api.as(login("first").json.at("access_token").get<std::string>());
  CHECK(old_session.get(whoami_path).json.at("device_id") == "PHONE");
  const Api new_session = api.as(login("second").json.at("access_token").get<std::string>());
  CHECK(old_session.get(whoami_path).errcode() == "M_UNKNOWN_TOKEN");
  CHECK(new_session.get(devices_path + "/PHONE").json.at("display_name") == "first");
}

TEST_CASE("devices are listed and renamed and removed after the password") {
  HomeserverProcess server;
  Api api(server.url());
  const Api alice = api.register_user("alice", "right");
  const Api other = api.login("alice", "right");
  const Api bob = api.register_user("bob");
  CHECK(alice.get(devices_path).json.at("devices").size() == 2);
  const std::string path = devices_path + "/" + other.device_id;
  CHECK(alice.get(path).json.at("last_seen_ip").is_null());  // no address is kept
  CHECK(alice.put(path, {{"display_name", "tablet"}}).status == 200);
  CHECK(alice.get(path).json.at("display_name") == "tablet");
  CHECK(alice.get(path).json.at("last_seen_ts").get<std::int64_t>() > 0);
  CHECK(alice.put(path, {{"display_name", std::string(300, 'x')}}).status == 400);
  CHECK(bob.get(path).errcode() == "M_NOT_FOUND");
  CHECK(bob.put(path, {{"display_name", "stolen"}}).errcode() == "M_NOT_FOUND");
  CHECK(alice.get(devices_path + "/NONE").status == 404);

  auto asked = alice.del(path);
  REQUIRE(asked.status == 401);
  CHECK(asked.json.at("flows") == Json::parse(R"([{"stages":["m.login.password"]}])"));
  const auto session = asked.json.at("session").get<std::string>();
  auto wrong = alice.del(path, Json{{"auth", password_auth("alice", "wrong", session)}});
  CHECK(wrong.status == 401);
  CHECK(wrong.errcode() == "M_FORBIDDEN");
  CHECK(wrong.json.at("session") == session);
  CHECK(other.get(whoami_path).status == 200);
  // Another user cannot use the session, nor their own password.
  CHECK(bob.del(path, Json{{"auth", password_auth("bob", "correct horse", session)}}).status == 401);
  CHECK(alice.del(path, Json{{"auth", password_auth("bob", "correct horse", session)}}).status == 401);
  CHECK(alice.del(path, Json{{"auth", password_auth("alice", "right", session)}}).status == 200);
  CHECK(other.get(whoami_path).errcode() == "M_UNKNOWN_TOKEN");
  CHECK(alice.get(devices_path).json.at("devices").size() == 1);
}

TEST_CASE("several devices are removed at once") {
  HomeserverProcess server;
  Api api(server.url());
  const Api alice = api.register_user("alice", "right");
  const Api second = api.login("alice", "right");
  const Api third = api.login("alice", "right");
  const std::string path = std::string(v3) + "/delete_devices";
  const Json devices = Json::array({second.device_id, third.device_id, "NONE"});
  auto asked = alice.post(path, {{"devices", devices}});
  REQUIRE(asked.status == 401);
  const auto session = asked.json.at("session").get<std::string>();
  CHECK(alice.post(path, {{"devices", devices}, {"auth", password_auth("alice", "right", session)}}).status == 200);
  CHECK(second.get(whoami_path).status == 401);
  CHECK(third.get(whoami_path).status == 401);
  CHECK(alice.get(whoami_path).status == 200);
  CHECK(alice.post(path).errcode() == "M_MISSING_PARAM");
  CHECK(alice.post(path, {{"devices", "x"}}).errcode() == "M_BAD_JSON");
  CHECK(alice.post(path, {{"devices", Json::array({5})}}).errcode() == "M_BAD_JSON");
}

TEST_CASE("a changed password ends the other sessions unless they are to stay") {
  HomeserverProcess server;
  Api api(server.url());
  const Api alice = api.register_user("alice", "one");
  const Api other = api.login("alice", "one");
  const std::string path = std::string(v3) + "/account/password";
  const auto change = [&](const std::string& from, const std::string& to, bool log_out) {
    auto asked = alice.post(path, {{"new_password", to}});
    REQUIRE(asked.status == 401);
    return alice.post(path, {{"new_password", to},
                             {"logout_devices", log_out},
                             {"auth", password_auth("alice", from, asked.json.at("session").get<std::string>())}});
  };
  CHECK(change("wrong", "two", true).status == 401);
  CHECK(change("one", "two", false).status == 200);
  CHECK(other.get(whoami_path).status == 200);
  CHECK(api.post(login_path, {{"type", "m.login.password"}, {"user", "alice"}, {"password", "one"}}).status == 403);
  CHECK(change("two", "three", true).status == 200);
  CHECK(other.get(whoami_path).status == 401);
  CHECK(alice.get(whoami_path).status == 200);
  CHECK(api.login("alice", "three").user_id == "@alice:alpha.test");
  CHECK(alice.post(path).errcode() == "M_MISSING_PARAM");
}

TEST_CASE("accounts and sessions and the signing key survive a restart and a kill") {
  HomeserverProcess server;
  const std::string key = read_file(server.folder() + "/data/signing.key");
  CHECK(key.rfind("ed25519 ", 0) == 0);
  const std::string token = Api(server.url()).register_user("alice", "right").access_token();
  CHECK(server.stop() == 0);
  server.start();
  CHECK(Api(server.url(), token).get(whoami_path).json.at("user_id") == "@alice:alpha.test");
  const std::string second = Api(server.url()).login("alice", "right").access_token();
  server.kill();
  server.start();
  CHECK(Api(server.url(), token).get(whoami_path).status == 200);
  CHECK(Api(server.url(), second).get(whoami_path).status == 200);
  CHECK(read_file(server.folder() + "/data/signing.key") == key);
}
