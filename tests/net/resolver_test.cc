#include "net/resolver.h"

#include <chrono>
#include <future>
#include <map>
#include <memory>

#include <catch2/catch.hpp>

#include "tests/net/fake_dns.h"

using namespace skerry;
using namespace skerry::net;
using Answer = FakeDns::Answer;
using Steady = std::chrono::steady_clock;

namespace {

using Addresses = std::vector<std::string>;

struct Asked {
  explicit Asked(FakeDns::Say say, std::chrono::milliseconds timeout = std::chrono::seconds(5),
                 std::size_t cache_entries = 100)
      : dns(std::move(say)), resolver(std::make_unique<Resolver>(io, options(timeout, cache_entries))) {}

  ResolverOptions options(std::chrono::milliseconds timeout, std::size_t cache_entries) const {
    ResolverOptions made;
    made.servers = {dns.place()};
    made.timeout = timeout;
    made.cache_entries = cache_entries;
    return made;
  }
  std::future<Result<Addresses>> begin(const std::string& name) {
    auto promise = std::make_shared<std::promise<Result<Addresses>>>();
    auto future = promise->get_future();
    resolver->resolve_addresses(name, [promise](Result<Addresses> result) { promise->set_value(std::move(result)); });
    return future;
  }
  Result<Addresses> addresses(const std::string& name) { return begin(name).get(); }
  Result<std::vector<SrvTarget>> srv(const std::string& name) {
    auto promise = std::make_shared<std::promise<Result<std::vector<SrvTarget>>>>();
    auto future = promise->get_future();
    resolver->resolve_srv(name, [promise](auto result) { promise->set_value(std::move(result)); });
    return future.get();
  }

  Io io{1};
  FakeDns dns;
  std::unique_ptr<Resolver> resolver;
};

std::optional<Answer> one_address(const std::string&, std::uint16_t type) {
  Answer answer;
  if (type == dns_a) answer.record_data = {FakeDns::a("127.1.0.1"), FakeDns::a("127.1.0.2")};
  return answer;
}

}  // namespace

TEST_CASE("a name resolves to its addresses with those of IPv4 first") {
  Asked asked([](const std::string&, std::uint16_t type) {
    Answer answer;
    answer.record_data = {type == dns_a ? FakeDns::a("127.1.0.1") : FakeDns::aaaa("fd00::1")};
    return answer;
  });
  CHECK(*asked.addresses("alpha.test") == Addresses{"127.1.0.1", "fd00::1"});
}

TEST_CASE("names of one label are asked for as they are and the case of names does not matter") {
  Asked asked(one_address);
  CHECK(*asked.addresses("alpha") == Addresses{"127.1.0.1", "127.1.0.2"});
  CHECK(asked.dns.asked("alpha", dns_a) == 1);
  CHECK(asked.addresses("ALPHA"));
  CHECK(asked.dns.asked("alpha", dns_a) == 1);
}

TEST_CASE("localhost needs no server") {
  Asked asked([](const std::string&, std::uint16_t) { return std::nullopt; });
  CHECK(*asked.addresses("localhost") == Addresses{"127.0.0.1", "::1"});
}

TEST_CASE("a name that does not exist is an error that is believed for a while") {
  Asked asked([](const std::string&, std::uint16_t) {
    Answer answer;
    answer.rcode = 3;
    return answer;
  });
  for (int i = 0; i < 2; ++i) {
    auto result = asked.addresses("nobody.test");
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::unreachable);
    CHECK_THAT(result.error().text, Catch::Contains("no such name: nobody.test"));
  }
  CHECK(asked.dns.asked("nobody.test", dns_a) == 1);
  auto services = asked.srv("_matrix-fed._tcp.nobody.test");
  REQUIRE(services);
  CHECK(services->empty());
}

TEST_CASE("a silent server is a timeout within the time allowed") {
  Asked asked([](const std::string&, std::uint16_t) { return std::nullopt; }, std::chrono::milliseconds(200));
  const auto begin = Steady::now();
  auto result = asked.addresses("alpha.test");
  CHECK(Steady::now() - begin < std::chrono::seconds(2));
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::timeout);
  auto services = asked.srv("_x._tcp.alpha.test");
  REQUIRE_FALSE(services);
  CHECK(services.error().code == ErrorCode::timeout);
}

TEST_CASE("a server that says nothing about IPv6 does not hold up IPv4") {
  Asked asked(
      [](const std::string& name, std::uint16_t type) -> std::optional<Answer> {
        if (type == dns_aaaa) return std::nullopt;
        return one_address(name, type);
      },
      std::chrono::seconds(30));
  const auto begin = Steady::now();
  CHECK(asked.addresses("alpha.test"));
  CHECK(Steady::now() - begin < std::chrono::seconds(5));
}

