// Rate limits, nonces, sessions of user-interactive auth and password hashes, with a clock of the test's own.
#include <atomic>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "homeserver/accounts/password_hasher.h"
#include "homeserver/accounts/registration_nonces.h"
#include "homeserver/accounts/user_interactive_auth.h"
#include "homeserver/rate_limiter.h"
#include "homeserver/signing_key.h"
#include "storage/database.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::homeserver;
using namespace skerry::test;

namespace {

class TestClock final : public net::Clock {
 public:
  std::int64_t now_ms() const override { return now; }
  std::atomic<std::int64_t> now{1'000'000};
};

const ServerName us = *ServerName::parse("a.test");
const UserId alice = *UserId::parse("@alice:a.test");

Caller as(const UserId& user) {
  Caller caller;
  caller.user = user;
  return caller;
}

Config::Passwords cheap() { return {1'048'576, 1, 1}; }

}  // namespace

TEST_CASE("a bucket lets its burst through and then refills with time") {
  TestClock clock;
  Config::RateLimits limits;
  limits.message = {2, 3};
  RateLimiter limiter(clock, limits);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(limiter.message(as(alice)));
  auto wait = limiter.message(as(alice));
  REQUIRE(wait);
  CHECK(wait->count() == 500);
  CHECK_FALSE(limiter.message(as(*UserId::parse("@bob:a.test"))));
  clock.now += wait->count();
  CHECK_FALSE(limiter.message(as(alice)));
  CHECK(limiter.message(as(alice)));
  clock.now -= 10'000'000;  // a clock that was set back must not lock anyone out for good
  CHECK(limiter.message(as(alice)));
  clock.now += 500;
  CHECK_FALSE(limiter.message(as(alice)));
}

TEST_CASE("logins are limited by address and by user") {
  TestClock clock;
  Config::RateLimits limits;
  limits.login = {0.001, 2};
  RateLimiter limiter(clock, limits);
  CHECK_FALSE(limiter.login("10.0.0.1", "@a:a.test"));
  CHECK_FALSE(limiter.login("10.0.0.2", "@a:a.test"));
  CHECK(limiter.login("10.0.0.3", "@a:a.test"));
  CHECK_FALSE(limiter.login("10.0.0.1", "@b:a.test"));
  CHECK(limiter.login("10.0.0.1", "@c:a.test"));
}

TEST_CASE("limits that are off let everything through") {
  TestClock clock;
  Config::RateLimits limits;
  limits.enabled = false;
  limits.join = {0.001, 1};
  RateLimiter limiter(clock, limits);
  for (int i = 0; i < 100; ++i) CHECK_FALSE(limiter.join(as(alice)));
}

TEST_CASE("a nonce is good once and for a minute") {
  TestClock clock;
  RegistrationNonces nonces(clock, net::system_random());
  const std::string first = nonces.issue();
  const std::string second = nonces.issue();
  CHECK(first != second);
  CHECK(nonces.use(first));
  CHECK_FALSE(nonces.use(first));
  CHECK_FALSE(nonces.use("invented"));
  clock.now += 60'000;
  CHECK_FALSE(nonces.use(second));
}

