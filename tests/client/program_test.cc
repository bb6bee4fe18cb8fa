// skerry-client as a program: commands for scripts, and the chat screen in a pseudo-terminal.
#include <signal.h>
#include <sstream>
#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/client/fake_homeserver.h"
#include "tests/support/homeserver_process.h"
#include "tests/support/pseudo_terminal.h"

namespace skerry::test {
namespace {

const std::string program = SKERRY_BIN_DIR "/skerry-client";
const std::string bob = "@bob:fake.test";

// A client with a home of its own, signed in at a fake homeserver.
struct Client {
  FakeHomeserver server;
  TemporaryFolder home;

  std::vector<std::string> command(std::vector<std::string> words) const {
    std::vector<std::string> out = {"/usr/bin/env", "SKERRY_CLIENT_HOME=" + home.path(), "SKERRY_PASSWORD=", program};
    out.insert(out.end(), words.begin(), words.end());
    return out;
  }
  Ran run(std::vector<std::string> words) const { return test::run(command(std::move(words))); }
  // An object a line.
  std::vector<Json> lines(std::vector<std::string> words) const {
    words.push_back("--json");
    const Ran ran = run(std::move(words));
    INFO(ran.output);
    REQUIRE(ran.status == 0);
    std::vector<Json> out;
    std::istringstream stream(ran.output);
    for (std::string line; std::getline(stream, line);) out.push_back(Json::parse(line));
    return out;
  }
  void log_in() const { REQUIRE(run({"login", "alice", "--server", server.url(), "--password", "right"}).status == 0); }

