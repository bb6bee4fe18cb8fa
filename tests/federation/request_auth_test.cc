#include "federation/request_auth.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/room_builder.h"

using namespace skerry;
using namespace skerry::federation;
using test::key_of;
using test::server;

namespace {

const char* const target = "/_matrix/federation/v1/send/t?x=1";

}  // namespace

TEST_CASE("a request holds only for its method target destination body and key") {
  const ServerName alpha = server("alpha.test"), bravo = server("bravo.test:8448");
  const Json content = {{"pdus", Json::array()}, {"n", 7}};
  const SigningKey key = key_of(alpha);
  auto header = make_request_auth("PUT", target, alpha, bravo, &content, key);
  REQUIRE(header);
  auto auth = parse_request_auth(*header);
  REQUIRE(auth);
  CHECK(auth->origin == alpha);
  CHECK(auth->destination == bravo);
  CHECK(auth->key == key.id());
  CHECK(verify_request_auth(*auth, "PUT", target, bravo, &content, key.public_key()));
  CHECK_FALSE(verify_request_auth(*auth, "POST", target, bravo, &content, key.public_key()));
  CHECK_FALSE(verify_request_auth(*auth, "PUT", "/_matrix/federation/v1/send/u", bravo, &content, key.public_key()));
  CHECK_FALSE(verify_request_auth(*auth, "PUT", target, bravo, nullptr, key.public_key()));
  const Json other = {{"pdus", Json::array()}, {"n", 8}};
  CHECK_FALSE(verify_request_auth(*auth, "PUT", target, bravo, &other, key.public_key()));
  CHECK_FALSE(verify_request_auth(*auth, "PUT", target, bravo, &content, key_of(bravo).public_key()));
}

TEST_CASE("a request for another server cannot be replayed to us even without its destination") {
  const ServerName alpha = server("alpha.test"), bravo = server("bravo.test"), us = server("charlie.test");
  const SigningKey key = key_of(alpha);
  auto auth = parse_request_auth(*make_request_auth("GET", target, alpha, bravo, nullptr, key));
  REQUIRE(auth);
  CHECK_FALSE(verify_request_auth(*auth, "GET", target, us, nullptr, key.public_key()));
  auth->destination.reset();
  CHECK_FALSE(verify_request_auth(*auth, "GET", target, us, nullptr, key.public_key()));
  CHECK(verify_request_auth(*auth, "GET", target, bravo, nullptr, key.public_key()));  // as servers before v1.3 send it
  auth->origin = bravo;
  CHECK_FALSE(verify_request_auth(*auth, "GET", target, bravo, nullptr, key.public_key()));
}

TEST_CASE("the Authorization header is read as RFC 9110 writes it") {
  for (const char* good : {
           R"(X-Matrix origin="a.test",destination="b.test",key="ed25519:1",sig="AAAA")",
           R"(x-matrix   origin=a.test,key=ed25519:1,sig=AAAA)",
           "X-MATRIX KEY=\"ed25519:1\" ,\t SIG=\"AAAA\",ORIGIN=a.test,unknown=\"x,y\"",
           R"(X-Matrix origin="a\.test",key="ed25519:1",sig="AA\AA")",
       }) {
    CAPTURE(good);
    auto auth = parse_request_auth(good);
    REQUIRE(auth);
    CHECK(auth->origin.str() == "a.test");
    CHECK(auth->signature == "AAAA");
  }
}

TEST_CASE("malformed Authorization headers are refused") {
  for (const char* bad : {
           "",
           "X-Matrix",
           "X-Matrix ",
           "Bearer token",
           R"(X-Matrixorigin="a.test",key="ed25519:1",sig="AAAA")",
           R"(X-Matrix key="ed25519:1",sig="AAAA")",
           R"(X-Matrix origin="a.test",sig="AAAA")",
           R"(X-Matrix origin="a.test",key="ed25519:1")",
           R"(X-Matrix origin="a.test",key="rsa:1",sig="AAAA")",
           R"(X-Matrix origin="a.test",origin="b.test",key="ed25519:1",sig="AAAA")",
           R"(X-Matrix origin="a.test,key="ed25519:1",sig="AAAA")",
           R"(X-Matrix origin="a.test",key="ed25519:1",sig="AAAA)",
           R"(X-Matrix origin="a.test",key="ed25519:1",sig="AAAA\)",
           R"(X-Matrix origin="a b",key="ed25519:1",sig="AAAA")",
           R"(X-Matrix origin="a.test",destination="",key="ed25519:1",sig="AAAA")",
       }) {
    CAPTURE(bad);
    auto auth = parse_request_auth(bad);
    REQUIRE_FALSE(auth);
    CHECK(auth.error().code == ErrorCode::unauthorized);
  }
  CHECK_FALSE(parse_request_auth("X-Matrix origin=\"" + std::string(5'000, 'a') + "\""));
}
