#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/federation/internet.h"

using namespace skerry;
using namespace skerry::federation;
using std::chrono::milliseconds;

namespace {

using Endpoints = std::vector<net::Endpoint>;

struct Seeker {
  Internet internet;
  Discovery discovery;

  explicit Seeker(const std::vector<std::string>& allowed = {"127.0.0.0/8"},
                  const std::function<void(DiscoveryOptions&)>& adjust = {})
      : internet(allowed), discovery(internet.http(), internet.resolver(), internet.clock(), options(adjust)) {}
  ~Seeker() { internet.stop(); }

  DiscoveryOptions options(const std::function<void(DiscoveryOptions&)>& adjust) const {
    DiscoveryOptions made = internet.discovery_options();
    if (adjust) adjust(made);
    return made;
  }
  Waited<Result<Endpoints>> begin(const std::string& name) {
    Waited<Result<Endpoints>> waited;
    discovery.find(test::server(name), waited.giver());
    return waited;
  }
  // "connect_host:port host_header tls_name", one for each place; or the error.
  std::vector<std::string> find(const std::string& name) {
    auto waited = begin(name);
    auto& found = waited.get();
    if (!found) return {found.error().text};
    std::vector<std::string> places;
    for (const auto& place : *found) {
      places.push_back(place.connect_host + ":" + std::to_string(place.port) + " " + place.host_header + " " +
                       place.tls_name);
    }
    return places;
  }
};

using Places = std::vector<std::string>;

}  // namespace

TEST_CASE("server names that say where they are ask nobody") {
  Seeker seeker;
  // 1.
  CHECK(seeker.find("192.0.2.1") == Places{"192.0.2.1:8448 192.0.2.1 192.0.2.1"});
  CHECK(seeker.find("192.0.2.1:99") == Places{"192.0.2.1:99 192.0.2.1:99 192.0.2.1"});
  CHECK(seeker.find("[2001:db8::1]") == Places{"2001:db8::1:8448 [2001:db8::1] 2001:db8::1"});
  CHECK(seeker.find("[2001:db8::1]:99") == Places{"2001:db8::1:99 [2001:db8::1]:99 2001:db8::1"});
  // 2.
  CHECK(seeker.find("alpha.net.test:8448") == Places{"alpha.net.test:8448 alpha.net.test:8448 alpha.net.test"});
  CHECK(seeker.internet.web_asked("alpha.net.test") == 0);
  CHECK(seeker.internet.srv_asked("_matrix-fed._tcp.alpha.net.test") == 0);
}

TEST_CASE("a well-known delegation leads to its server by each way that the steps name") {
  Seeker seeker;
  auto& internet = seeker.internet;
  // 3.1
  internet.well_known("a1.net.test", "192.0.2.9");
  CHECK(seeker.find("a1.net.test") == Places{"192.0.2.9:8448 192.0.2.9 192.0.2.9"});
  internet.well_known("a2.net.test", "[2001:db8::2]:443");
  CHECK(seeker.find("a2.net.test") == Places{"2001:db8::2:443 [2001:db8::2]:443 2001:db8::2"});
  // 3.2
  internet.well_known("a3.net.test", "hs.a3.net.test:443");
  CHECK(seeker.find("a3.net.test") == Places{"hs.a3.net.test:443 hs.a3.net.test:443 hs.a3.net.test"});
  CHECK(internet.srv_asked("_matrix-fed._tcp.hs.a3.net.test") == 0);
  // 3.3
  internet.well_known("a4.net.test", "hs.a4.net.test");
  internet.srv("_matrix-fed._tcp.hs.a4.net.test", "second.net.test", 2, 20);
  internet.srv("_matrix-fed._tcp.hs.a4.net.test", "first.net.test", 1, 10);
  internet.srv("_matrix._tcp.hs.a4.net.test", "old.net.test", 3);
  CHECK(seeker.find("a4.net.test") ==
        Places{"first.net.test:1 hs.a4.net.test hs.a4.net.test", "second.net.test:2 hs.a4.net.test hs.a4.net.test"});
  CHECK(internet.srv_asked("_matrix._tcp.hs.a4.net.test") == 0);
  // 3.4
  internet.well_known("a5.net.test", "hs.a5.net.test");
  internet.srv("_matrix._tcp.hs.a5.net.test", "old.net.test", 3);
  CHECK(seeker.find("a5.net.test") == Places{"old.net.test:3 hs.a5.net.test hs.a5.net.test"});
  // 3.5
  internet.well_known("a6.net.test", "hs.a6.net.test");
  CHECK(seeker.find("a6.net.test") == Places{"hs.a6.net.test:8448 hs.a6.net.test hs.a6.net.test"});
}

