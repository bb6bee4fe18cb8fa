// What every endpoint does alike: paths, methods, tokens, bodies, CORS, limits; against a real process.
#include <catch2/catch.hpp>

#include "tests/net/loopback.h"
#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string whoami_path = std::string(v3) + "/account/whoami";
const std::string filter_path = std::string(v3) + "/user/%40alice%3Aalpha.test/filter";

}  // namespace

TEST_CASE("unknown paths and methods are told before authentication under every prefix") {
  HomeserverProcess server;
  Api nobody(server.url());
  const Api alice = nobody.register_user("alice");
  const Api stranger = nobody.as("no such token");
  for (const Api& api : {nobody, alice, stranger}) {
    for (const char* path :
         {"/", "/_matrix", "/_matrix/client/v3/nothing", "/_matrix/client/v9/sync", "/_matrix/federation/v1/nothing",
          "/_matrix/key/v2/nothing", "/_matrix/media/v3/preview_url", "/_matrix/client/v3/keys/upload",
          "/_synapse/admin/v1", "/.well-known/nothing", "/_matrix/client/v3/account/whoami/",
          "//_matrix/client/versions", "/%2e%2e/"}) {
      INFO(path);
      auto answer = api.get(path);
      CHECK(answer.status == 404);
      CHECK(answer.errcode() == "M_UNRECOGNIZED");
      CHECK(answer.json.contains("error"));
    }
    for (const char* path : {"/_matrix/client/v3/account/whoami", "/_matrix/client/versions", "/_matrix/client/v3/sync",
                             "/.well-known/matrix/client"}) {
      INFO(path);
      auto answer = api.request("POST", path, "{}");
      CHECK(answer.status == 405);
      CHECK(answer.errcode() == "M_UNRECOGNIZED");
      CHECK(api.request("PATCH", path, "{}").status == 405);
    }
  }
}

TEST_CASE("r0 answers what v3 answers where it existed") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  CHECK(alice.get("/_matrix/client/r0/account/whoami").json.at("user_id") == "@alice:alpha.test");
  CHECK(alice.get("/_matrix/client/r0/login").status == 200);
  CHECK(alice.request("DELETE", "/_matrix/client/r0/profile/%40alice%3Aalpha.test/displayname", "").status == 405);
  CHECK(alice.request("DELETE", "/_matrix/client/v3/profile/%40alice%3Aalpha.test/displayname", "").status == 200);
}

