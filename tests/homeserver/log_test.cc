// What a server writes to its log, and what it never does.
#include <set>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/crypto.h"
#include "tests/net/loopback.h"
#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::test;

namespace {

// Everything that is nobody's business but the users': what was used as such, by what it is.
using Secrets = std::set<std::string>;

std::string text_request(const std::string& method, const std::string& target, const std::string& token,
                         const std::string& body) {
  return method + " " + target + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer " + token +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Registration, logins that work and that do not, talk, search for other servers, errors of all kinds.
Secrets live_a_little(HomeserverProcess& server) {
  Secrets secrets;
  const Api anyone(server.url());
  const Api alice = anyone.register_user("alice", "alices-password-1");
  const Api again = anyone.login("alice", "alices-password-1");
  anyone.post(std::string(v3) + "/login",
              {{"type", "m.login.password"}, {"user", "alice"}, {"password", "wrong-password-2"}});
  anyone.post(std::string(v3) + "/register", {{"username", "alice"}, {"password", "third-password-3"}});
  secrets.insert({"alices-password-1", "wrong-password-2", "third-password-3", alice.access_token(),
                  again.access_token(), "the shared secret"});

  const std::string room =
      alice.post(std::string(v3) + "/createRoom", {{"name", "room-name-4"}}).json.at("room_id").get<std::string>();
  const std::string path = std::string(v3) + "/rooms/" + net::percent_encode(room);
  alice.put(path + "/send/m.room.message/1", {{"body", "message-content-5"}});
  alice.put(path + "/state/m.room.topic/", {{"topic", "topic-6"}});
  alice.put(path + "/send/m.room.message/2", Json::array({"not-an-object-7"}));
  alice.post(path + "/invite", {{"user_id", "@bob:nowhere.invalid"}, {"reason", "reason-8"}});
  alice.post(std::string(v3) + "/join/" + net::percent_encode("#lobby:nowhere.invalid"), {{"reason", "reason-9"}});
  alice.get(std::string(v3) + "/sync?access_token=token-in-query-10");
  secrets.insert(
      {"room-name-4", "message-content-5", "topic-6", "not-an-object-7", "reason-8", "reason-9", "token-in-query-10"});

  // Broken and rude, from an address that tells who.
  for (const std::string& request :
       {text_request("PUT", path + "/send/m.room.message/3", alice.access_token(), R"({"body": "broken-json-11)"),
        text_request("GET", path + "/no-such-thing", "made-up-token-12", ""), std::string("rude-13\r\n\r\n"),
        "PUT /_matrix/federation/v1/send/1 HTTP/1.1\r\nHost: a\r\nAuthorization: X-Matrix origin=\"evil.invalid\","
        "key=\"ed25519:k\",sig=\"signature-14\"\r\nConnection: close\r\nContent-Length: 11\r\n\r\n{\"pdus\":[]}" +
            std::string()}) {
    net::RawSocket socket(server.port(), "127.0.0.99");
    socket.write(request);
    (void)socket.read_to_end();
  }
  secrets.insert({"broken-json-11", "made-up-token-12", "rude-13", "signature-14", "127.0.0.99"});
  const std::string key = read_file(server.folder() + "/data/signing.key");
  secrets.insert(key.substr(key.rfind(' ') + 1, key.find('\n') - key.rfind(' ') - 1));
  return secrets;
}

}  // namespace

TEST_CASE("the log tells no token or key or password or content or address at its default level") {
  HomeserverOptions options;
  options.rate_limits = true;
  options.tables =
      "[rate_limits.login]\nper_second = 0.01\nburst = 2\n[rate_limits.registration]\nper_second = "
      "0.01\nburst = 1\n[federation]\nbackoff_first_ms = 50\n[discovery]\nresolver = [\"127.0.0.1:1\"]\n";
  HomeserverProcess server(options);
  const Secrets secrets = live_a_little(server);
  CHECK(server.stop() == 0);
  const std::string log = server.log();
  CHECK_THAT(log, Catch::Contains("listening on") && Catch::Contains("stopped"));
  for (const std::string& secret : secrets) {
    REQUIRE(secret.size() > 5);
    CAPTURE(secret);
    CHECK_THAT(log, !Catch::Contains(secret));
  }
}

TEST_CASE("a log in JSON is an object a line with time and level and part and text") {
  HomeserverOptions options;
  options.top = "log_format = \"json\"";
  HomeserverProcess server(options);
  CHECK(server.stop() == 0);
  std::string log = server.log();
  int lines = 0;
  for (std::size_t end = 0; (end = log.find('\n')) != std::string::npos; log.erase(0, end + 1), ++lines) {
    const Json line = Json::parse(log.substr(0, end));
    CHECK(line.at("level") == "info");
    CHECK(line.at("part") == "main");
    CHECK(line.at("text").is_string());
    CHECK(line.at("time").get<std::string>().size() >= 23);
  }
  CHECK(lines >= 3);
}

TEST_CASE("a server whose log is off writes nothing") {
  HomeserverOptions options;
  options.log_level = "off";
  HomeserverProcess server(options);
  CHECK(server.stop() == 0);
  CHECK(server.log().empty());
}