TEST_CASE("equal questions are asked once and answers are kept as long as their TTL") {
  Asked asked([](const std::string& name, std::uint16_t type) {
    auto answer = *one_address(name, type);
    if (name == "brief.test") answer.ttl_s = 0;
    return answer;
  });
  std::vector<std::future<Result<Addresses>>> together;
  for (int i = 0; i < 50; ++i) together.push_back(asked.begin("alpha.test"));
  for (auto& one : together) CHECK(one.get());
  CHECK(asked.dns.asked("alpha.test", dns_a) == 1);
  CHECK(asked.addresses("brief.test"));
  CHECK(asked.addresses("brief.test"));
  CHECK(asked.dns.asked("brief.test", dns_a) == 2);
}

TEST_CASE("the cache is bounded and forgets what came first") {
  Asked asked(one_address, std::chrono::seconds(5), 2);
  for (const char* name : {"a.test", "b.test", "c.test", "c.test", "b.test", "a.test"}) CHECK(asked.addresses(name));
  CHECK(asked.dns.asked("a.test", dns_a) == 2);
  CHECK(asked.dns.asked("b.test", dns_a) == 1);
  CHECK(asked.dns.asked("c.test", dns_a) == 1);
}

TEST_CASE("services come by priority and weighted chance") {
  Asked asked([](const std::string&, std::uint16_t) {
    Answer answer;
    answer.record_data = {FakeDns::srv(20, 0, 3, "last.test"), FakeDns::srv(10, 90, 1, "heavy.test"),
                          FakeDns::srv(10, 10, 2, "light.test"), FakeDns::srv(0, 0, 9, "")};
    return answer;
  });
  std::map<std::string, int> first;
  for (int i = 0; i < 1'000; ++i) {
    auto services = asked.srv("_matrix-fed._tcp.alpha.test");
    REQUIRE(services);
    REQUIRE(services->size() == 3);  // a target of "." is none
    CHECK(services->back().host == "last.test");
    CHECK(services->back().port == 3);
    ++first[services->front().host];
  }
  CHECK(first["heavy.test"] > 800);
  CHECK(first["light.test"] > 40);
  CHECK(asked.dns.asked("_matrix-fed._tcp.alpha.test", dns_srv) == 1);
}

TEST_CASE("services are kept no longer than their TTL") {
  Asked asked([](const std::string&, std::uint16_t) {
    Answer answer;
    answer.record_data = {FakeDns::srv(1, 1, 1, "x.test")};
    answer.ttl_s = 0;
    return answer;
  });
  CHECK(asked.srv("_x._tcp.test"));
  CHECK(asked.srv("_x._tcp.test"));
  CHECK(asked.dns.asked("_x._tcp.test", dns_srv) == 2);
}

TEST_CASE("hostile names and answers are errors") {
  // Claims many answers and then has none; a name that points to itself; lengths beyond the end.
  const std::string loop("\x81\x80\0\1\0\1\0\0\0\0\xc0\x0c\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\1\0\4\x7f\0\0\1", 32);
  const std::string many("\x81\x80\0\1\xff\xff\0\0\0\0\1a\4test\0\0\1\0\1", 22);
  const std::string beyond("\x81\x80\0\1\0\1\0\0\0\0\1a\4test\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\1\xff\xff\1", 35);
  for (const std::string& raw : {loop, many, beyond, std::string("\x81\x80", 2), std::string()}) {
    Asked asked(
        [&](const std::string&, std::uint16_t) {
          Answer answer;
          answer.raw = raw;
          return answer;
        },
        std::chrono::milliseconds(200));
    CHECK_FALSE(asked.addresses("a.test"));
    auto services = asked.srv("a.test");
    CHECK((!services || services->empty()));
  }
  Asked asked(one_address);
  CHECK_FALSE(asked.addresses(std::string(64, 'x') + ".test"));
  CHECK_FALSE(asked.addresses("a..test"));
  CHECK_FALSE(asked.addresses(""));
}

TEST_CASE("who waits for a name is told when the resolver ends") {
  Asked asked([](const std::string&, std::uint16_t) { return std::nullopt; });
  auto waiting = asked.begin("alpha.test");
  asked.resolver.reset();
  auto result = waiting.get();
  REQUIRE_FALSE(result);
  CHECK(result.error().code == ErrorCode::cancelled);
}

TEST_CASE("a resolver without usable servers says so") {
  Io io(1);
  ResolverOptions options;
  options.servers = {"not a server"};
  Resolver resolver(io, options);
  std::promise<Result<Addresses>> said;
  resolver.resolve_addresses("alpha.test", [&](Result<Addresses> result) { said.set_value(std::move(result)); });
  CHECK_FALSE(said.get_future().get());
}
