// Faults of the network and of servers: that each took hold, by the gateway's own count, and what came of it.
#include <chrono>
#include <stdexcept>
#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/world.h"

using namespace skerry::test;     // NOLINT(google-build-using-namespace)
using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

namespace {

// Two servers with a person and a room that both are in, and their faults.
class Pair {
 public:
  Pair() {
    bob.joins("#lobby:alpha.test");
    bob.says(room, "here");
    alice.hears(room, bob, "here");
  }

  Controller controller() { return must(Controller::connect(world.folder()), "reach the supervisor"); }
  void link(const std::string& from, const std::string& to, const LinkSettings& settings, bool one_way = false) {
    must(controller().link(from, to, one_way, settings), "link " + from + " " + to);
  }
  Fault fault(const std::string& key) {
    for (const Fault& each : must(controller().faults(), "the faults")) {
      if (each.key() == key) return each;
    }
    throw std::runtime_error("no fault " + key + " is in force");
  }
  // Waits until the fault was counted to have taken hold.
  void takes_hold(const std::string& key) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (fault(key).hits == 0) {
      if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error(key + " does not take hold");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  void heal() { must(controller().heal(), "heal"); }

  World world{2};
  Actor alice = world.person("alice", "alpha");
  Actor bob = world.person("bob", "bravo");
  std::string room = alice.creates_room("lobby");
};

LinkSettings mode(LinkMode mode) {
  LinkSettings settings;
  settings.mode = mode;
  return settings;
}

}  // namespace

TEST_CASE("a link that is down, reset or stalled holds messages back one way until it heals") {
  const LinkMode what = GENERATE(LinkMode::down, LinkMode::reset, LinkMode::stall);
  INFO(to_text(what));
  Pair pair;
  pair.link("alpha", "bravo", mode(what), true);
  pair.alice.says(pair.room, "not heard yet");
  pair.takes_hold("link alpha.test bravo.test");
  pair.bob.says(pair.room, "the other way is open");
  if (what != LinkMode::stall) pair.alice.hears(pair.room, pair.bob, "the other way is open");
  CHECK_FALSE(pair.bob.has_heard("not heard yet"));
  pair.heal();
  pair.bob.hears(pair.room, pair.alice, "not heard yet");
  pair.alice.hears(pair.room, pair.bob, "the other way is open");
  CHECK(must(pair.controller().faults(), "the faults").empty());
}

TEST_CASE("latency makes what is said heard late, by so much at least") {
  Pair pair;
  LinkSettings slow;
  slow.latency = std::chrono::milliseconds(200);
  pair.link("alpha", "bravo", slow);
  const auto said = std::chrono::steady_clock::now();
  pair.alice.says(pair.room, "from afar");
  CHECK(pair.bob.hears(pair.room, pair.alice, "from afar").when - said >= std::chrono::milliseconds(200));
  const Fault there = pair.fault("link alpha.test bravo.test");
  CHECK(there.hits > 0);
  CHECK(there.bytes > 0);
}

TEST_CASE("a rate makes a long message take its time") {
  Pair pair;
  LinkSettings slow;
  slow.rate_kbit = 200;  // 25 bytes a millisecond
  pair.link("alpha", "bravo", slow, true);
  const std::string text(20'000, 'x');
  const auto said = std::chrono::steady_clock::now();
  pair.alice.says(pair.room, text);
  CHECK(pair.bob.hears(pair.room, pair.alice, text).when - said >= std::chrono::milliseconds(700));
  CHECK(pair.fault("link alpha.test bravo.test").bytes > text.size());
}

TEST_CASE("clients can be cut from their server while servers go on") {
  Pair pair;
  pair.link("bravo", "clients", mode(LinkMode::down));
  pair.takes_hold("link clients bravo.test");
  CHECK_FALSE(pair.bob.person().say(pair.room, "into the void"));
  pair.alice.says(pair.room, "to bravo all the same");
  pair.heal();
  pair.bob.hears(pair.room, pair.alice, "to bravo all the same");
}

TEST_CASE("a partition separates servers and not clients, and what was said meanwhile meets when it heals") {
  Pair pair;
  must(pair.controller().partition({{"alpha"}, {"bravo"}}), "partition");
  pair.alice.says(pair.room, "on this side");
  pair.bob.says(pair.room, "on that side");
  pair.takes_hold("partition");
  CHECK_FALSE(pair.bob.has_heard("on this side"));
  CHECK_FALSE(pair.alice.has_heard("on that side"));
  pair.heal();
  pair.bob.hears(pair.room, pair.alice, "on this side");
  pair.alice.hears(pair.room, pair.bob, "on that side");
  pair.world.agree(pair.room, {&pair.alice, &pair.bob});
}

TEST_CASE("a blocked server's own clients are cut off and counted") {
  Pair pair;
  pair.world.block("bravo");
  pair.takes_hold("block bravo.test");
  CHECK_FALSE(pair.bob.person().say(pair.room, "into the void"));
  CHECK(must(pair.controller().status(), "the status").server("bravo.test").state == ServerState::blocked);
  pair.world.unblock("bravo");
  pair.bob.says(pair.room, "back");
  pair.alice.hears(pair.room, pair.bob, "back");
}

TEST_CASE("a frozen server takes what is sent to it and hears it when it is thawed") {
  Pair pair;
  must(pair.controller().command("freeze", "bravo"), "freeze");
  pair.alice.says(pair.room, "into the ice");
  pair.takes_hold("freeze bravo.test");
  CHECK_FALSE(pair.bob.has_heard("into the ice"));
  SECTION("by itself") { must(pair.controller().command("thaw", "bravo"), "thaw"); }
  SECTION("with all others") { pair.heal(); }
  SECTION("or by a new start") {
    pair.world.kill("bravo");
    CHECK(must(pair.controller().faults(), "the faults").empty());
    pair.world.start("bravo");
  }
  pair.bob.hears(pair.room, pair.alice, "into the ice");
}

TEST_CASE("a gateway's 503 reaches servers and clients in the server's place") {
  Pair pair;
  LinkSettings busy = mode(LinkMode::http);
  busy.http_status = 503;
  pair.link("alpha", "bravo", busy, true);
  pair.alice.says(pair.room, "not heard yet");
  pair.takes_hold("link alpha.test bravo.test");
  pair.link("bravo", "clients", busy);
  const auto answer = pair.bob.person().say(pair.room, "refused");
  REQUIRE_FALSE(answer);
  CHECK_THAT(answer.error().text, Catch::Contains("503"));
  CHECK_FALSE(pair.bob.has_heard("not heard yet"));
  pair.heal();
  pair.bob.hears(pair.room, pair.alice, "not heard yet");
  pair.bob.says(pair.room, "good again");
  pair.alice.hears(pair.room, pair.bob, "good again");
}

TEST_CASE("a bad certificate is refused by servers and by clients, each for its reason") {
  const auto [what, reason] = GENERATE(table<LinkMode, std::string>(
      {{LinkMode::expired_cert, "expired"}, {LinkMode::wrong_cert, "mismatch"}, {LinkMode::untrusted_cert, "issuer"}}));
  INFO(to_text(what));
  Pair pair;
  pair.link("alpha", "bravo", mode(what), true);
  pair.alice.says(pair.room, "not heard yet");
  pair.takes_hold("link alpha.test bravo.test");
  CHECK_FALSE(pair.bob.has_heard("not heard yet"));
  pair.link("clients", "bravo", mode(what), true);
  skerry::net::OutgoingRequest request;
  const std::string place = pair.world.status().server("bravo.test").federation_address;
  request.endpoint.connect_host = place.substr(0, place.find(':'));
  request.endpoint.port = static_cast<std::uint16_t>(std::stoi(place.substr(place.find(':') + 1)));
  request.endpoint.tls_name = request.endpoint.host_header = "bravo.test";
  request.target = "/_matrix/federation/v1/version";
  const auto refused = pair.world.web().client().call(request);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().text, Catch::Contains(reason, Catch::CaseSensitive::No));
  CHECK(pair.fault("link clients bravo.test").hits > 0);
  pair.bob.says(pair.room, "plain HTTP has no certificate");
  pair.heal();
  CHECK(pair.world.web().client().call(request));
  pair.bob.hears(pair.room, pair.alice, "not heard yet");
}

TEST_CASE("a server whose name is answered wrong is not found until it is right again") {
  const std::string answer = GENERATE("nxdomain", "timeout", "127.254.254.254");
  INFO(answer);
  Pair pair;
  Fault fault;
  fault.kind = FaultKind::dns;
  fault.server = "bravo";
  fault.answer = answer;
  must(pair.controller().put({fault}), "dns");
  // What was known of the name before is good for a second, and a connection that was opened by it a little longer.
  const auto begin = std::chrono::steady_clock::now();
  const auto forgotten = begin + std::chrono::seconds(2);
  int said = 0;
  while (pair.fault("dns bravo.test").hits == 0 || std::chrono::steady_clock::now() < forgotten) {
    REQUIRE(std::chrono::steady_clock::now() < begin + std::chrono::seconds(30));
    pair.alice.says(pair.room, "perhaps heard " + std::to_string(++said));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  pair.alice.says(pair.room, "not heard yet");
  CHECK_FALSE(pair.bob.has_heard("not heard yet"));
  pair.heal();
  pair.bob.hears(pair.room, pair.alice, "not heard yet");
}

TEST_CASE("a server whose clock is wrong signs its events with that time, also after it was killed and started") {
  Pair pair;
  Fault fault;
  fault.kind = FaultKind::clock;
  fault.server = "alpha";
  fault.offset_ms = 3'600'000;
  const auto minutes_ahead = [&](const std::string& text) {
    const auto event =
        must(pair.alice.person().api().get("/rooms/" + pair.room + "/event/" + pair.alice.says(pair.room, text)),
             "an event");
    return (event.at("origin_server_ts").get<std::int64_t>() - skerry::net::system_clock().now_ms()) / 60'000;
  };
  CHECK(minutes_ahead("before") == 0);
  must(pair.controller().put({fault}), "clock");
  CHECK(minutes_ahead("ahead") >= 58);
  CHECK(pair.fault("clock alpha.test").hits > 0);
  pair.bob.hears(pair.room, pair.alice, "ahead");
  pair.world.kill("alpha");
  pair.world.start("alpha");
  CHECK(minutes_ahead("still ahead") >= 58);
  pair.heal();
  CHECK(minutes_ahead("right again") == 0);
}

TEST_CASE("the bound of the backoff holds at once and is counted") {
  Pair pair;
  Fault often;
  often.kind = FaultKind::backoff;
  often.max_ms = 20;
  must(pair.controller().put({often}), "backoff");
  pair.link("alpha", "bravo", mode(LinkMode::down), true);
  pair.alice.says(pair.room, "not heard yet");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (pair.fault("link alpha.test bravo.test").hits < 20) {  // 100 ms doubled each time would take half an hour
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(pair.fault("backoff").hits >= 10);
  pair.heal();
  pair.bob.hears(pair.room, pair.alice, "not heard yet");
}
