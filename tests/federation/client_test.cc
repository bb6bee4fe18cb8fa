#include <atomic>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "federation/request_auth.h"
#include "tests/federation/peers.h"

using namespace skerry;
using namespace skerry::federation;

TEST_CASE("a request to another server is signed for it") {
  Federation federation;
  std::string authorization, target;
  auto peer = federation.loopback.serve(true, [&](net::HttpRequest request, net::Responder responder) {
    authorization = net::find_header(request.headers, "Authorization").value_or("");
    target = request.target;
    responder.respond({200, {}, R"({"ok":true})"});
  });
  FederationRequest request;
  request.destination = name_of(*peer);
  request.method = "PUT";
  request.target = "/_matrix/federation/v1/send/1";
  request.body = R"({"pdus":[]})";
  auto answer = federation.client.call(request);
  REQUIRE(answer);
  CHECK((*answer)["ok"] == true);
  auto auth = parse_request_auth(authorization);
  REQUIRE(auth);
  const Json content = {{"pdus", Json::array()}};
  CHECK(verify_request_auth(*auth, "PUT", target, name_of(*peer), &content, test::key_of(federation.us).public_key()));
}

TEST_CASE("what another server refuses is told as it said it") {
  Federation federation;
  auto peer = federation.loopback.serve(true, [](net::HttpRequest, net::Responder responder) {
    responder.respond({403, {}, R"({"errcode":"M_FORBIDDEN","error":"no"})"});
  });
  FederationRequest request;
  request.destination = name_of(*peer);
  request.target = "/x";
  RemoteFailure failure;
  auto answer = federation.client.call(request, &failure);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == ErrorCode::remote_error);
  CHECK(failure.status == 403);
  CHECK(failure.errcode == "M_FORBIDDEN");
}

TEST_CASE("a server that gives no answer is not asked again until its backoff ends or it shows itself alive") {
  Federation federation;
  FederationClient client(federation.loopback.client(), federation.discovery, net::system_clock(), federation.us,
                          test::key_of(federation.us), {std::chrono::minutes(10), std::chrono::minutes(10)});
  std::atomic<int> asked = 0;
  auto peer = federation.loopback.serve(true, [&](net::HttpRequest, net::Responder responder) {
    ++asked;
    responder.respond({200, {}, "{}"});
  });
  const ServerName name = name_of(*peer);
  FederationRequest request;
  request.destination = name;
  request.target = "/x";
  // A certificate problem counts as no answer: here, none at all comes.
  FederationRequest dead = request;
  dead.destination = test::server("127.0.0.1:1");
  CHECK_FALSE(client.call(dead));
  auto at_once = client.call(dead);
  REQUIRE_FALSE(at_once);
  CHECK_THAT(at_once.error().text, Catch::Contains("not asked again"));
  CHECK(client.call(request));  // others are not concerned
  CHECK(asked == 1);
  ServerName alive;
  client.on_alive([&](const ServerName& server) { alive = server; });
  client.saw_alive(dead.destination);
  CHECK(alive == dead.destination);
  auto again = client.call(dead);
  REQUIRE_FALSE(again);
  CHECK_THAT(again.error().text, Catch::Contains("refused"));
}