TEST_CASE("nonces are bounded: the oldest make room") {
  TestClock clock;
  RegistrationNonces nonces(clock, net::system_random());
  const std::string first = nonces.issue();
  for (int i = 0; i < 1'000; ++i) nonces.issue();
  CHECK_FALSE(nonces.use(first));
}

TEST_CASE("a session of user-interactive auth ends with time and is for one operation") {
  TestClock clock;
  const TemporaryFolder folder;
  auto database = storage::open_sqlite(folder.path(), us);
  REQUIRE(database);
  Accounts accounts((*database)->accounts(), clock, net::system_random(), us, cheap(), {});
  UserInteractiveAuth auth(accounts, clock, net::system_random(), us);
  const auto open = [&] { return auth.check_dummy("register", Json::object())->at("session").get<std::string>(); };
  const auto with = [](const std::string& session) {
    return Json{{"auth", {{"type", "m.login.dummy"}, {"session", session}}}};
  };
  CHECK_FALSE(auth.check_dummy("register", with(open())));
  CHECK(auth.check_dummy("another operation", with(open())));
  CHECK(auth.check_dummy("register", with("invented")));
  const std::string old = open();
  clock.now += 15 * 60'000;
  CHECK(auth.check_dummy("register", with(old)));
  // A session alone says what is missing.
  const std::string fresh = open();
  auto missing = auth.check_dummy("register", Json{{"auth", {{"session", fresh}}}});
  REQUIRE(missing);
  CHECK(missing->at("session") == fresh);
  CHECK_FALSE(missing->contains("errcode"));
}

TEST_CASE("a password hash holds whatever parameters it was made with") {
  PasswordHasher one(cheap());
  PasswordHasher other({2 * 1'048'576, 3, 2});
  auto hash = one.hash("secret");
  REQUIRE(hash);
  CHECK_THAT(*hash, Catch::StartsWith("$argon2id$v=19$m=1024,t=1,p=1$"));
  CHECK(other.verify(*hash, "secret"));
  CHECK_FALSE(other.verify(*hash, "Secret"));
  CHECK_FALSE(other.verify("nonsense", "secret"));
  CHECK_FALSE(other.verify("", "secret"));
  CHECK(*one.hash("secret") != *hash);
}

TEST_CASE("tokens are looked up again once a session was closed") {
  TestClock clock;
  const TemporaryFolder folder;
  auto database = storage::open_sqlite(folder.path(), us);
  REQUIRE(database);
  Accounts accounts((*database)->accounts(), clock, net::system_random(), us, cheap(), {});
  REQUIRE(accounts.register_user("alice", "x", true));
  auto first = accounts.open_session(alice, {});
  auto second = accounts.open_session(alice, {});
  REQUIRE(first);
  REQUIRE(second);
  auto caller = accounts.authenticate(first->access_token);
  REQUIRE(caller);
  CHECK(caller->user == alice);
  CHECK(caller->device == first->device);
  CHECK(caller->standing.admin);
  REQUIRE(accounts.close_session(*caller));
  CHECK(accounts.authenticate(first->access_token).error().code == ErrorCode::unknown_token);
  CHECK(accounts.authenticate(second->access_token));
  REQUIRE(accounts.close_all_sessions(alice));
  CHECK_FALSE(accounts.authenticate(second->access_token));
  CHECK(accounts.open_session(alice, {"", ""}).error().code == ErrorCode::invalid_param);
  CHECK(accounts.open_session(alice, {std::string(300, 'x'), ""}).error().code == ErrorCode::invalid_param);
}

TEST_CASE("an access token holds for its lifetime by the clock and then its session waits for a refresh") {
  TestClock clock;
  const TemporaryFolder folder;
  auto database = storage::open_sqlite(folder.path(), us);
  REQUIRE(database);
  Accounts accounts((*database)->accounts(), clock, net::system_random(), us, cheap(), {std::chrono::minutes(1)});
  REQUIRE(accounts.register_user("alice", "x", false));
  auto lasting = accounts.open_session(alice, {});
  auto session = accounts.open_session(alice, {"PHONE", "", true});
  REQUIRE(lasting);
  REQUIRE(session);
  CHECK_FALSE(lasting->refresh);
  REQUIRE(session->refresh);
  CHECK(session->refresh->expires_in == std::chrono::minutes(1));
  CHECK(accounts.authenticate(lasting->access_token));
  clock.now += 59'999;
  CHECK(accounts.authenticate(session->access_token)->device == "PHONE");  // kept in memory from here on
  clock.now += 1;
  CHECK(accounts.authenticate(session->access_token).error().code == ErrorCode::expired_token);
  clock.now += 365 * 86'400'000LL;
  CHECK(accounts.authenticate(session->access_token).error().code == ErrorCode::expired_token);
  auto next = accounts.refresh_session(session->refresh->token);
  REQUIRE(next);
  CHECK(next->user == alice);
  CHECK(next->device == "PHONE");
  clock.now += 60'000;
  // Not looked at before it expired, so it was not used either: the refresh token before it is good.
  CHECK(accounts.authenticate(next->access_token).error().code == ErrorCode::expired_token);
  CHECK(accounts.refresh_session(session->refresh->token));
  CHECK(accounts.authenticate(lasting->access_token));
}

TEST_CASE("a rotated signing key is another and the old one is kept to be published") {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/signing.key";
  const auto server = *ServerName::parse("a.test");
  const auto database = *storage::open_sqlite(folder.path(), server);
  const auto before = read_or_create_signing_key(file, net::system_random());
  REQUIRE(before);
  const auto id = rotate_signing_key(file, server, database->federation(), net::system_clock(), net::system_random());
  REQUIRE(id);
  const auto after = read_or_create_signing_key(file, net::system_random());
  REQUIRE(after);
  CHECK(after->id() == *id);
  CHECK(after->seed() != before->seed());
  const auto kept = database->federation().server_keys(server);
  REQUIRE(kept);
  REQUIRE(kept->size() == 1);
  CHECK(kept->front().key_id == before->id());
  CHECK(kept->front().key == before->public_key());
  CHECK(kept->front().old);
  CHECK(kept->front().valid_until_ms <= net::system_clock().now_ms());
}

TEST_CASE("a signing key file is made once and read again as it is") {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/signing.key";
  auto made = read_or_create_signing_key(file, net::system_random());
  REQUIRE(made);
  auto again = read_or_create_signing_key(file, net::system_random());
  REQUIRE(again);
  CHECK(made->seed() == again->seed());
  CHECK(made->id() == again->id());
  // As Synapse writes it.
  write_file(file, "ed25519 a_AbCd " + base64_encode(std::string(32, 'k')) + "\n");
  auto theirs = read_or_create_signing_key(file, net::system_random());
  REQUIRE(theirs);
  CHECK(theirs->id().str() == "ed25519:a_AbCd");
  CHECK(theirs->seed() == std::string(32, 'k'));
  for (const char* line : {"", "ed25519 a_AbCd", "rsa a_AbCd AAAA", "ed25519 a_AbCd !!!!"}) {
    write_file(file, line);
    CHECK_FALSE(read_or_create_signing_key(file, net::system_random()));
  }
}
