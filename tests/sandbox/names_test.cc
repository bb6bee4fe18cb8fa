#include "sandbox/world/names.h"

#include <set>

#include <catch2/catch.hpp>

#include "sandbox/people/client_program.h"

using namespace skerry;           // NOLINT(google-build-using-namespace)
using namespace skerry::sandbox;  // NOLINT(google-build-using-namespace)

namespace {

const std::vector<std::string> three = server_names(3);

std::string user(std::string_view typed, std::string_view server = {}) {
  const auto parsed = parse_user(three, typed, server);
  return parsed ? parsed->str() : "error: " + parsed.error().text;
}

}  // namespace

TEST_CASE("servers are named by the spelling alphabet and then by number") {
  CHECK(three == std::vector<std::string>{"alpha.test", "bravo.test", "charlie.test"});
  CHECK(server_name(25) == "zulu.test");
  CHECK(server_name(26) == "s027.test");
  CHECK(server_name(99) == "s100.test");
  CHECK(server_name(999) == "s1000.test");
  const auto all = server_names(max_servers);
  CHECK(std::set<std::string>(all.begin(), all.end()).size() == max_servers);
  for (const std::string& name : all) CHECK(ServerName::parse(name));
}

TEST_CASE("a server is found by its name or its first label") {
  CHECK(*find_server(three, "bravo.test") == "bravo.test");
  CHECK(*find_server(three, "bravo") == "bravo.test");
}

TEST_CASE("an unknown server is answered by a list of the known ones") {
  const auto found = find_server(three, "delta.test");
  REQUIRE(!found);
  CHECK(found.error().code == ErrorCode::not_found);
  CHECK(found.error().text == "there is no server delta.test here; there are: alpha.test bravo.test charlie.test");
  CHECK(!find_server(three, ""));
}

TEST_CASE("a server that is added has a name that is nobody else's now or later") {
  CHECK(*new_server_name(three, "syn") == "syn.test");
  CHECK(*new_server_name(three, "syn-2.test") == "syn-2.test");
  for (const char* name : {"", ".test", "Syn", "syn.example.org", "a.b", "-syn", "syn-", "s_n", "alpha", "s028"}) {
    INFO(name);
    CHECK(new_server_name(three, name).error().code == ErrorCode::invalid_param);
  }
  CHECK_FALSE(new_server_name(three, "zulu.test"));  // the 26th server of our own
  CHECK_FALSE(new_server_name({"syn.test"}, "syn"));
  CHECK_FALSE(new_server_name(three, std::string(64, 'a')));
}

TEST_CASE("users may be typed in either form and are printed in the second") {
  CHECK(user("alice@alpha.test") == "@alice:alpha.test");
  CHECK(user("@alice:alpha.test") == "@alice:alpha.test");
  CHECK(user("alice", "alpha.test") == "@alice:alpha.test");
  CHECK(user("alice@alpha") == "@alice:alpha.test");
  CHECK(user("@alice:alpha.test", "alpha") == "@alice:alpha.test");
}

TEST_CASE("a user without a server or with a strange one is refused with words") {
  CHECK(user("alice") == "error: on which server? Write alice@alpha.test or add --server");
  CHECK(user("alice@alpha.test", "bravo.test") == "error: alice@alpha.test is not on bravo.test");
  CHECK(user("@bob:example.org").find("there are: alpha.test bravo.test charlie.test") != std::string::npos);
  CHECK(user("@:alpha.test").find("is no user") != std::string::npos);
  CHECK(user("").find("error") == 0);
}

TEST_CASE("skerry-client is told the server that its words mean") {
  SandboxStatus status;
  status.ca_file = "ca.pem";
  for (const std::string& name : three) {
    ServerStatus server;
    server.name = name;
    server.client_url = "http://" + name;
    status.servers.push_back(std::move(server));
  }
  using Words = std::vector<std::string>;
  CHECK(client_arguments(status, {"rooms"}) == Words{"--ca-file", "ca.pem", "rooms"});
  CHECK(client_arguments(status, {"--account", "bob@bravo.test", "rooms"}) ==
        Words{"--ca-file", "ca.pem", "--server", "http://bravo.test", "--account", "@bob:bravo.test", "rooms"});
  CHECK(client_arguments(status, {"login", "@bob:bravo"}) ==
        Words{"--ca-file", "ca.pem", "--server", "http://bravo.test", "login", "@bob:bravo.test"});
  CHECK(client_arguments(status, {"register", "bob@bravo.test"}) ==
        Words{"--ca-file", "ca.pem", "--server", "http://bravo.test", "register", "bob"});
  CHECK(client_arguments(status, {"--server", "charlie", "register", "carol"}) ==
        Words{"--ca-file", "ca.pem", "--server", "http://charlie.test", "register", "carol"});
  CHECK(client_arguments(status, {"--server=https://example.org", "login", "dave"}) ==
        Words{"--ca-file", "ca.pem", "--server", "https://example.org", "login", "dave"});
}