TEST_CASE("keys are believed when they prove themselves and name their server") {
  Federation federation;
  Folder folder;
  auto database = storage::open_sqlite(folder.path, federation.us);
  REQUIRE(database);
  KeyRing keys(federation.client, (*database)->federation(), net::system_clock(), federation.pool, federation.us,
               test::key_of(federation.us));
  enum class Answer { good, other_name, wrong_signature, nonsense } answer = Answer::good;
  std::atomic<int> asked = 0;
  ServerName name;
  auto peer = federation.loopback.serve(true, [&](net::HttpRequest, net::Responder responder) {
    ++asked;
    const SigningKey key = test::key_of(name);
    const std::string bytes(reinterpret_cast<const char*>(key.public_key().data()), 32);
    Json body = {{"server_name", answer == Answer::other_name ? "elsewhere.test" : name.str()},
                 {"verify_keys", {{key.id().str(), {{"key", base64_encode(bytes)}}}}},
                 {"valid_until_ts", net::system_clock().now_ms() + 3'600'000}};
    (void)sign_json(body, name.str(),
                    answer == Answer::wrong_signature ? test::key_of(test::server("thief.test")) : key);
    responder.respond({200, {}, answer == Answer::nonsense ? "[1]" : dump(body)});
  });
  name = name_of(*peer);
  const auto fetch = [&] {
    Condition done;
    bool ended = false;
    keys.fetch({{name, test::key_of(name).id()}}, {}, [&] { done.change([&] { ended = true; }); });
    REQUIRE(done.wait([&] { return ended; }));
  };
  SECTION("good ones are found afterwards and after a restart") {
    fetch();
    auto found = keys.find(name, test::key_of(name).id());
    REQUIRE(found);
    CHECK(found->key == test::key_of(name).public_key());
    KeyRing later(federation.client, (*database)->federation(), net::system_clock(), federation.pool, federation.us,
                  test::key_of(federation.us));
    CHECK(later.find(name, test::key_of(name).id()));
    CHECK(asked == 1);
  }
  SECTION("under another name they are not") {
    answer = Answer::other_name;
    fetch();
    CHECK_FALSE(keys.find(name, test::key_of(name).id()));
  }
  SECTION("signed by another key they are not") {
    answer = Answer::wrong_signature;
    fetch();
    CHECK_FALSE(keys.find(name, test::key_of(name).id()));
    fetch();
    CHECK(asked == 1);  // and whoever answers so is left alone for a while
  }
  SECTION("nonsense is not") {
    answer = Answer::nonsense;
    fetch();
    CHECK_FALSE(keys.find(name, test::key_of(name).id()));
  }
}

TEST_CASE("our own keys prove themselves") {
  Federation federation;
  Folder folder;
  auto database = storage::open_sqlite(folder.path, federation.us);
  KeyRing keys(federation.client, (*database)->federation(), net::system_clock(), federation.pool, federation.us,
               test::key_of(federation.us));
  const Json own = keys.own_keys();
  CHECK(own["server_name"] == "us.test");
  CHECK(verify_json(own, "us.test", test::key_of(federation.us).id(), test::key_of(federation.us).public_key()));
}

TEST_CASE("a server is found by literal by port and by its well-known delegation") {
  Federation federation;
  const auto find = [&](Discovery& discovery, const char* name) {
    Condition done;
    std::optional<Result<std::vector<net::Endpoint>>> found;
    discovery.find(test::server(name),
                   [&](Result<std::vector<net::Endpoint>> places) { done.change([&] { found = std::move(places); }); });
    REQUIRE(done.wait([&] { return found.has_value(); }));
    REQUIRE(*found);
    REQUIRE_FALSE((*found)->empty());
    return (*found)->front();
  };
  CHECK(find(federation.discovery, "192.0.2.1").port == 8448);
  CHECK(find(federation.discovery, "192.0.2.1").host_header == "192.0.2.1");
  CHECK(find(federation.discovery, "[2001:db8::1]:99").host_header == "[2001:db8::1]:99");
  CHECK(find(federation.discovery, "alpha.test:99").tls_name == "alpha.test");

  std::atomic<int> asked = 0;
  std::string body;
  auto peer = federation.loopback.serve(true,
                                        [&](net::HttpRequest request, net::Responder responder) {
                                          ++asked;
                                          if (request.target == "/.well-known/matrix/server" && body.empty()) {
                                            return responder.respond({302, {{"Location", request.target}}, ""});
                                          }
                                          responder.respond({200, {}, body});
                                        },
                                        {}, {"localhost"});
  DiscoveryOptions options;
  options.https_port = peer->port(0);
  net::ResolverOptions dns;
  dns.servers = {"127.0.0.1:1"};  // nobody there: no SRV records
  net::Resolver resolver(federation.loopback.io(), dns);
  Discovery discovery(federation.loopback.client(), resolver, net::system_clock(), options);
  SECTION("which is kept") {
    body = R"({"m.server":"192.0.2.7:1234"})";
    CHECK(find(discovery, "localhost").connect_host == "192.0.2.7");
    CHECK(find(discovery, "localhost").port == 1234);
    CHECK(asked == 1);
  }
  SECTION("or at 8448 when the delegation is nonsense") {
    body = R"({"m.server":7})";
    CHECK(find(discovery, "localhost").port == 8448);
  }
  SECTION("or too large") {
    body = R"({"m.server":"192.0.2.7:1234","x":")" + std::string(60'000, 'x') + "\"}";
    CHECK(find(discovery, "localhost").port == 8448);
  }
  SECTION("or redirects without end or away from https") {
    CHECK(find(discovery, "localhost").port == 8448);
    CHECK(asked <= 6);
  }
}
