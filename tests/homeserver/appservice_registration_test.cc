// Registration files and namespaces of application services.
#include <catch2/catch.hpp>

#include "homeserver/appservices/appservices.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::homeserver;
using namespace skerry::test;

namespace {

const std::string irc = R"(id: "IRC Bridge"
url: "http://127.0.0.1:1234"
as_token: "30c05ae90a248a4188e620216fa72e34"
hs_token: "312df522183efd404ec1cd22d2ffa4bb"
sender_localpart: "_irc_bot"
namespaces:
  users:
    - exclusive: true
      regex: "@_irc_bridge_.*"
  aliases:
    - exclusive: false
      regex: "#_irc_bridge_.*"
  rooms: []
)";

const ServerName us = *ServerName::parse("example.org");

struct Files {
  TemporaryFolder folder;
  std::string add(const std::string& name, const std::string& text) {
    write_file(folder.path() + "/" + name, text);
    return folder.path() + "/" + name;
  }
  Result<Appservices> read(const std::string& text) { return Appservices::read({add("a.yaml", text)}, us); }
};

UserId user(const std::string& id) { return *UserId::parse(id); }
RoomAlias alias(const std::string& id) { return *RoomAlias::parse(id); }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("the specification's example of a registration is read") {
  Files files;
  const auto read = files.read(irc);
  if (!read) FAIL(read.error().text);
  REQUIRE(read->all().size() == 1);
  const Appservice& bridge = *read->all().front();
  CHECK(bridge.id() == "IRC Bridge");
  CHECK(bridge.sender().str() == "@_irc_bot:example.org");
  CHECK(bridge.registration().rate_limited);
  CHECK_FALSE(bridge.registration().receive_ephemeral);
  CHECK(read->by_token("30c05ae90a248a4188e620216fa72e34") == &bridge);
  CHECK(read->by_token("30c05ae90a248a4188e620216fa72e3") == nullptr);
  CHECK(read->by_token("") == nullptr);
}

TEST_CASE("namespaces hold local users only, from the beginning of the id, and the sender always") {
  Files files;
  const auto read = files.read(irc);
  REQUIRE(read);
  const Appservice& bridge = *read->all().front();
  CHECK(bridge.has_user(user("@_irc_bridge_alice:example.org")));
  CHECK(bridge.owns_user(user("@_irc_bridge_alice:example.org")));
  CHECK_FALSE(bridge.has_user(user("@_irc_bridge_alice:elsewhere.org")));
  CHECK_FALSE(bridge.has_user(user("@not_irc_bridge_@_irc_bridge_x:example.org")));
  CHECK(bridge.has_user(bridge.sender()));
  CHECK(bridge.owns_user(bridge.sender()));
  CHECK(bridge.has_alias(alias("#_irc_bridge_room:example.org")));
  CHECK_FALSE(bridge.owns_alias(alias("#_irc_bridge_room:example.org")));
  CHECK(read->other_owner(user("@_irc_bridge_x:example.org"), nullptr) == &bridge);
  CHECK(read->other_owner(user("@_irc_bridge_x:example.org"), &bridge) == nullptr);
  CHECK(read->other_owner(alias("#_irc_bridge_room:example.org"), nullptr) == nullptr);
}

TEST_CASE("a regular expression that takes others exponential time is matched at once") {
  Files files;
  const auto read = files.read(replaced(irc, "@_irc_bridge_.*", "@(a+)+$"));
  REQUIRE(read);
  CHECK_FALSE(read->all().front()->has_user(user("@" + std::string(200, 'a') + "!:example.org")));
}

TEST_CASE("what is wrong with a registration is said by file and line, without its tokens") {
  Files files;
  const auto says = [&](const std::string& text, const std::string& what) {
    const auto read = files.read(text);
    REQUIRE_FALSE(read);
    INFO(read.error().text);
    CHECK_THAT(read.error().text, Catch::Contains("a.yaml"));
    CHECK_THAT(read.error().text, Catch::Contains(what));
    CHECK_THAT(read.error().text, !Catch::Contains("312df522183efd404ec1cd22d2ffa4bb"));
  };
  says(replaced(irc, "id: \"IRC Bridge\"\n", ""), "id: is required");
  says(replaced(irc, "hs_token", "token"), "hs_token: is required");
  says(replaced(irc, "http://127.0.0.1:1234", "ftp://127.0.0.1"), "a.yaml:2: url: is no http or https URL");
  says(replaced(irc, "exclusive: true", "exclusive: perhaps"), "a.yaml:8: exclusive: must be true or false");
  says(replaced(irc, "regex: \"@_irc_bridge_.*\"", "regexp: 1"), "regex: is required");
  says(replaced(irc, "@_irc_bridge_.*", "@_irc_(?=x).*"), "is none that RE2 takes");
  says(replaced(irc, "_irc_bot", "a:b"), "sender_localpart: is no user name");
  says("- a\n- b\n", "is no YAML object");
  says("id: [\n", "a.yaml:");
  says(std::string(300'000, '#'), "too large");
  CHECK_THAT(Appservices::read({"/no/such/file"}, us).error().text, Catch::Contains("/no/such/file"));
}

TEST_CASE("aliases of YAML that would multiply to billions are read in no time") {
  Files files;
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 64; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before + "]\n";
  }
  CHECK(files.read(bomb + irc));
}

TEST_CASE("two application services with the same id, token or sender are refused, each named") {
  Files files;
  const std::string first = files.add("first.yaml", irc);
  const std::string other = replaced(replaced(replaced(irc, "IRC Bridge", "other"), "30c0", "40c0"), "_irc_bot", "o");
  CHECK(Appservices::read({first, files.add("other.yaml", other)}, us));
  for (const auto& [from, to, what] : {std::tuple{"other", "IRC Bridge", "id"}, std::tuple{"40c0", "30c0", "as_token"},
                                       std::tuple{"\"o\"", "\"_irc_bot\"", "sender_localpart"}}) {
    const auto read = Appservices::read({first, files.add("same.yaml", replaced(other, from, to))}, us);
    REQUIRE_FALSE(read);
    CHECK_THAT(read.error().text, Catch::Contains(std::string("same.yaml: has the same ") + what));
  }
}

TEST_CASE("a check of the configuration reads the registrations") {
  Files files;
  const std::string config =
      files.add("c.toml",
                "server_name = \"a.test\"\ndata_folder = \"data\"\n[[listeners]]\naddress = \"127.0.0.1\"\nport = 0\n"
                "[appservices]\nregistrations = [\"bridge.yaml\"]\n");
  Ran checked = run({homeserver_program(), "--config", config, "--check-config"});
  CHECK(checked.status == 1);
  CHECK_THAT(checked.output, Catch::Contains("bridge.yaml: cannot be read"));
  files.add("bridge.yaml", irc);
  checked = run({homeserver_program(), "--config", config, "--check-config"});
  CHECK(checked.status == 0);
}
