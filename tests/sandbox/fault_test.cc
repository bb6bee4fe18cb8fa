// Faults as values, and what the board makes of them.
#include "sandbox/world/fault.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "sandbox/world/fault_board.h"
#include "sandbox/world/fault_request.h"

using namespace skerry;           // NOLINT(google-build-using-namespace)
using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

namespace {

using Fate = net::ConnectionRules::Fate;

const std::vector<std::string> servers = {"alpha.test", "bravo.test", "charlie.test"};

Fault link(const std::string& from, const std::string& to, LinkMode mode) {
  Fault fault;
  fault.from = from;
  fault.to = to;
  fault.link.mode = mode;
  return fault;
}

Fault partition(std::vector<std::vector<std::string>> groups) {
  Fault fault;
  fault.kind = FaultKind::partition;
  fault.groups = std::move(groups);
  return fault;
}

std::string why_not(const Json& fault) {
  const auto parsed = parse_fault_request({{"faults", {fault}}}, servers);
  return parsed ? "good" : parsed.error().text;
}

}  // namespace

TEST_CASE("durations are read and written as people write them") {
  CHECK(parse_duration_ms("+1h") == 3'600'000);
  CHECK(parse_duration_ms("-1h30m") == -5'400'000);
  CHECK(parse_duration_ms("2d") == 172'800'000);
  CHECK(parse_duration_ms("250ms") == 250);
  for (const char* wrong : {"", "+", "1", "h", "1x", "1h-", "--1h", "1h 2m", "99999999999999999999h", "999999d"}) {
    INFO(wrong);
    CHECK_FALSE(parse_duration_ms(wrong));
  }
  CHECK(duration_text(-5'400'000) == "-1h30m");
  CHECK(duration_text(0) == "0s");
  CHECK(duration_text(61'001) == "1m1s1ms");
}

TEST_CASE("a fault survives its way through JSON") {
  Fault slow = link("alpha.test", "clients", LinkMode::up);
  slow.link = {LinkMode::http, 503, std::chrono::milliseconds(20), std::chrono::milliseconds(5), 64};
  slow.hits = 7;
  slow.bytes = 9;
  Fault clock;
  clock.kind = FaultKind::clock;
  clock.server = "alpha.test";
  clock.offset_ms = -1;
  for (const Fault& fault : {slow, clock, partition({{"alpha.test"}, {"others"}})}) {
    const auto again = parse_fault(fault_json(fault));
    REQUIRE(again);
    CHECK(again->same_as(fault));
    CHECK(again->hits == fault.hits);
    CHECK(again->bytes == fault.bytes);
  }
  CHECK(fault_text(slow) == "link alpha.test -> clients: http 503, latency 20ms, jitter 5ms, rate 64 kbit/s");
}

TEST_CASE("a request for a fault is answered by what is wrong with it") {
  CHECK(why_not({{"kind", "link"}, {"from", "alpha"}, {"to", "clients"}, {"mode", "down"}}) == "good");
  CHECK_THAT(why_not({{"kind", "link"}, {"from", "alpha"}, {"to", "zulu"}, {"mode", "down"}}), Catch::Contains("zulu"));
  CHECK_THAT(why_not({{"kind", "link"}, {"from", "alpha"}, {"to", "alpha.test"}, {"mode", "down"}}),
             Catch::Contains("two ends"));
  CHECK_THAT(why_not({{"kind", "link"}, {"from", "alpha"}, {"to", "bravo"}, {"mode", "http"}}),
             Catch::Contains("400 to 599"));
  CHECK_THAT(why_not({{"kind", "link"}, {"from", "alpha"}, {"to", "bravo"}, {"mode", "up"}, {"latency_ms", -1}}),
             Catch::Contains("latency_ms"));
  CHECK_THAT(why_not({{"kind", "partition"}, {"groups", {{"alpha", "bravo"}}}}), Catch::Contains("two groups"));
  CHECK_THAT(why_not({{"kind", "partition"}, {"groups", {{"alpha"}, {"alpha"}}}}), Catch::Contains("twice"));
  CHECK_THAT(why_not({{"kind", "partition"}, {"groups", {{"alpha"}, {"alpha.test"}}}}), Catch::Contains("twice"));
  CHECK_THAT(why_not({{"kind", "dns"}, {"server", "alpha"}, {"answer", "nowhere"}}), Catch::Contains("nowhere"));
  CHECK_THAT(why_not({{"kind", "backoff"}, {"max_ms", 0}}), Catch::Contains("max_ms"));
  CHECK_THAT(why_not({{"kind", "flood"}}), Catch::Contains("flood"));
  CHECK_THAT(why_not("alpha"), !Catch::Contains("good"));
}

TEST_CASE("a link can be bad one way, and where nobody connects no connection is promised to fail") {
  const LinkSettings down{LinkMode::down, 0, {}, {}, 0};
  CHECK(link_faults("alpha", "bravo", false, down)->size() == 2);
  CHECK(link_faults("alpha", "bravo", true, down)->size() == 1);
  const auto clients = link_faults("alpha", "clients", false, down);
  REQUIRE(clients->size() == 1);
  CHECK(clients->front().from == "clients");
  CHECK_FALSE(link_faults("alpha", "clients", true, down));
  LinkSettings slow;
  slow.rate_kbit = 1;
  CHECK(link_faults("alpha", "clients", true, slow));
}

TEST_CASE("what is down one way is up the other") {
  FaultBoard board;
  board.put(link("alpha.test", "bravo.test", LinkMode::down));
  CHECK(board.judge_connection("alpha.test", "bravo.test").rules.fate == Fate::refused);
  CHECK(board.judge_connection("bravo.test", "alpha.test").rules.fate == Fate::pass);
  CHECK(board.judge_connection("clients", "bravo.test").rules.fate == Fate::pass);
  board.put(link("alpha.test", "bravo.test", LinkMode::stall));  // in its place
  const auto there = board.judge_connection("alpha.test", "bravo.test").rules;
  CHECK(there.fate == Fate::pass);
  CHECK(there.to_target.stalled);
  CHECK_FALSE(there.from_target.stalled);
  const auto back = board.judge_connection("bravo.test", "alpha.test").rules;
  CHECK(back.from_target.stalled);
  CHECK_FALSE(back.to_target.stalled);
  board.put(link("alpha.test", "bravo.test", LinkMode::up));
  CHECK(board.list().empty());
}

TEST_CASE("a partition separates its groups and a block everybody from one") {
  FaultBoard board;
  const auto cut = [&](const std::string& a, const std::string& b) {
    const bool there = board.judge_connection(a, b).rules.fate == Fate::refused;
    CHECK(there == (board.judge_connection(b, a).rules.fate == Fate::refused));
    return there;
  };
  board.put(partition({{"alpha.test", "bravo.test"}, {"charlie.test"}}));
  CHECK_FALSE(cut("alpha.test", "bravo.test"));
  CHECK(cut("alpha.test", "charlie.test"));
  CHECK_FALSE(cut("delta.test", "charlie.test"));
  CHECK_FALSE(cut("clients", "charlie.test"));
  board.put(partition({{"alpha.test"}, {"others"}}));
  CHECK(board.list().size() == 1);
  CHECK(cut("alpha.test", "clients"));
  CHECK(cut("alpha.test", "one that was added later"));
  CHECK_FALSE(cut("bravo.test", "charlie.test"));
  board.clear();
  Fault block = *parse_fault({{"kind", "block"}, {"server", "alpha.test"}});
  board.put(block);
  board.put(block);
  CHECK(board.list().size() == 1);
  CHECK(cut("alpha.test", "clients"));
  CHECK_FALSE(board.reaches("clients", "alpha.test"));
  CHECK(board.reaches("clients", "bravo.test"));
  CHECK(board.remove("block alpha.test"));
  CHECK_FALSE(cut("alpha.test", "clients"));
}
