// skerry exec as its users run it.
#include <csignal>
#include <filesystem>
#include <list>
#include <memory>
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "sandbox/world/sockets.h"
#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"
#include "tests/support/processes.h"
#include "tests/support/pseudo_terminal.h"

using namespace skerry::test;  // NOLINT(google-build-using-namespace)
using skerry::Json;

namespace {

const std::string skerry_program = SKERRY_BIN_DIR "/skerry";

// skerry exec with a shell script, which finds a folder of the test's in $OUT.
class Exec {
 public:
  Exec() { ::setenv("OUT", out_.path().c_str(), 1); }

  Ran runs(const std::string& script, std::vector<std::string> options = {}) const {
    return run(words(script, std::move(options)));
  }
  // Goes on while the script does.
  std::unique_ptr<ChildProcess> starts(const std::string& script, std::vector<std::string> options = {}) const {
    return std::make_unique<ChildProcess>(words(script, std::move(options)), path("output"));
  }
  static std::vector<std::string> words(const std::string& script, std::vector<std::string> options) {
    options.insert(options.begin(), {skerry_program, "exec"});
    options.insert(options.end(), {"--", "/bin/sh", "-c", script});
    return options;
  }
  std::string path(const std::string& name) const { return out_.path() + "/" + name; }
  std::string file(const std::string& name) const { return read_file(path(name)); }
  bool has(const std::string& name) const { return std::filesystem::exists(path(name)); }

 private:
  TemporaryFolder out_;
};

// Tells the test of the network, and that the script runs.
const std::string note_network =
    "cp \"$SKERRY_SANDBOX_JSON\" $OUT/noted.json && mv $OUT/noted.json $OUT/network.json; ";

// Whether nothing is left of the network that a script noted: no process, no folder.
bool gone(const Exec& exec) {
  const Json network = Json::parse(exec.file("network.json"));
  for (const Json& server : network.at("servers")) {
    if (alive(server.at("pid"))) return false;
  }
  const std::filesystem::path authority = network.at("ca_file").get<std::string>();
  return !std::filesystem::exists(authority.parent_path().parent_path());
}

// What `env` printed.
std::string value(const std::string& environment, const std::string& name) {
  std::istringstream lines(environment);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + "=")) return line.substr(name.size() + 1);
  }
  return "";
}

}  // namespace