  std::map<std::string, std::string> environment() const {
    return {{"SKERRY_CLIENT_HOME", home.path()}, {"TERM", "xterm-256color"}, {"LC_ALL", "C.UTF-8"}, {"TZ", "UTC"}};
  }
  std::unique_ptr<PseudoTerminal> chat(std::vector<std::string> words = {}, int rows = 24, int columns = 80) const {
    words.insert(words.begin(), program);
    return std::make_unique<PseudoTerminal>(words, environment(), rows, columns);
  }
};

bool one_error_line(const Ran& ran) {
  return ran.status == 1 && ran.output.starts_with("skerry-client: ") && ran.output.find('\n') == ran.output.size() - 1;
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace

TEST_CASE("registering tells what was sent and sends no more than that") {
  Client client;
  const Ran ran = client.run({"register", "alice", "--server", client.server.url(), "--password", "pw"});
  CHECK(ran.status == 0);
  CHECK(ran.output.find("@alice:fake.test is registered") != std::string::npos);
  CHECK(ran.output.find("sent: username, password — no phone, no email") != std::string::npos);
  CHECK(ran.output.find("secret-token") == std::string::npos);
  for (const Json& body : client.server.bodies("/register")) {
    for (const auto& [key, value] : body.items()) CHECK((key == "username" || key == "password" || key == "auth"));
  }
  CHECK(client.lines({"whoami"}).at(0)["user_id"] == FakeHomeserver::user_id);
}

TEST_CASE("a refused password is one line without what could act on a terminal") {
  Client client;
  const Ran ran = client.run({"login", "alice", "--server", client.server.url(), "--password", "wrong"});
  CHECK(one_error_line(ran));
  CHECK(ran.output.find('\x1b') == std::string::npos);
  CHECK(ran.output.find("M_FORBIDDEN") != std::string::npos);
  CHECK(one_error_line(client.run({"rooms"})));
}

TEST_CASE("passwords come from files and variables") {
  Client client;
  write_file(client.home.path() + "/password", "right\nsecond line\n");
  CHECK(
      client
          .run({"login", "alice", "--server", client.server.url(), "--password-file", client.home.path() + "/password"})
          .status == 0);
  auto words = client.command({"login", "alice", "--server", client.server.url()});
  words[2] = "SKERRY_PASSWORD=right";
  CHECK(test::run(words).status == 0);
}

TEST_CASE("a password is asked for without echo") {
  Client client;
  auto terminal = client.chat({"login", "alice", "--server", client.server.url()});
  REQUIRE(terminal->shows("Password of alice:"));
  terminal->type("right\r");
  CHECK(terminal->wait() == 0);
  CHECK(terminal->raw().find("right") == std::string::npos);
  CHECK(terminal->raw().find("Signed in as @alice:fake.test") != std::string::npos);
}

TEST_CASE("rooms and messages and members are listed as objects") {
  Client client;
  client.log_in();
  client.server.say(bob, "hello");
  const Json room = client.lines({"rooms"}).at(0);
  CHECK(room["name"] == "Lobby");
  CHECK(room["unread"] == 1);
  CHECK(client.lines({"send", "Lobby", "hi", "bob"}).at(0)["event_id"].get<std::string>()[0] == '$');
  CHECK(client.server.said_by(FakeHomeserver::user_id) == std::vector<std::string>{"hi bob"});
  const auto read = client.lines({"read", "#lobby:fake.test", "--limit", "2"});
  REQUIRE(read.size() == 2);
  CHECK(read[0]["text"] == "hello");
  CHECK(read[1]["sender"] == FakeHomeserver::user_id);
  CHECK(client.lines({"members", FakeHomeserver::room_id}).size() == 2);
  CHECK(client.lines({"create", "--name", "Den"}).at(0)["room_id"] == FakeHomeserver::room_id);
  CHECK(client.lines({"join", "#lobby:fake.test"}).size() == 1);
  CHECK(client.run({"leave", "Lobby"}).status == 0);
  CHECK(one_error_line(client.run({"send", "#nowhere:fake.test", "x"})));
  CHECK(one_error_line(client.run({"read", "No such room"})));
}

TEST_CASE("reading many messages pages back as far as it must") {
  Client client;
  client.log_in();
  for (int i = 0; i < 75; ++i) client.server.say(bob, "line " + std::to_string(i));
  const auto read = client.lines({"read", "Lobby", "--limit", "70"});
  REQUIRE(read.size() == 70);
  CHECK(read.front()["text"] == "line 5");
  CHECK(read.back()["text"] == "line 74");
}

TEST_CASE("tail shows what comes after it says that it listens") {
  Client client;
  client.log_in();
  client.server.say(bob, "before");
  const std::string output = client.home.path() + "/tail";
  ChildProcess tail(client.command({"tail", "Lobby", "--json", "--count", "2"}), output);
  REQUIRE(eventually([&] { return read_file(output).find("listening") != std::string::npos; }));
  client.server.say(bob, "one \x1b[31m\u202e");
  CHECK(eventually([&] { return read_file(output).find("one ") != std::string::npos; }));
  client.server.say(bob, "two");
  CHECK(tail.wait() == 0);
  const std::string all = read_file(output);
  CHECK(all.find("before") == std::string::npos);
  CHECK(all.find("two") != std::string::npos);
  for (const char c : all) CHECK((c == '\n' || (c >= 0x20 && c < 0x7F)));
}

TEST_CASE("tail goes on when the server was away and ends when its time is over") {
  Client client;
  client.log_in();
  const std::string output = client.home.path() + "/tail";
  ChildProcess tail(client.command({"tail", "--json", "--count", "1"}), output);
  REQUIRE(eventually([&] { return read_file(output).find("listening") != std::string::npos; }));
  client.server.server().stop();
  client.server.server().start();
  client.server.say(bob, "back again");
  CHECK(tail.wait() == 0);
  CHECK(read_file(output).find("back again") != std::string::npos);
  CHECK(client.run({"tail", "--timeout", "0.1"}).status == 0);
}

TEST_CASE("logging out removes the session and its secrets") {
  Client client;
  client.log_in();
  CHECK(client.run({"logout"}).status == 0);
  CHECK(client.server.bodies("/logout").size() == 1);
  CHECK(client.lines({"accounts"}).empty());
  client.log_in();
  client.server.server().stop();
  CHECK(one_error_line(client.run({"logout"})));
  CHECK(client.run({"logout", "--forget"}).status == 0);
}

TEST_CASE("the chat screen shows what is said and says what is typed") {
  Client client;
  client.log_in();
  client.server.say(bob, "hello Alice");
  auto terminal = client.chat({"--status-note", "the servers still run"});
  REQUIRE(terminal->shows("hello Alice"));
  CHECK(terminal->shows("Alice  @alice:fake.test  online"));
  CHECK(terminal->shows("Ctrl-Q quits"));
  terminal->type("good morning 日本語\r");
  CHECK(eventually([&] {
    return client.server.said_by(FakeHomeserver::user_id) == std::vector<std::string>{"good morning 日本語"};
  }));
  CHECK(terminal->shows("good morning 日本語"));
  client.server.say(bob, "a quick answer");
  CHECK(terminal->shows("a quick answer"));
  CHECK(eventually([&] { return !client.server.bodies("/receipt/m.read/").empty(); }));
  terminal->type("/quit\r");
  CHECK(terminal->wait() == 0);
  const std::string& raw = terminal->raw();
  CHECK(raw.find("the servers still run") > raw.find("\x1b[?1049l"));
  CHECK(raw.find("\x1b[?2004l") != std::string::npos);
}

TEST_CASE("what others send never acts on the terminal") {
  Client client;
  client.log_in();
  const std::string evil = "x\x1b]0;owned\x07\x1b[2J\x1bP+q\x1b\\\u009b31m\u202egnp.exe";
  client.server.add({{"type", "m.room.topic"}, {"sender", bob}, {"state_key", ""}, {"content", {{"topic", evil}}}});
  client.server.add({{"type", "m.room.name"}, {"sender", bob}, {"state_key", ""}, {"content", {{"name", evil}}}});
  client.server.add({{"type", "m.room.member"},
                     {"sender", bob},
                     {"state_key", bob},
                     {"content", {{"membership", "join"}, {"displayname", evil}}}});
  client.server.say(bob, evil + "\n" + evil);
  client.server.say(bob, "the end");
  auto terminal = client.chat();
  REQUIRE(terminal->shows("the end"));
  terminal->type("\x11");
  CHECK(terminal->wait() == 0);
  const std::string& raw = terminal->raw();
  CHECK(raw.find("\x1b]") == std::string::npos);
  CHECK(raw.find("\x1bP") == std::string::npos);
  CHECK(raw.find('\x07') == std::string::npos);
  CHECK(raw.find("\u009b") == std::string::npos);
  CHECK(raw.find("\u202e") == std::string::npos);
  CHECK(raw.find("owned") != std::string::npos);  // the harmless letters are shown
  const Ran read = client.run({"read", FakeHomeserver::room_id});
  CHECK(read.output.find('\x1b') == std::string::npos);
  CHECK(read.output.find("\u202e") == std::string::npos);
}

TEST_CASE("the chat screen survives that its server goes away") {
  Client client;
  client.log_in();
  auto terminal = client.chat();
  REQUIRE(terminal->shows("online"));
  client.server.server().stop();
  REQUIRE(terminal->shows("offline — retrying"));
  terminal->type("written in the dark\r");
  CHECK(terminal->shows("written in the dark …"));
  client.server.server().start();
  CHECK(terminal->shows("  online  "));
  CHECK(terminal->hides("written in the dark …"));
  CHECK(client.server.said_by(FakeHomeserver::user_id) == std::vector<std::string>{"written in the dark"});
}

TEST_CASE("a refused message can be sent again by a key") {
  Client client;
  client.log_in();
  client.server.refuse_sending(403);
  auto terminal = client.chat();
  REQUIRE(terminal->shows("online"));
  terminal->type("may I?\r");
  CHECK(terminal->shows("not sent: you may not speak here"));
  client.server.refuse_sending(0);
  terminal->type("\x12");
  CHECK(terminal->hides("not sent"));
  CHECK(terminal->hides("may I? …"));
  CHECK(client.server.said_by(FakeHomeserver::user_id) == std::vector<std::string>{"may I?"});
}

TEST_CASE("the chat screen pages history in and follows the size of its window") {
  Client client;
  client.log_in();
  for (int i = 0; i < 100; ++i) client.server.say(bob, "line " + std::to_string(i) + ".");
  auto terminal = client.chat();
  REQUIRE(terminal->shows("line 99."));
  CHECK(terminal->type_until("\x1b[5~", "line 1."));
  terminal->resize(12, 40);
  CHECK(terminal->shows("Ctrl-Q quits"));
  terminal->type("\x1b");
  CHECK(terminal->shows("line 99."));
  terminal->resize(3, 10);
  CHECK(terminal->shows("too small"));
  terminal->resize(30, 100);
  CHECK(terminal->shows("line 99."));
}

TEST_CASE("a paste of several lines is one message") {
  Client client;
  client.log_in();
  auto terminal = client.chat();
  REQUIRE(terminal->shows("online"));
  terminal->type("\x1b[200~first\rsecond\x1b[201~");
  CHECK(terminal->shows("second"));
  CHECK(client.server.said_by(FakeHomeserver::user_id).empty());
  terminal->type("\r");
  CHECK(eventually(
      [&] { return client.server.said_by(FakeHomeserver::user_id) == std::vector<std::string>{"first\nsecond"}; }));
}

TEST_CASE("signals give the terminal back") {
  Client client;
  client.log_in();
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
    auto terminal = client.chat();
    REQUIRE(terminal->shows("online"));
    terminal->signal(number);
    CHECK(terminal->wait() == 0);
    CHECK(terminal->raw().find("\x1b[?1049l") != std::string::npos);
  }
}

TEST_CASE("what was seen is there at once when the server is not") {
  Client client;
  client.log_in();
  client.server.say(bob, "remember this");
  {
    auto terminal = client.chat();
    REQUIRE(terminal->shows("remember this"));
    terminal->type("\x11");
    REQUIRE(terminal->wait() == 0);
  }
  client.server.server().stop();
  auto terminal = client.chat();
  CHECK(terminal->shows("remember this"));
  CHECK(terminal->shows("offline"));
}

TEST_CASE("without a session the first screen registers with a name and a password") {
  Client client;
  auto terminal = client.chat();
  REQUIRE(terminal->shows("sign in"));
  terminal->type("\x14");
  REQUIRE(terminal->shows("no phone, no email"));
  terminal->type(client.server.url() + "\ralice\rpassword\r");
  REQUIRE(terminal->shows("Lobby"));
  CHECK(client.server.bodies("/register").at(0) == Json{{"username", "alice"}, {"password", "password"}});
  terminal->type("\x11");
  CHECK(terminal->wait() == 0);
  CHECK(client.lines({"accounts"}).size() == 1);
}

TEST_CASE("a program without a terminal says so and fails with two") {
  Client client;
  client.log_in();
  const Ran ran = client.run({});
  CHECK(ran.status == 2);
  CHECK(ran.output.find("needs a terminal") != std::string::npos);
  auto environment = client.environment();
  environment["TERM"] = "dumb";
  PseudoTerminal dumb({program}, environment);
  CHECK(dumb.wait() == 2);
  CHECK(dumb.raw().find("TERM is 'dumb'") != std::string::npos);
}

TEST_CASE("two people chat through a real homeserver") {
  HomeserverProcess homeserver;
  Client client;
  const auto step = [&](std::vector<std::string> words) {
    const Ran ran = client.run(std::move(words));
    INFO(ran.output);
    CHECK(ran.status == 0);
    return ran.output;
  };
  step({"register", "alice", "--server", homeserver.url(), "--password", "one long password"});
  step({"register", "bob", "--server", homeserver.url(), "--password", "another password"});
  step({"-a", "alice", "create", "--name", "Lobby", "--public", "--alias", "lobby", "--invite", "bob@alpha.test"});
  CHECK(step({"-a", "bob", "rooms"}).find("invited by @alice:alpha.test") != std::string::npos);
  step({"-a", "bob", "join", "Lobby"});
  step({"-a", "bob", "send", "#lobby:alpha.test", "hello", "alice"});
  CHECK(step({"-a", "alice", "read", "Lobby"}).find("@bob:alpha.test: hello alice") != std::string::npos);
  auto terminal = client.chat({"--account", "alice"});
  REQUIRE(terminal->shows("hello alice"));
  terminal->type("hello bob\r");
  CHECK(terminal->hides("hello bob …"));
  CHECK(step({"-a", "bob", "read", "Lobby", "--limit", "1"}).find("@alice:alpha.test: hello bob") != std::string::npos);
  terminal->type("\x11");
  CHECK(terminal->wait() == 0);
  step({"-a", "bob", "leave", "Lobby"});
  const std::string closed = client.lines({"-a", "alice", "create", "--name", "Closed"}).at(0).at("room_id");
  const Ran refused = client.run({"-a", "bob", "knock", closed, "--reason", "it is me"});
  CHECK(refused.status == 1);
  CHECK(one_error_line(refused));
  step({"-a", "bob", "logout"});
}

}  // namespace skerry::test