TEST_CASE("without a valid well-known the name itself is looked up") {
  Seeker seeker;
  auto& internet = seeker.internet;
  // 4.
  internet.srv("_matrix-fed._tcp.b1.net.test", "hs.net.test", 7);
  CHECK(seeker.find("b1.net.test") == Places{"hs.net.test:7 b1.net.test b1.net.test"});
  // 5.
  internet.srv("_matrix._tcp.b2.net.test", "hs.net.test", 8);
  CHECK(seeker.find("b2.net.test") == Places{"hs.net.test:8 b2.net.test b2.net.test"});
  // 6.
  CHECK(seeker.find("b3.net.test") == Places{"b3.net.test:8448 b3.net.test b3.net.test"});
  CHECK(internet.web_asked("b3.net.test") == 1);
}

TEST_CASE("what is no well-known answer is passed over") {
  Seeker seeker;
  const auto answers = [&](int status, net::Headers headers, std::string body) {
    return [=](net::HttpRequest, net::Responder responder) { responder.respond({status, headers, body}); };
  };
  const std::string good = R"({"m.server":"192.0.2.9"})";
  const std::map<std::string, Internet::Handler> cases = {
      {"status.net.test", answers(500, {}, good)},
      {"not-json.net.test", answers(200, {}, "m.server=192.0.2.9")},
      {"array.net.test", answers(200, {}, "[]")},
      {"no-member.net.test", answers(200, {}, R"({"server":"192.0.2.9"})")},
      {"number.net.test", answers(200, {}, R"({"m.server":8448})")},
      {"bad-name.net.test", answers(200, {}, R"({"m.server":"https://192.0.2.9/"})")},
      {"bad-port.net.test", answers(200, {}, R"({"m.server":"hs.net.test:99999"})")},
      {"large.net.test", answers(200, {}, R"({"m.server":"192.0.2.9","x":")" + std::string(51'200, 'x') + "\"}")},
      {"plain.net.test", answers(302, {{"Location", "http://alpha.net.test/"}}, "")},
      {"nowhere.net.test", answers(302, {}, "")},
      {"odd.net.test", answers(302, {{"Location", "https://user@alpha.net.test/"}}, "")},
      {"other.net.test", answers(302, {{"Location", "//alpha.net.test/"}}, "")}};
  for (const auto& [host, handler] : cases) {
    INFO(host);
    seeker.internet.web(host, handler);
    CHECK(seeker.find(host) == Places{host + ":8448 " + host + " " + host});
    CHECK(seeker.internet.web_asked(host) == 1);
  }
  CHECK(seeker.internet.web_asked("alpha.net.test") == 0);
}

TEST_CASE("a well-known behind a certificate for another name is not believed") {
  Seeker seeker;
  seeker.internet.well_known("deep.down.net.test", "192.0.2.9");  // the web's certificate is for one label under .test
  CHECK(seeker.find("deep.down.net.test") == Places{"deep.down.net.test:8448 deep.down.net.test deep.down.net.test"});
  CHECK(seeker.internet.web_asked("deep.down.net.test") == 0);
}

TEST_CASE("redirects of a well-known are followed five times at most and within https") {
  Seeker seeker;
  auto& internet = seeker.internet;
  const std::string port = std::to_string(internet.web_port());
  const auto hop = [&](const std::string& from, const std::string& location) {
    internet.web(from, [location](net::HttpRequest, net::Responder responder) {
      responder.respond({307, {{"Location", location}}, ""});
    });
  };
  SECTION("to other hosts and paths") {
    hop("c1.net.test", "https://c2.net.test:" + port + "/elsewhere?x=1#fragment");
    std::string asked;
    internet.web("c2.net.test", [&asked](net::HttpRequest request, net::Responder responder) {
      if (request.target == "/last") return responder.respond({200, {}, R"({"m.server":"192.0.2.9"})"});
      asked = request.target;
      responder.respond({301, {{"Location", "/last"}}, ""});
    });
    CHECK(seeker.find("c1.net.test") == Places{"192.0.2.9:8448 192.0.2.9 192.0.2.9"});
    CHECK(asked == "/elsewhere?x=1");
  }
  SECTION("not in a circle") {
    hop("d1.net.test", "https://d2.net.test:" + port + "/");
    hop("d2.net.test", "https://d1.net.test:" + port + "/");
    CHECK(seeker.find("d1.net.test") == Places{"d1.net.test:8448 d1.net.test d1.net.test"});
    CHECK(internet.web_asked("d1.net.test") + internet.web_asked("d2.net.test") == 6);
  }
}

TEST_CASE("a redirect does not lead where the address policy forbids to go") {
  Seeker seeker({"127.0.0.1/32"});
  std::atomic<int> asked = 0;
  auto inside = seeker.internet.serve(
      {"inside.net.test"},
      [&](net::HttpRequest, net::Responder responder) {
        ++asked;
        responder.respond({200, {}, R"({"m.server":"192.0.2.9"})"});
      },
      "127.0.0.2");
  const std::string location = "https://127.0.0.2:" + std::to_string(inside->port(0)) + "/";
  seeker.internet.web("e.net.test", [location](net::HttpRequest, net::Responder responder) {
    responder.respond({302, {{"Location", location}}, ""});
  });
  CHECK(seeker.find("e.net.test") == Places{"e.net.test:8448 e.net.test e.net.test"});
  CHECK(asked == 0);
}

TEST_CASE("a well-known is asked again when its time is over and not before") {
  Seeker seeker;
  auto& internet = seeker.internet;
  const auto asked_after = [&](const std::string& host, milliseconds time) {
    const int before = internet.web_asked(host);
    (void)seeker.find(host);
    internet.clock().advance(time);
    (void)seeker.find(host);
    return internet.web_asked(host) - before;
  };
  using std::chrono::hours;
  using std::chrono::seconds;
  internet.well_known("plain.net.test", "192.0.2.9");
  CHECK(asked_after("plain.net.test", hours(24) - seconds(1)) == 1);
  internet.clock().advance(seconds(2));
  CHECK(asked_after("plain.net.test", seconds(0)) == 1);
  internet.well_known("short.net.test", "192.0.2.9", {{"Cache-Control", "public, max-age=300"}});
  CHECK(asked_after("short.net.test", seconds(299)) == 1);
  CHECK(asked_after("short.net.test", seconds(2)) == 1);
  internet.well_known("never.net.test", "192.0.2.9", {{"Cache-Control", "no-store"}});
  CHECK(asked_after("never.net.test", seconds(59)) == 1);
  CHECK(asked_after("never.net.test", seconds(2)) == 1);
  internet.well_known("long.net.test", "192.0.2.9", {{"Cache-Control", "max-age=999999999"}});
  CHECK(asked_after("long.net.test", hours(48) + seconds(1)) == 2);
  // There is none: known for a minute.
  CHECK(asked_after("none.net.test", seconds(59)) == 1);
  CHECK(asked_after("none.net.test", seconds(2)) == 1);
}

TEST_CASE("forgetting a server asks its well-known anew but not one that just failed") {
  Seeker seeker;
  seeker.internet.well_known("f1.net.test", "192.0.2.9");
  (void)seeker.find("f1.net.test");
  seeker.discovery.forget(test::server("f1.net.test"));
  (void)seeker.find("f1.net.test");
  CHECK(seeker.internet.web_asked("f1.net.test") == 2);
  (void)seeker.find("f2.net.test");
  seeker.discovery.forget(test::server("f2.net.test"));
  (void)seeker.find("f2.net.test");
  CHECK(seeker.internet.web_asked("f2.net.test") == 1);
}

TEST_CASE("equal lookups at the same time are one") {
  Seeker seeker;
  Held held;
  seeker.internet.web("g.net.test",
                      [&](net::HttpRequest, net::Responder responder) { held.hold(std::move(responder)); });
  std::vector<Waited<Result<Endpoints>>> all;
  for (int i = 0; i < 20; ++i) all.push_back(seeker.begin("g.net.test"));
  REQUIRE(held.wait(1));
  held.answer_all({200, {}, R"({"m.server":"192.0.2.9"})"});
  for (auto& one : all) CHECK(one.get()->front().connect_host == "192.0.2.9");
  CHECK(seeker.internet.web_asked("g.net.test") == 1);
}

TEST_CASE("a well-known that does not come is given up with all its redirects after one timeout") {
  Seeker seeker({"127.0.0.0/8"}, [](DiscoveryOptions& options) { options.timeout = milliseconds(300); });
  Held held;
  seeker.internet.web("h.net.test", [&](net::HttpRequest request, net::Responder responder) {
    if (request.target == "/slow") return held.hold(std::move(responder));
    responder.respond({302, {{"Location", "/slow"}}, ""});
  });
  const auto start = std::chrono::steady_clock::now();
  CHECK(seeker.find("h.net.test") == Places{"h.net.test:8448 h.net.test h.net.test"});
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  held.answer_all({200, {}, "{}"});
}

TEST_CASE("a server whose SRV record says that there is none is not looked for elsewhere") {
  Seeker seeker;
  seeker.internet.srv("_matrix-fed._tcp.i.net.test", "", 0);
  CHECK(seeker.find("i.net.test") == Places{"i.net.test says that it offers no federation"});
}