TEST_CASE("a program finds a network with its users and their room in its environment, and it is gone afterwards") {
  const Exec exec;
  const std::string script =
      note_network +
      "env; test -f \"$SSL_CERT_FILE\" && cat \"$SSL_CERT_FILE\" > $OUT/bundle; "
      "cat \"$SKERRY_CA_FILE\" > $OUT/ca; "
      "\"$SKERRY\" client --account bob@bravo.test send \"$SKERRY_ROOM_ID\" 'Hello from bob' >&2 && "
      "\"$SKERRY\" status >&2; exit 7";
  const Ran ran = exec.runs(script, {"--users", "alice,bob@bravo", "--room"});
  INFO(ran.output);
  CHECK(ran.status == 7);
  CHECK(value(ran.output, "SKERRY_ALICE_USER_ID") == "@alice:alpha.test");
  CHECK(value(ran.output, "SKERRY_BOB_USER_ID") == "@bob:bravo.test");
  CHECK(value(ran.output, "SKERRY_BOB_URL") == value(ran.output, "SKERRY_BRAVO_URL"));
  CHECK(value(ran.output, "SKERRY_BRAVO_HTTPS_URL").starts_with("https://127."));
  CHECK(value(ran.output, "SKERRY_ROOM_ALIAS") == "#room:alpha.test");
  CHECK(ran.output.find("bravo.test  skerry  http://") != std::string::npos);  // `skerry status` means this network
  CHECK(ran.output.find("charlie.test") == std::string::npos);
  CHECK(exec.file("bundle").starts_with(exec.file("ca")));
  if (std::filesystem::exists("/etc/ssl/certs/ca-certificates.crt")) {
    CHECK(exec.file("bundle").find(read_file("/etc/ssl/certs/ca-certificates.crt")) != std::string::npos);
  }
  for (const char* name : {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"}) {
    CHECK(value(ran.output, name) == value(ran.output, "SSL_CERT_FILE"));
  }
  CHECK(gone(exec));
}

TEST_CASE("a program meets rate limits where that is asked for, and its users are there all the same") {
  const Exec exec;
  // More users than a public server registers at once: the preparation itself has to be patient.
  const Ran ran =
      exec.runs(note_network + "env", {"--users", "alice,bob,carol,dora", "--room", "--limits", "real", "--keep"});
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  const Api dora(value(ran.output, "SKERRY_DORA_URL"), value(ran.output, "SKERRY_DORA_TOKEN"));
  const std::string path = std::string(v3) + "/rooms/" + value(ran.output, "SKERRY_ROOM_ID") + "/send/m.room.message/";
  int status = 200;
  for (int sent = 0; sent < 100 && status == 200; ++sent) {
    status = dora.put(path + std::to_string(sent), {{"msgtype", "m.text"}, {"body", "again"}}).status;
  }
  CHECK(status == 429);
  CHECK(run({skerry_program, "reset", "--dir", value(ran.output, "SKERRY_SANDBOX_DIR")}).status == 0);
  CHECK(gone(exec));
}

TEST_CASE("an application service is let in to the server that it is given for") {
  const Exec exec;
  const std::string file = exec.path("bridge.yaml");
  write_file(file, "id: bridge\nurl: null\nas_token: a\nhs_token: b\nsender_localpart: bridge\nnamespaces: {}\n");
  const Ran ran = exec.runs(note_network + "env", {"--appservice", "bravo=" + file, "--keep"});
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  const Answer who = Api(value(ran.output, "SKERRY_BRAVO_URL"), "a").get(std::string(v3) + "/account/whoami");
  CHECK(who.json["user_id"] == "@bridge:bravo.test");
  CHECK(run({skerry_program, "reset", "--dir", value(ran.output, "SKERRY_SANDBOX_DIR")}).status == 0);
  CHECK(gone(exec));
}

TEST_CASE("a kept network stays with everybody in the room until it is reset") {
  const Exec exec;
  const Ran ran = exec.runs(note_network + "env", {"--users", "alice,bob@bravo,carol@charlie", "--room", "--keep"});
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  for (const char* name : {"ALICE", "BOB", "CAROL"}) {
    const std::string prefix = std::string("SKERRY_") + name;
    const Api api(value(ran.output, prefix + "_URL"), value(ran.output, prefix + "_TOKEN"));
    const Answer who = api.get(std::string(v3) + "/account/whoami");
    CHECK(who.json["user_id"] == value(ran.output, prefix + "_USER_ID"));
    CHECK(who.json["device_id"] == value(ran.output, prefix + "_DEVICE_ID"));
    const Answer members =
        api.get(std::string(v3) + "/rooms/" + value(ran.output, "SKERRY_ROOM_ID") + "/joined_members");
    CHECK(members.json["joined"].size() == 3);
  }
  const std::string folder = value(ran.output, "SKERRY_SANDBOX_DIR");
  CHECK(ran.output.find("skerry reset --dir " + folder) != std::string::npos);
  CHECK_FALSE(gone(exec));
  CHECK(run({skerry_program, "reset", "--dir", folder}).status == 0);
  CHECK(gone(exec));
}

TEST_CASE("the exit status tells how the program ended or why there was none") {
  const Exec exec;
  CHECK(exec.runs("true").status == 0);
  CHECK(exec.runs("kill -KILL $$").status == 128 + SIGKILL);
  CHECK(run({skerry_program, "exec", "--", "no-such-program"}).status == 127);
  CHECK(run({skerry_program, "exec", "--", "/etc/passwd"}).status == 126);
  CHECK(run({skerry_program, "exec", "--users", "bob@bravo", "--servers", "1", "--", "true"}).status == 2);
  CHECK(run({skerry_program, "exec", "--room", "--", "true"}).status == 2);
  CHECK(run({skerry_program, "exec", "--users", "alice,alice@alpha", "--", "true"}).status == 2);
  CHECK(run({skerry_program, "exec", "--users", "a.b,a-b", "--", "true"}).status == 2);
  CHECK(run({skerry_program, "exec"}).status == 2);
  const Ran refused = run({skerry_program, "exec", "--users", "NotAName", "--", "true"});
  CHECK(refused.status == 125);
  CHECK(refused.output.find("M_INVALID_USERNAME") != std::string::npos);
}

TEST_CASE("input, output and further descriptors are the program's own") {
  const Exec exec;
  write_file(exec.path("third"), "a third stream\n");
  const Ran ran = run({"/bin/sh", "-c",
                       "echo 'what is piped in' | " + skerry_program +
                           " exec -- sh -c 'cat; cat <&7; echo on stderr >&2' 7<$OUT/third 2>$OUT/errors"});
  CHECK(ran.status == 0);
  CHECK(ran.output == "what is piped in\na third stream\n");
  CHECK(exec.file("errors") == "on stderr\n");
}

TEST_CASE("a signal ends the program, what it started, and the network") {
  const int number = GENERATE(SIGTERM, SIGHUP, SIGKILL);
  const Exec exec;
  const auto skerry = exec.starts("sleep 1000 & echo $! > $OUT/helper; " + note_network + "wait");
  REQUIRE(eventually([&] { return exec.has("network.json"); }));
  const pid_t helper = std::stoi(exec.file("helper"));
  CHECK(alive(helper));
  skerry->signal(number);
  CHECK(skerry->wait() == 128 + number);
  if (number == SIGKILL) {
    CHECK(eventually([&] { return gone(exec); }));
    ::kill(helper, SIGKILL);
    return;
  }
  CHECK(gone(exec));
  CHECK_FALSE(alive(helper));
}

TEST_CASE("a program may take its time at SIGTERM but not for ever") {
  const Exec exec;
  const auto skerry = exec.starts("trap '' TERM; " + note_network + "while :; do sleep 1000; done");
  REQUIRE(eventually([&] { return exec.has("network.json"); }));
  skerry->signal(SIGTERM);
  CHECK(skerry->wait() == 128 + SIGKILL);
  CHECK(gone(exec));
}

TEST_CASE("what a program leaves running when it ends by itself is its own affair") {
  const Exec exec;
  const Ran ran = exec.runs("sleep 1000 >/dev/null 2>&1 & echo $! > $OUT/helper");
  const pid_t helper = std::stoi(exec.file("helper"));
  CHECK(ran.status == 0);
  CHECK(alive(helper));
  ::kill(helper, SIGKILL);
}

TEST_CASE("the end of the caller ends the program and the network") {
  const Exec exec;
  std::string command;
  for (const std::string& word : Exec::words(note_network + "sleep 1000", {})) command += "'" + word + "' ";
  ChildProcess caller({"/bin/sh", "-c", command + "; true"}, exec.path("output"));
  REQUIRE(eventually([&] { return exec.has("network.json"); }));
  caller.signal(SIGKILL);
  CHECK(eventually([&] { return gone(exec); }));
}

TEST_CASE("whoever interrupts the start finds nothing left") {
  const Exec exec;
  const int number = GENERATE(SIGINT, SIGTERM);
  ::setenv("TMPDIR", exec.path("").c_str(), 1);
  const auto skerry = exec.starts("true", {"--servers", "8"});
  ::unsetenv("TMPDIR");
  const auto folders = [&] {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(exec.path(""))) {
      if (entry.is_directory()) found.push_back(entry.path());
    }
    return found;
  };
  REQUIRE(eventually([&] { return !folders().empty() || !skerry->running(); }));
  skerry->signal(number);
  const int status = skerry->wait();
  CHECK((status == 128 + number || status == 0));  // 0: it was quicker
  CHECK(folders().empty());
}

