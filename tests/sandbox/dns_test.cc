#include <arpa/inet.h>
#include <future>
#include <random>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "net/resolver.h"
#include "sandbox/world/dns_message.h"
#include "sandbox/world/dns_server.h"

using namespace skerry;           // NOLINT(google-build-using-namespace)
using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

namespace {

constexpr std::uint16_t a = 1, aaaa = 28, srv = 33, any = 255;
enum Code { no_error = 0, format_error = 1, no_such_name = 3, not_implemented = 4, refused = 5 };

Zone sample_zone() {
  Zone zone;
  zone.addresses["alpha.test"] = {127, 9, 100, 1};
  zone.services["_matrix-fed._tcp.alpha.test"] = {"alpha.test", 18'448};
  return zone;
}

std::string u16(std::uint16_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

std::string encoded(std::string name) {
  std::string out;
  while (!name.empty()) {
    const auto dot = std::min(name.find('.'), name.size());
    out += static_cast<char>(dot) + name.substr(0, dot);
    name.erase(0, dot + 1);
  }
  return out + '\0';
}

std::string header(std::uint16_t flags, std::uint16_t questions) {
  return u16(0x1234) + u16(flags) + u16(questions) + u16(0) + u16(0) + u16(0);
}

std::string query(const std::string& name, std::uint16_t type, std::uint16_t klass = 1) {
  return header(0x0100, 1) + encoded(name) + u16(type) + u16(klass);
}

int code(const std::optional<std::string>& answer) { return answer ? (*answer)[3] & 0x0f : -1; }
int answers(const std::optional<std::string>& answer) { return answer ? (*answer)[7] : -1; }
int authorities(const std::optional<std::string>& answer) { return answer ? (*answer)[9] : -1; }

}  // namespace

TEST_CASE("a name has its address for one second") {
  const auto answer = answer_dns_query(query("alpha.test", a), sample_zone());
  REQUIRE(answer);
  CHECK(answer->substr(0, 4) == u16(0x1234) + u16(0x8500));  // an authoritative answer to a query that wished recursion
  CHECK(answers(answer) == 1);
  CHECK(answer->substr(12) == encoded("alpha.test") + u16(a) + u16(1) + u16(0xc00c) + u16(a) + u16(1) + u16(0) +
                                  u16(1) + u16(4) + "\x7f\x09\x64\x01");
}

TEST_CASE("names are compared without case and echoed as they came") {
  const auto answer = answer_dns_query(query("ALPHA.Test", a), sample_zone());
  REQUIRE(answers(answer) == 1);
  CHECK(answer->find("ALPHA") != std::string::npos);
}

TEST_CASE("services are found under their names") {
  const auto answer = answer_dns_query(query("_matrix-fed._tcp.alpha.test", srv), sample_zone());
  REQUIRE(answers(answer) == 1);
  const std::string end = u16(0) + u16(1) + u16(18'448) + encoded("alpha.test");
  CHECK(answer->substr(answer->size() - end.size()) == end);
  CHECK(answers(answer_dns_query(query("alpha.test", any), sample_zone())) == 1);
}

TEST_CASE("a judge denies a name and its services, is silent about them, or gives another address") {
  NameVerdict verdict;
  std::vector<std::string> asked;
  const NameJudge judge = [&](const std::string& name) {
    asked.push_back(name);
    return verdict;
  };
  const auto ask = [&](const std::string& name, std::uint16_t type) {
    return answer_dns_query(query(name, type), sample_zone(), judge);
  };
  verdict.answer = NameVerdict::Answer::no_such_name;
  CHECK(code(ask("ALPHA.test", a)) == no_such_name);
  CHECK(code(ask("_matrix-fed._tcp.alpha.test", srv)) == no_such_name);
  CHECK(asked == std::vector<std::string>{"alpha.test", "alpha.test"});
  verdict.answer = NameVerdict::Answer::none;
  CHECK_FALSE(ask("alpha.test", a));
  CHECK_FALSE(ask("_matrix-fed._tcp.alpha.test", srv));
  verdict.answer = NameVerdict::Answer::other;
  verdict.address = {10, 1, 2, 3};
  const auto other = ask("alpha.test", a);
  REQUIRE(other);
  CHECK(other->ends_with("\x0a\x01\x02\x03"));
  CHECK(answers(ask("_matrix-fed._tcp.alpha.test", srv)) == 1);
  CHECK(code(ask("delta.test", a)) == no_such_name);
  verdict.answer = NameVerdict::Answer::right;
  CHECK(ask("alpha.test", a)->ends_with("\x7f\x09\x64\x01"));
}

TEST_CASE("there is no IPv6 and it is said at once") {
  const auto answer = answer_dns_query(query("alpha.test", aaaa), sample_zone());
  CHECK(code(answer) == no_error);
  CHECK(answers(answer) == 0);
  CHECK(authorities(answer) == 1);
}

TEST_CASE("unknown names do not exist") {
  for (const char* name : {"delta.test", "alpha.test.test", "example.org", "x.alpha.test", ""}) {
    const auto answer = answer_dns_query(query(name, a), sample_zone());
    CHECK(code(answer) == no_such_name);
    CHECK(answers(answer) == 0);
  }
  CHECK(code(answer_dns_query(query("test", a), sample_zone())) == no_error);
}

TEST_CASE("what is no plain question is refused") {
  const Zone zone = sample_zone();
  CHECK(code(answer_dns_query(query("alpha.test", a, 3), zone)) == refused);
  CHECK(code(answer_dns_query(header(0x2800, 1) + encoded("alpha.test") + u16(a) + u16(1), zone)) == not_implemented);
  CHECK(code(answer_dns_query(header(0x0100, 2) + encoded("alpha.test") + u16(a) + u16(1), zone)) == format_error);
  CHECK(code(answer_dns_query(header(0x0100, 1) + u16(0xc00c) + u16(a) + u16(1), zone)) == format_error);
  CHECK(code(answer_dns_query(header(0x0100, 1) +
                                  std::string("\x0a"
                                              "alpha.test\0",
                                              12) +
                                  u16(a) + u16(1),
                              zone)) == format_error);
  CHECK_FALSE(answer_dns_query(header(0x8100, 1) + encoded("alpha.test") + u16(a) + u16(1), zone));
  CHECK_FALSE(answer_dns_query("", zone));
  CHECK_FALSE(answer_dns_query(std::string(11, '\0'), zone));
  CHECK_FALSE(answer_dns_query(std::string(dns_query_bytes + 1, '\0'), zone));
}

TEST_CASE("queries that end too early and random bytes do no harm") {
  const Zone zone = sample_zone();
  const std::string whole = query("_matrix-fed._tcp.alpha.test", srv);
  for (std::size_t size = 12; size < whole.size(); ++size) {
    CHECK(code(answer_dns_query(whole.substr(0, size), zone)) == format_error);
  }
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = round % 2 == 0 ? whole : std::string(random() % 80, '\0');
    for (int change = 0; change < 4 && !bytes.empty(); ++change) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (const auto answer = answer_dns_query(bytes, zone)) REQUIRE(answer->size() >= 12);
  }
}

TEST_CASE("the resolver that servers use understands the answers") {
  auto server = DnsServer::start("127.0.0.1", sample_zone());
  REQUIRE(server);
  net::Io io(1);
  net::Resolver resolver(io, {{"127.0.0.1:" + std::to_string((*server)->port())}, std::chrono::seconds(5), 16});
  std::promise<Result<std::vector<std::string>>> addresses, none;
  std::promise<Result<std::vector<net::SrvTarget>>> targets;
  resolver.resolve_addresses("alpha.test", [&](auto result) { addresses.set_value(std::move(result)); });
  resolver.resolve_addresses("delta.test", [&](auto result) { none.set_value(std::move(result)); });
  resolver.resolve_srv("_matrix-fed._tcp.alpha.test", [&](auto result) { targets.set_value(std::move(result)); });
  const auto found = addresses.get_future().get();
  REQUIRE(found);
  CHECK(*found == std::vector<std::string>{"127.9.100.1"});
  CHECK_FALSE(none.get_future().get());
  const auto services = targets.get_future().get();
  REQUIRE(services);
  REQUIRE(services->size() == 1);
  CHECK(services->front().host == "alpha.test");
  CHECK(services->front().port == 18'448);
}

TEST_CASE("questions over TCP are answered one after the other") {
  auto server = DnsServer::start("127.0.0.1", sample_zone());
  REQUIRE(server);
  const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons((*server)->port());
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0);
  const std::string question = query("alpha.test", a);
  const std::string framed = u16(static_cast<std::uint16_t>(question.size())) + question;
  const std::string sent = framed + framed.substr(0, 5);
  REQUIRE(::send(socket.get(), sent.data(), sent.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(sent.size()));
  const std::string rest = framed.substr(5);
  REQUIRE(::send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(rest.size()));
  const auto expected = answer_dns_query(question, sample_zone());
  const std::string once = u16(static_cast<std::uint16_t>(expected->size())) + *expected;
  std::string received;
  while (received.size() < 2 * once.size()) {
    char buffer[512];
    const ssize_t size = ::recv(socket.get(), buffer, sizeof buffer, 0);
    REQUIRE(size > 0);
    received.append(buffer, static_cast<std::size_t>(size));
  }
  CHECK(received == once + once);
}
