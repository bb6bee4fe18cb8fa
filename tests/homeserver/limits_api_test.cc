// Rate limits of a real server, and what it holds when thousands are connected.
#include <chrono>
#include <memory>
#include <sys/resource.h>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/crypto.h"
#include "federation/request_auth.h"
#include "tests/net/loopback.h"
#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"
#include "tests/support/room_builder.h"

using namespace skerry;
using namespace skerry::test;

namespace {

void check_limited(const Answer& answer) {
  CHECK(answer.status == 429);
  CHECK(answer.errcode() == "M_LIMIT_EXCEEDED");
  const auto wait_ms = answer.json.at("retry_after_ms").get<std::int64_t>();
  CHECK(wait_ms > 0);
  CHECK(answer.header("Retry-After") == std::to_string((wait_ms + 999) / 1'000));
}

HomeserverOptions limited(const std::string& limits) {
  HomeserverOptions options;
  options.rate_limits = true;
  options.tables = limits;
  return options;
}

std::size_t resident_kb(pid_t pid) {
  const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
  return std::stoul(status.substr(status.find("VmRSS:") + 6));
}

}  // namespace

TEST_CASE("messages and joins that come too fast are told when to come again") {
  HomeserverProcess server(limited(
      "[rate_limits.message]\nper_second = 0.01\nburst = 3\n[rate_limits.join]\nper_second = 0.01\nburst = 1\n"));
  const Api alice = Api(server.url()).register_user("alice");
  const std::string room =
      alice.post(std::string(v3) + "/createRoom", {{"preset", "public_chat"}}).json.at("room_id").get<std::string>();
  const std::string path = std::string(v3) + "/rooms/" + net::percent_encode(room);
  CHECK(alice.put(path + "/send/m.room.message/1", {{"body", "one"}}).status == 200);
  CHECK(alice.put(path + "/state/m.room.topic/", {{"topic", "two"}}).status == 200);
  check_limited(alice.put(path + "/send/m.room.message/2", {{"body", "three"}}));
  check_limited(alice.put(path + "/state/m.room.topic/", {{"topic", "three"}}));
  CHECK(alice.post(path + "/join").status == 200);
  check_limited(alice.post(path + "/join"));
  CHECK(alice.get(path + "/state").status == 200);
}

TEST_CASE("requests of another server that come too fast are told when to come again and others are not") {
  HomeserverOptions options = limited("[rate_limits.federation]\nper_second = 0.01\nburst = 3\n");
  HomeserverProcess server(options);
  // The server's own key signs: whose limit it is follows from the origin alone.
  const std::string line = read_file(server.folder() + "/data/signing.key");
  const auto id_at = line.find(' ') + 1;
  const auto seed_at = line.find(' ', id_at) + 1;
  const auto key = SigningKey::from_seed(*KeyId::parse("ed25519:" + line.substr(id_at, seed_at - id_at - 1)),
                                         *base64_decode(line.substr(seed_at, line.find('\n') - seed_at)));
  const ServerName us = test::server("alpha.test");
  const std::string target = "/_matrix/federation/v1/query/profile?user_id=%40nobody%3Aalpha.test";
  const auto header = federation::make_request_auth("GET", target, us, us, nullptr, key);
  const Api api(server.url());
  const auto ask = [&] { return api.request("GET", target, "", {{"Authorization", *header}}); };
  for (int i = 0; i < 3; ++i) CHECK(ask().status == 404);
  check_limited(ask());
  CHECK(api.get("/_matrix/key/v2/server").status == 200);
}

TEST_CASE("limits that are switched off limit nothing") {
  HomeserverOptions options;
  options.tables = "[rate_limits.message]\nper_second = 0.01\nburst = 1\n";
  HomeserverProcess server(options);
  const Api alice = Api(server.url()).register_user("alice");
  const std::string room = alice.post(std::string(v3) + "/createRoom").json.at("room_id").get<std::string>();
  const std::string path = std::string(v3) + "/rooms/" + net::percent_encode(room) + "/send/m.room.message/";
  for (int i = 0; i < 20; ++i) CHECK(alice.put(path + std::to_string(i), {{"body", "again"}}).status == 200);
}

TEST_CASE("one user waits for a hundred answers at once and no more and others wait as well") {
  HomeserverOptions options;
  options.rate_limits = true;
  HomeserverProcess server(options);
  const Api alice = Api(server.url()).register_user("alice");
  const std::string since = alice.get(std::string(v3) + "/sync").json.at("next_batch").get<std::string>();
  const std::string request = "GET /_matrix/client/v3/sync?timeout=60000&since=" + since +
                              " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + alice.access_token() + "\r\n\r\n";
  std::vector<std::unique_ptr<net::RawSocket>> waiting;
  const auto wait_for_one_more = [&] {
    waiting.push_back(std::make_unique<net::RawSocket>(server.port()));
    waiting.back()->write(request);
  };
  for (int i = 0; i < 100; ++i) wait_for_one_more();
  // The hundred are on their way: soon there is no place left. Each question takes a place itself meanwhile, which one
  // that was to wait may miss.
  Answer answer;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (answer.status != 429 && std::chrono::steady_clock::now() < deadline) {
    answer = alice.get(std::string(v3) + "/account/whoami");
    wait_for_one_more();
  }
  REQUIRE(answer.status == 429);
  CHECK(answer.json.at("retry_after_ms") == 1'000);
  CHECK(Api(server.url()).get("/_matrix/client/versions").status == 200);
}

TEST_CASE("others are served while ten thousand connections are idle") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = files.rlim_max;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &files) == 0);
  // As many as this process and that one may have open.
  const std::size_t count = std::min<std::size_t>(10'000, files.rlim_max < 1'000 ? 100 : files.rlim_max - 800);
  const std::size_t before_kb = resident_kb(server.pid());
  std::vector<std::unique_ptr<net::RawSocket>> idle;
  for (std::size_t i = 0; i < count; ++i) {
    // From several addresses: one has no more than some 28,000 ports.
    idle.push_back(std::make_unique<net::RawSocket>(server.port(), i % 2 == 0 ? "127.0.0.1" : "127.0.0.2"));
    if (i % 500 == 0) CHECK(alice.get(std::string(v3) + "/account/whoami").status == 200);
  }
  CHECK(alice.get(std::string(v3) + "/account/whoami").status == 200);
  const std::size_t after_kb = resident_kb(server.pid());
  WARN(count << " idle connections: " << (after_kb - std::min(before_kb, after_kb)) * 1'024 / count << " bytes each");
  // The first and the last are served as well.
  for (const auto& socket : {idle.front().get(), idle.back().get()}) {
    socket->write("GET /_matrix/client/versions HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_THAT(socket->read_until("versions"), Catch::StartsWith("HTTP/1.1 200"));
  }
}