TEST_CASE("Ctrl-C reaches the program once, in the foreground of its terminal, and the network goes when it ends") {
  const Exec exec;
  // Fields of /proc/PID/stat: the process group, and the terminal's foreground process group.
  // A shell may end its `read` for a signal that it has a trap for.
  const std::string script =
      "read -r _ _ _ _ group _ _ foreground _ < /proc/$$/stat; "
      "test $group = $foreground && echo in the foreground; count=0; "
      "trap 'count=$((count + 1)); echo interrupted $count' INT; " +
      note_network + "echo ready; until read -r line; do :; done; echo read $line; exit 9";
  PseudoTerminal terminal(Exec::words(script, {}), {});
  REQUIRE(terminal.shows("ready"));
  CHECK(terminal.shows("in the foreground"));
  terminal.type("\x03");
  CHECK(terminal.shows("interrupted 1"));
  terminal.type("a line\n");
  CHECK(terminal.shows("read a line"));
  CHECK(terminal.wait() == 9);
  CHECK(terminal.screen().find("interrupted 2") == std::string::npos);
  CHECK(gone(exec));
}

TEST_CASE("a dozen networks at once do not disturb each other") {
  constexpr int dozen = 12;
  std::list<Exec> networks;
  std::vector<std::unique_ptr<ChildProcess>> running;
  for (int i = 0; i < dozen; ++i) {
    networks.emplace_back();  // $OUT is this one's from now on
    running.push_back(networks.back().starts(
        "env > $OUT/env; " + note_network + "until test -e $OUT/enough; do sleep 0.1; done", {"--users", "alice"}));
  }
  std::vector<Api> alices;
  for (const Exec& network : networks) {
    REQUIRE(eventually([&] { return network.has("network.json"); }));
    const std::string environment = network.file("env");
    alices.emplace_back(value(environment, "SKERRY_ALICE_URL"), value(environment, "SKERRY_ALICE_TOKEN"));
  }
  const std::string whoami = std::string(v3) + "/account/whoami";
  for (std::size_t i = 0; i < alices.size(); ++i) {
    CHECK(alices[i].get(whoami).json["user_id"] == "@alice:alpha.test");
    CHECK(alices[i].as(alices[(i + 1) % alices.size()].access_token()).get(whoami).status == 401);
  }
  for (const Exec& network : networks) write_file(network.path("enough"), "");
  std::size_t i = 0;
  for (const Exec& network : networks) {
    CHECK(running[i++]->wait() == 0);
    CHECK(gone(network));
  }
}
