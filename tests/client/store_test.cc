// What the client remembers, and how the command line is read.
#include <filesystem>
#include <sstream>
#include <stdlib.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "client/cli/arguments.h"
#include "client/cli/command.h"
#include "client/store/client_store.h"
#include "client/store/paths.h"
#include "tests/support/homeserver_process.h"

namespace skerry::client {
namespace {

StoredSession session_of(const std::string& user) {
  return {user, "DEV", "https://s", "token of " + user, {"/ca.pem", "/b.pem"}};
}

mode_t mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

// What comes of a command line.
struct Parsed {
  Arguments arguments;
  std::optional<int> status;
  std::string out, err;
};

Parsed parse(std::vector<const char*> words) {
  words.insert(words.begin(), "skerry-client");
  Parsed parsed;
  std::ostringstream out, err;
  parsed.status = parse_arguments(static_cast<int>(words.size()), words.data(), parsed.arguments, out, err);
  parsed.out = out.str();
  parsed.err = err.str();
  return parsed;
}

}  // namespace

TEST_CASE("sessions are kept in a file that only its owner can read") {
  test::TemporaryFolder folder;
  const std::string state = folder.path() + "/made/here";
  auto store = ClientStore::open(state);
  REQUIRE(store);
  REQUIRE(store->put_session(session_of("@alice:a")));
  CHECK(mode_of(state) == 0700);
  CHECK(mode_of(state + "/client.db") == 0600);
  for (const auto& file : std::filesystem::directory_iterator(state)) CHECK(mode_of(file.path()) == 0600);
  chmod((state + "/client.db").c_str(), 0644);
  REQUIRE(ClientStore::open(state));
  CHECK(mode_of(state + "/client.db") == 0600);
}

TEST_CASE("sessions come back with the last signed in first") {
  test::TemporaryFolder folder;
  {
    auto store = ClientStore::open(folder.path());
    REQUIRE(store->put_session(session_of("@alice:a")));
    REQUIRE(store->put_session(session_of("@bob:a")));
    REQUIRE(store->put_session(session_of("@alice:a")));
  }
  auto store = ClientStore::open(folder.path());
  const auto sessions = store->sessions();
  REQUIRE(sessions->size() == 2);
  CHECK(sessions->front().user_id == "@alice:a");
  CHECK(sessions->front().access_token == "token of @alice:a");
  CHECK(sessions->front().ca_files == std::vector<std::string>{"/ca.pem", "/b.pem"});
  REQUIRE(store->remove_session("@alice:a"));
  CHECK(store->sessions()->size() == 1);
}

TEST_CASE("what was seen is stored with its position and goes with the session") {
  test::TemporaryFolder folder;
  auto store = ClientStore::open(folder.path());
  REQUIRE(store->put_session(session_of("@alice:a")));
  REQUIRE(store->save_rooms("@alice:a", {"s1", {{"!1", "one"}, {"!2", "two"}}}, {}));
  REQUIRE(store->save_rooms("@alice:a", {"s2", {{"!1", "one again"}}}, {"!2"}));
  auto cached = store->cached_rooms("@alice:a");
  CHECK(cached->since == "s2");
  CHECK(cached->rooms == std::vector<std::pair<std::string, std::string>>{{"!1", "one again"}});
  REQUIRE(store->put_session(session_of("@alice:a")));  // a new device begins anew
  CHECK(store->cached_rooms("@alice:a")->since.empty());
  CHECK(store->cached_rooms("@alice:a")->rooms.empty());
  CHECK(store->save_rooms("@nobody:a", {"s9", {{"!1", "x"}}}, {}));
  CHECK(store->cached_rooms("@nobody:a")->rooms.empty());
}

TEST_CASE("a file that is no database is reported and left alone") {
  test::TemporaryFolder folder;
  const std::string junk(4'096, 'x');
  test::write_file(folder.path() + "/client.db", junk);
  const auto store = ClientStore::open(folder.path());
  REQUIRE_FALSE(store);
  CHECK(store.error().text.find("client.db") != std::string::npos);
  CHECK(test::read_file(folder.path() + "/client.db") == junk);
}

TEST_CASE("an account is picked by id or by name") {
  const std::vector<StoredSession> sessions = {session_of("@alice:a"), session_of("@bob:a"), session_of("@bob:b")};
  CHECK(pick_session(sessions, "")->user_id == "@alice:a");
  CHECK(pick_session(sessions, "alice")->user_id == "@alice:a");
  CHECK(pick_session(sessions, "@bob:b")->user_id == "@bob:b");
  CHECK(pick_session(sessions, "bob").error().code == ErrorCode::invalid_param);
  const auto missing = pick_session(sessions, "carol");
  CHECK(missing.error().text.find("@bob:b") != std::string::npos);
  CHECK_FALSE(pick_session({}, ""));
  CHECK(to_user_id("alice@alpha.test") == "@alice:alpha.test");
  CHECK(to_user_id("@alice:alpha.test") == "@alice:alpha.test");
}

TEST_CASE("one variable names the folder of both configuration and state") {
  setenv("SKERRY_CLIENT_HOME", "/somewhere", 1);
  CHECK(default_paths().state_dir == "/somewhere");
  unsetenv("SKERRY_CLIENT_HOME");
  setenv("XDG_STATE_HOME", "/state", 1);
  setenv("XDG_CONFIG_HOME", "relative", 1);
  setenv("HOME", "/home/me", 1);
  CHECK(default_paths().state_dir == "/state/skerry-client");
  CHECK(default_paths().config_dir == "/home/me/.config/skerry-client");
  unsetenv("XDG_STATE_HOME");
}

TEST_CASE("the command line is read") {
  CHECK(parse({}).arguments.command.empty());
  const auto send = parse({"send", "#a:b", "hello", "there", "--json", "--account", "bob"});
  CHECK_FALSE(send.status);
  CHECK(send.arguments.command == "send");
  CHECK(send.arguments.words == std::vector<std::string>{"hello", "there"});
  CHECK(send.arguments.json);
  CHECK(send.arguments.account == "bob");
  CHECK(parse({"send", "!r", "--", "--dashes"}).arguments.words == std::vector<std::string>{"--dashes"});
  CHECK(parse({"--json", "create", "--name", "Den", "--invite", "@a:b", "--invite", "@c:d"}).arguments.invite.size() ==
        2);
}

TEST_CASE("help is there for everything and mistakes are one line") {
  for (const char* command : {"register", "login", "logout", "whoami", "accounts", "rooms", "create", "join", "invite",
                              "leave", "send", "read", "tail", "members"}) {
    const auto help = parse({command, "--help"});
    CHECK(help.status == 0);
    CHECK(help.out.find(command) != std::string::npos);
  }
  CHECK(parse({"--help"}).status == 0);
  CHECK(parse({"--version"}).out.find("skerry-client") == 0);
  const auto unknown = parse({"frobnicate"});
  CHECK(unknown.status == 2);
  CHECK(unknown.err.find('\n') == unknown.err.size() - 1);
  CHECK(parse({"send"}).status == 2);
  CHECK(parse({"read", "!r", "--limit", "0"}).status == 2);
}

}  // namespace skerry::client