TEST_CASE("a token is demanded and may stand in header or query") {
  HomeserverProcess server;
  Api api(server.url());
  const Api alice = api.register_user("alice");
  auto missing = api.get(whoami_path);
  CHECK(missing.status == 401);
  CHECK(missing.errcode() == "M_MISSING_TOKEN");
  for (const char* token : {"x", "skt_x", "%00"}) {
    auto unknown = api.get(whoami_path + "?access_token=" + token);
    INFO(token);
    CHECK((unknown.errcode() == "M_UNKNOWN_TOKEN" || unknown.errcode() == "M_INVALID_PARAM"));
  }
  CHECK(api.as(std::string(5'000, 'x')).get(whoami_path).errcode() == "M_UNKNOWN_TOKEN");
  CHECK(api.request("GET", whoami_path, "", {{"Authorization", "Basic abc"}}).errcode() == "M_MISSING_TOKEN");
  CHECK(api.get(whoami_path + "?access_token=" + alice.access_token()).status == 200);
}

TEST_CASE("other servers must sign and what nobody can verify is refused") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string path = "/_matrix/federation/v1/state/%21room%3Aalpha.test?event_id=%24x";
  // No key can be had from there: loopback addresses are not called.
  const std::string unreachable =
      R"(X-Matrix origin="127.0.0.1:1",destination="alpha.test",key="ed25519:a",sig="c2ln")";
  for (const std::string& header : {std::string(), std::string("Bearer x"), std::string("X-Matrix "),
                                    std::string("X-Matrix origin=\"a b\",key=\"ed25519:a\",sig=\"x\""), unreachable}) {
    INFO(header);
    net::Headers headers;
    if (!header.empty()) headers.emplace_back("Authorization", header);
    auto answer = alice.as("").request("GET", path, "", headers);
    CHECK(answer.status == 401);
    CHECK(answer.errcode() == "M_UNAUTHORIZED");
    CHECK(answer.header("Access-Control-Allow-Origin").empty());
  }
  CHECK(alice.get(path).status == 401);  // a user's token is no signature
}

TEST_CASE("every answer of the client API carries CORS headers and OPTIONS does nothing else") {
  HomeserverProcess server;
  Api api(server.url());
  const auto check = [](const Answer& answer) {
    CHECK(answer.header("Access-Control-Allow-Origin") == "*");
    CHECK(answer.header("Access-Control-Allow-Methods") == "GET, POST, PUT, DELETE, OPTIONS");
    CHECK(answer.header("Access-Control-Allow-Headers") == "X-Requested-With, Content-Type, Authorization");
    CHECK(answer.header("Content-Type") == "application/json");
  };
  check(api.get("/_matrix/client/versions"));
  check(api.get(whoami_path));
  check(api.get("/_matrix/client/v3/nothing"));
  check(api.get("/.well-known/matrix/client"));
  check(api.request("PATCH", whoami_path, ""));
  check(api.request("POST", std::string(v3) + "/login", "not json"));
  check(api.request("POST", std::string(v3) + "/login", std::string(1'100'000, ' ')));
  for (const std::string& path :
       {whoami_path, std::string(v3) + "/register", std::string("/_matrix/client/v3/nothing")}) {
    auto answer = api.request("OPTIONS", path, "");
    check(answer);
    CHECK(answer.status == 200);
  }
}

TEST_CASE("bodies that are no JSON object are refused with the code that says why") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const auto send = [&](const std::string& body) { return alice.request("POST", filter_path, body); };
  CHECK(send("{}").status == 200);
  CHECK(send("").status == 200);  // a POST without a body is one with {}
  for (const std::string& body :
       {std::string("{"), std::string("nonsense"), std::string("{}x"), std::string("{'a':1}"),
        std::string("{\"a\":\"\xff\"}"), std::string("\xef\xbb\xbf{}"), std::string("{\"a\":NaN}"),
        std::string(100'000, '['), R"({"a":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}"}) {
    INFO(body.substr(0, 20));
    auto answer = send(body);
    CHECK(answer.status == 400);
    CHECK(answer.errcode() == "M_NOT_JSON");
  }
  for (const char* body : {"[]", "5", "\"text\"", "null", R"({"a":1,"a":2})", R"({"room":5})"}) {
    INFO(body);
    auto answer = send(body);
    CHECK(answer.status == 400);
    CHECK(answer.errcode() == "M_BAD_JSON");
  }
  CHECK(alice.request("PUT", filter_path.substr(0, filter_path.size() - 6) + "account_data/a", "").errcode() ==
        "M_NOT_JSON");
  // No Content-Type is demanded, and a wrong one is not minded.
  CHECK(alice.request("POST", filter_path, "{}", {{"Content-Type", "text/html"}}).status == 200);
  CHECK(alice.get(whoami_path).status == 200);
}

TEST_CASE("paths and queries that are no percent-encoded UTF-8 are refused") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  for (const char* path : {"/profile/%zz", "/profile/%ff", "/profile/%00", "/profile/@a:b?x=%zz"}) {
    INFO(path);
    CHECK(alice.get(std::string(v3) + path).errcode() == "M_INVALID_PARAM");
  }
  CHECK(alice.get(std::string(v3) + "/profile/nobody").errcode() == "M_INVALID_PARAM");
}

TEST_CASE("a body over the limit is refused and the server goes on") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  auto answer = alice.request("POST", filter_path, std::string(1'048'577, ' '));
  CHECK(answer.status == 413);
  CHECK(answer.errcode() == "M_TOO_LARGE");
  CHECK(alice.get(whoami_path).status == 200);
}

TEST_CASE("half-sent and malformed requests are answered or dropped and harm nobody") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  {
    net::RawSocket half(server.port());
    half.write("POST /_matrix/client/v3/login HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{\"type\"");
  }
  net::RawSocket nonsense(server.port());
  nonsense.write("this is no HTTP\r\n\r\n");
  const std::string refused = nonsense.read_to_end();
  CHECK_THAT(refused, Catch::StartsWith("HTTP/1.1 400"));
  CHECK_THAT(refused, Catch::Contains("errcode"));
  net::RawSocket long_head(server.port());
  long_head.write("GET /_matrix/client/versions?" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK_THAT(long_head.read_to_end(), Catch::StartsWith("HTTP/1.1 431") && Catch::Contains("M_TOO_LARGE"));
  net::RawSocket expecting(server.port());
  expecting.write(
      "POST /_matrix/client/v3/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK_THAT(expecting.read_until("\r\n\r\n"), Catch::StartsWith("HTTP/1.1 100"));
  expecting.write("{}");
  CHECK_THAT(expecting.read_until("}"), Catch::StartsWith("HTTP/1.1 400") && Catch::Contains("M_MISSING_PARAM"));
  CHECK(alice.get(whoami_path).status == 200);
}

TEST_CASE("a listener offers only the APIs that it is configured for") {
  HomeserverOptions options;
  options.tables =
      "[[listeners]]\naddress = \"127.0.0.1\"\nport = 0\nclient_api = false\nfederation_api = true\n"
      "[[listeners]]\naddress = \"127.0.0.1\"\nport = 0\nclient_api = true\nfederation_api = false\n"
      "[well_known]\nclient_url = \"https://matrix.alpha.test\"\nserver = \"matrix.alpha.test:443\"\n"
      "[support]\npage = \"https://alpha.test/help\"\n"
      "[[support.contacts]]\nrole = \"m.role.admin\"\nmatrix_id = \"@root:alpha.test\"\n";
  HomeserverProcess server(options);
  const Api federation_only(server.url(1));
  const Api client_only(server.url(2));
  CHECK(federation_only.get("/_matrix/client/versions").status == 404);
  CHECK(federation_only.get("/_matrix/client/versions").errcode() == "M_UNRECOGNIZED");
  CHECK(client_only.get("/_matrix/client/versions").status == 200);
  CHECK(client_only.get("/_matrix/federation/v1/version").status == 404);
  for (const Api& api : {federation_only, client_only}) {
    CHECK(api.get("/.well-known/matrix/client").json.at("m.homeserver").at("base_url") == "https://matrix.alpha.test");
    CHECK(api.get("/.well-known/matrix/server").json.at("m.server") == "matrix.alpha.test:443");
    CHECK(api.get("/.well-known/matrix/support").json ==
          Json::parse(R"({"contacts":[{"role":"m.role.admin","matrix_id":"@root:alpha.test"}],
                          "support_page":"https://alpha.test/help"})"));
  }
}

TEST_CASE("what is not configured is not found at well-known places") {
  HomeserverProcess server;
  Api api(server.url());
  for (const char* name : {"client", "server", "support"}) {
    auto answer = api.get(std::string("/.well-known/matrix/") + name);
    CHECK(answer.status == 404);
    CHECK(answer.errcode() == "M_NOT_FOUND");
  }
}

TEST_CASE("versions and capabilities say what this server can do") {
  HomeserverProcess server;
  Api api(server.url());
  auto versions = api.get("/_matrix/client/versions");
  CHECK(versions.json.at("versions").is_array());
  CHECK(versions.json.at("unstable_features") == Json::object());
  CHECK(api.get(std::string(v3) + "/capabilities").errcode() == "M_MISSING_TOKEN");
  auto answer = api.register_user("alice").get(std::string(v3) + "/capabilities");
  const Json& capabilities = answer.json.at("capabilities");
  CHECK(capabilities.at("m.room_versions") ==
        Json::parse(R"({"default":"12","available":{"1":"stable","2":"stable","3":"stable","4":"stable","5":"stable",
                           "6":"stable","7":"stable","8":"stable","9":"stable","10":"stable","11":"stable","12":"stable"}})"));
  CHECK(capabilities.at("m.change_password").at("enabled") == true);
}

TEST_CASE("logins and registrations that come too fast are told when to come again") {
  HomeserverOptions options;
  options.rate_limits = true;
  options.tables =
      "[rate_limits.login]\nper_second = 0.01\nburst = 2\n[rate_limits.registration]\nper_second = 0.01\nburst = 1\n";
  HomeserverProcess server(options);
  Api api(server.url());
  api.register_user("alice", "right");
  const auto check = [](const Answer& answer) {
    CHECK(answer.status == 429);
    CHECK(answer.errcode() == "M_LIMIT_EXCEEDED");
    const auto wait_ms = answer.json.at("retry_after_ms").get<std::int64_t>();
    CHECK(wait_ms > 90'000);
    CHECK(wait_ms <= 100'000);
    CHECK(answer.header("Retry-After") == std::to_string((wait_ms + 999) / 1'000));
    CHECK(answer.header("Access-Control-Allow-Origin") == "*");
  };
  check(api.post(std::string(v3) + "/register",
                 {{"username", "bob"}, {"password", "x"}, {"auth", {{"type", "m.login.dummy"}}}}));
  api.login("alice", "right");
  api.login("alice", "right");
  check(api.post(std::string(v3) + "/login", {{"type", "m.login.password"}, {"user", "alice"}, {"password", "right"}}));
}
