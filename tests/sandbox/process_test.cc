// skerry as its users run it: real processes, in folders of their own.
#include <arpa/inet.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "sandbox/world/sockets.h"
#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"
#include "tests/support/processes.h"
#include "tests/support/sandbox_folder.h"

using namespace skerry::test;  // NOLINT(google-build-using-namespace)
using skerry::Json;

namespace {

const std::string skerry_program = SKERRY_BIN_DIR "/skerry";

// An environment variable for the length of a test.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  ~Variable() {
    if (before_) {
      ::setenv(name_, before_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

pid_t supervisor_of(const SandboxFolder& folder) {  // 0: none
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string command = read_file(entry.path().string() + "/cmdline");
    if (command.find("supervise") != std::string::npos && command.find(folder.path()) != std::string::npos) {
      return std::stoi(entry.path().filename());
    }
  }
  return 0;
}

std::vector<pid_t> pids(const Json& sandbox) {
  std::vector<pid_t> out;
  for (const Json& server : sandbox.at("servers")) out.push_back(server.at("pid"));
  return out;
}

bool answers(const Json& server) { return Api(server.at("client_url")).get("/_matrix/client/versions").status == 200; }

// What is left of a sandbox that was up: a process, or somebody listening at its addresses. "" when nothing is. Where
// another sandbox has taken the addresses already, they were free.
std::string left_of(const SandboxFolder& folder, const Json& sandbox) {
  if (supervisor_of(folder) != 0) return "the supervisor";
  for (const pid_t pid : pids(sandbox)) {
    if (alive(pid)) return "process " + std::to_string(pid);
  }
  const std::string address = sandbox.at("dns_address");
  const int number = std::stoi(address.substr(address.find('.') + 1));
  const auto slot = skerry::sandbox::take_slot(number);
  if (!slot || slot->number != number) return "";
  for (const Json& server : sandbox.at("servers")) {
    const std::string url = server.at("client_url").get<std::string>().substr(7);
    const std::string federation = server.at("federation_address");
    for (const std::string& place : {url, federation}) {
      const auto colon = place.find(':');
      const auto port = static_cast<std::uint16_t>(std::stoi(place.substr(colon + 1)));
      if (!skerry::sandbox::can_listen(place.substr(0, colon), port)) return "a listener at " + place;
    }
  }
  return "";
}

}  // namespace

TEST_CASE("up starts servers that answer and down leaves nothing but the data") {
  const SandboxFolder folder("/a folder with spaces");
  const Json up = folder.json({"up", "--servers", "2"});
  CHECK(up.at("version") == 1);
  REQUIRE(up.at("servers").size() == 2);
  CHECK(up["servers"][0]["name"] == "alpha.test");
  CHECK(up["servers"][1]["name"] == "bravo.test");
  for (const Json& server : up["servers"]) {
    CHECK(answers(server));
    CHECK(server.at("memory_bytes").get<std::uint64_t>() > 0);
    CHECK(server.at("state") == "running");
    CHECK(alive(server.at("pid")));
  }
  CHECK(std::filesystem::exists(up.at("ca_file").get<std::string>()));
  CHECK(Json::parse(read_file(folder.path() + "/sandbox.json")).at("servers").size() == 2);
  struct stat status {};
  REQUIRE(::stat((folder.path() + "/authority/ca.key").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);

  CHECK(folder.skerry({"down"}).status == 0);
  CHECK(left_of(folder, up) == "");
  CHECK(folder.state("alpha.test") == "stopped");
  CHECK(folder.skerry({"down"}).status == 0);  // nothing to do
}

TEST_CASE("accounts and the authority survive down and up and do not survive reset") {
  const SandboxFolder folder;
  const Json first = folder.json({"up", "--servers", "1"});
  const std::string authority = read_file(first.at("ca_file"));
  const Json alice = folder.json({"register", "alice@alpha.test"});
  CHECK(alice.at("user_id") == "@alice:alpha.test");
  CHECK_FALSE(alice.at("device_id").get<std::string>().empty());
  folder.skerry({"down"});

  const Json second = folder.json({"up"});
  CHECK(second.at("servers").size() == 1);  // as many as the last time
  CHECK(read_file(second.at("ca_file")) == authority);
  const std::string url = second["servers"][0]["client_url"];
  CHECK(Api(url, alice.at("access_token")).get("/_matrix/client/v3/account/whoami").status == 200);

  CHECK(folder.skerry({"reset"}).status == 0);
  CHECK_FALSE(std::filesystem::exists(folder.path() + "/servers"));
  CHECK(folder.skerry({"status"}).status == 1);
}

TEST_CASE("what cannot be added is told and changes nothing") {
  const SandboxFolder folder;
  CHECK(folder.skerry({"add", "synapse", "syn"}).status == 1);  // nothing is up
  folder.json({"up", "--servers", "1"});
  CHECK(folder.skerry({"add", "dendrite", "den"}).status == 2);
  CHECK(folder.skerry({"add", "synapse", "alpha"}).status == 1);
  CHECK(folder.skerry({"add", "synapse", "UPPER"}).status == 1);
  const TemporaryFolder nothing;
  const Variable path("PATH", nothing.path());
  const Variable cache("XDG_CACHE_HOME", nothing.path());
  const Ran without_python = folder.skerry({"add", "synapse", "syn"});
  CHECK(without_python.status == 1);
  CHECK(without_python.output.find("Synapse cannot be installed: there is no python3 in PATH") != std::string::npos);
  const Variable python("SKERRY_SYNAPSE_PYTHON", nothing.path() + "/python");
  CHECK(folder.skerry({"add", "synapse", "syn"}).output.find("SKERRY_SYNAPSE_PYTHON") != std::string::npos);
  CHECK(folder.json({"status"}).at("servers").size() == 1);
}

TEST_CASE("packages that cannot be had are told by the end of the log and are tried again the next time") {
  const SandboxFolder folder;
  folder.json({"up", "--servers", "1"});
  const TemporaryFolder bin;
  const TemporaryFolder cache_home;
  const Variable cache("XDG_CACHE_HOME", cache_home.path());
  const Variable path("PATH", bin.path() + ":/usr/bin:/bin");
  // It makes no environment and tells why.
  write_file(bin.path() + "/python3", "#!/bin/sh\necho 'no venv on this machine'\nexit 1\n");
  std::filesystem::permissions(bin.path() + "/python3", std::filesystem::perms::owner_all);
  for (int time = 0; time < 2; ++time) {
    const Ran ran = folder.skerry({"add", "synapse", "syn"});
    CHECK(ran.status == 1);
    CHECK(ran.output.find("is installed into " + cache_home.path() + "/skerry/synapse-") != std::string::npos);
    CHECK(ran.output.find("Synapse cannot be installed: the end of ") != std::string::npos);
    CHECK(ran.output.find("no venv on this machine") != std::string::npos);
  }
  CHECK(folder.json({"status"}).at("servers").size() == 1);
}

TEST_CASE("an added server is reached by its name and remembered and gone after reset") {
  const TemporaryFolder cache_home;
  const Variable cache("XDG_CACHE_HOME", cache_home.path());
  const SandboxFolder folder;
  folder.json({"up", "--servers", "1"});
  // Stands for Synapse's Python: takes the words that it is started with, and ends.
  const std::string environment = cache_home.path() + "/skerry/synapse-1.163.2";
  std::filesystem::create_directories(environment + "/bin");
  write_file(environment + "/whole", "");
  write_file(environment + "/bin/python", "#!/bin/sh\necho \"started with $*\"\nexit 3\n");
  std::filesystem::permissions(environment + "/bin/python", std::filesystem::perms::owner_all);
  const Ran added = folder.skerry({"add", "synapse", "syn"});
  CHECK(added.status == 1);  // it never answers
  CHECK(added.output.find("syn.test ended") != std::string::npos);
  CHECK(added.output.find("started with " + folder.path() + "/servers/syn.test/launch.py") != std::string::npos);
  CHECK(folder.state("syn.test") == "stopped");
  const Json servers = folder.json({"status"}).at("servers");
  REQUIRE(servers.size() == 2);
  CHECK(servers[0].at("kind") == "skerry");
  CHECK(servers[1].at("kind") == "synapse");
  CHECK(folder.skerry({"add", "synapse", "syn"}).status == 1);  // here already
  const Json config = Json::parse(read_file(folder.path() + "/servers/syn.test/homeserver.yaml"));
  CHECK(config.at("server_name") == "syn.test");
  CHECK(config.at("federation_custom_ca_list").at(0) == folder.path() + "/authority/ca.pem");
  CHECK_FALSE(config.contains("federation_verify_certificates"));  // Synapse's default is to verify
  const std::string key = read_file(folder.path() + "/servers/syn.test/signing.key");
  CHECK(key.starts_with("ed25519 a_"));

  folder.skerry({"down"});
  folder.skerry({"up"});  // fails, as syn.test does, and takes everything down
  CHECK(read_file(folder.path() + "/servers/syn.test/signing.key") == key);
  CHECK(folder.state("syn.test") == "stopped");
  CHECK(folder.skerry({"reset"}).status == 0);
  CHECK(folder.json({"up"}).at("servers").size() == 3);
}

TEST_CASE("an added server is run by the program that it was added with, whatever the environment is later") {
  const SandboxFolder folder;
  folder.json({"up", "--servers", "1"});
  const TemporaryFolder empty;
  const Variable cache("XDG_CACHE_HOME", empty.path());
  const Variable path("PATH", empty.path());  // nothing could be installed
  const auto write_program = [&](const std::string& name) {
    const std::string file = empty.path() + "/" + name;
    write_file(file, "#!/bin/sh\necho '" + name + " starts'\nexit 3\n");
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file;
  };
  const std::string first = write_program("first");
  const std::string second = write_program("second");
  {
    const Variable python("SKERRY_SYNAPSE_PYTHON", first);
    CHECK(folder.skerry({"add", "synapse", "syn"}).output.find("first starts") != std::string::npos);
  }
  // Each time the end of its log is told, which is taken away in between.
  const std::string log = folder.path() + "/servers/syn.test/log";
  REQUIRE(std::filesystem::remove(log));
  CHECK(folder.skerry({"start", "syn"}).output.find("first starts") != std::string::npos);
  folder.skerry({"down"});
  REQUIRE(std::filesystem::remove(log));
  CHECK(folder.skerry({"up"}).output.find("first starts") != std::string::npos);
  {
    const Variable python("SKERRY_SYNAPSE_PYTHON", second);
    CHECK(folder.skerry({"up"}).output.find("second starts") != std::string::npos);
  }
}

TEST_CASE("a killed server is seen and started again and the others go on") {
  const SandboxFolder folder;
  const Json up = folder.json({"up", "--servers", "2"});
  CHECK(folder.skerry({"kill", "alpha"}).status == 0);
  CHECK_FALSE(alive(up["servers"][0]["pid"]));
  CHECK(folder.state("alpha.test") == "killed");
  CHECK(answers(up["servers"][1]));
  CHECK(folder.skerry({"kill", "alpha"}).status == 1);
  CHECK(folder.skerry({"start", "alpha.test"}).status == 0);
  CHECK(answers(up["servers"][0]));

  SECTION("also when it ended by itself") {
    const pid_t pid = folder.json({"status"})["servers"][0]["pid"];
    REQUIRE(::kill(pid, SIGTERM) == 0);
    CHECK(eventually([&] { return folder.state("alpha.test") == "stopped"; }));
    CHECK(folder.json({"up"})["servers"][0]["state"] == "running");
    CHECK(answers(up["servers"][0]));
  }
}

TEST_CASE("a blocked server lives but nobody reaches it until it is unblocked or started anew") {
  const SandboxFolder folder;
  const Json up = folder.json({"up", "--servers", "2"});
  CHECK(folder.skerry({"block", "alpha.test"}).status == 0);
  CHECK(folder.state("alpha.test") == "blocked");
  CHECK(alive(up["servers"][0]["pid"]));
  CHECK_FALSE(answers(up["servers"][0]));
  CHECK(answers(up["servers"][1]));
  CHECK(folder.skerry({"unblock", "alpha.test"}).status == 0);
  CHECK(answers(up["servers"][0]));

  CHECK(folder.skerry({"block", "alpha.test"}).status == 0);
  folder.skerry({"down"});
  const Json again = folder.json({"up"});  // elsewhere, where another sandbox took the place meanwhile
  CHECK(again["servers"][0]["state"] == "running");
  CHECK(answers(again["servers"][0]));
}

TEST_CASE("an open connection is reset when its server is blocked") {
  const SandboxFolder folder;
  const Json up = folder.json({"up", "--servers", "1"});
  const std::string place = up["servers"][0]["client_url"].get<std::string>().substr(7);
  const auto colon = place.find(':');
  const skerry::sandbox::Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(place.substr(colon + 1))));
  REQUIRE(::inet_pton(AF_INET, place.substr(0, colon).c_str(), &address.sin_addr) == 1);
  REQUIRE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const std::string request = "GET /_matrix/client/versions HTTP/1.1\r\nHost: alpha.test\r\n\r\n";
  REQUIRE(::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) > 0);
  char buffer[4'096];
  REQUIRE(::recv(socket.get(), buffer, sizeof buffer, 0) > 0);  // through the gateway and back

  folder.skerry({"block", "alpha.test"});
  const timeval patience{20, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ssize_t size = 1;
  while (size > 0) size = ::recv(socket.get(), buffer, sizeof buffer, 0);
  CHECK(size < 0);
  CHECK(errno == ECONNRESET);
}

TEST_CASE("a sandbox without a gateway works and blocks nobody") {
  const SandboxFolder folder;
  const Json up = folder.json({"up", "--servers", "1", "--direct"});
  CHECK(answers(up["servers"][0]));
  const Ran blocked = folder.skerry({"block", "alpha.test"});
  CHECK(blocked.status == 1);
  CHECK(blocked.output.find("gateway") != std::string::npos);
  CHECK(folder.skerry({"link", "alpha", "clients", "--down"}).output.find("gateway") != std::string::npos);
  CHECK(folder.skerry({"freeze", "alpha"}).status == 0);
}

TEST_CASE("faults are shown to people and programs, end with heal and with down, and keep nobody from going down") {
  const SandboxFolder folder;
  const Json up = folder.json({"up", "--servers", "2"});
  CHECK(up.at("faults").empty());
  CHECK(folder.skerry({"link", "alpha", "bravo", "--latency", "5", "--rate", "640"}).status == 0);
  CHECK(folder.skerry({"freeze", "bravo"}).status == 0);
  CHECK(folder.skerry({"partition", "alpha", "/", "bravo,clients"}).output.find("alpha.test / bravo.test,clients") !=
        std::string::npos);
  CHECK_FALSE(answers(up["servers"][0]));
  const Json faults = folder.json({"faults"}).at("faults");
  REQUIRE(faults.size() == 4);
  CHECK(faults[0]["latency_ms"] == 5);
  CHECK(faults[0]["rate_kbit"] == 640);
  CHECK(faults[2]["kind"] == "freeze");
  CHECK(faults[3]["hits"].get<int>() > 0);
  CHECK(folder.json({"status"}).at("faults").size() == 4);
  CHECK(folder.skerry({"status"}).output.find("latency 5ms, rate 640 kbit/s") != std::string::npos);
  CHECK(folder.skerry({"up"}).status == 0);  // waits for nobody who cannot answer
  SECTION("heal") {
    CHECK(folder.json({"heal", "link"}).at("faults").size() == 2);
    CHECK(folder.json({"heal"}).at("faults").empty());
    CHECK(answers(up["servers"][0]));
    CHECK(answers(up["servers"][1]));
    CHECK(folder.skerry({"heal", "wounds"}).output.find("partition") != std::string::npos);
    CHECK(folder.skerry({"link", "alpha", "bravo"}).status == 2);
    CHECK(folder.skerry({"link", "alpha", "bravo", "--down", "--stall"}).status == 2);
  }
  SECTION("down") {
    CHECK(folder.skerry({"down"}).status == 0);
    CHECK(left_of(folder, up) == "");
    CHECK(folder.json({"up"}).at("faults").empty());
  }
}

TEST_CASE("a sandbox has the rate limits of a public server where that is asked for") {
  const SandboxFolder folder;
  const Json up = folder.json({"up", "--servers", "1", "--limits", "real"});
  const Json alice = folder.json({"register", "alice@alpha.test"});
  const Api api(up["servers"][0]["client_url"], alice.at("access_token"));
  const Json made = api.post(std::string(v3) + "/createRoom").json;
  const std::string path =
      std::string(v3) + "/rooms/" + made.at("room_id").get<std::string>() + "/send/m.room.message/";
  Answer answer;
  int sent = 0;
  for (; sent < 100; ++sent) {
    answer = api.put(path + std::to_string(sent), {{"msgtype", "m.text"}, {"body", "again"}});
    if (answer.status != 200) break;
  }
  CHECK(sent >= 9);  // ten at once, and what grew back meanwhile
  CHECK(answer.status == 429);
  CHECK(answer.errcode() == "M_LIMIT_EXCEEDED");
  CHECK(answer.json.at("retry_after_ms").get<int>() > 0);
  CHECK_FALSE(answer.header("Retry-After").empty());

  CHECK(folder.skerry({"up", "--limits", "much"}).status == 2);
  folder.skerry({"down"});
  folder.json({"up"});
  const Ran other = folder.skerry({"up", "--limits", "real"});
  CHECK(other.status == 1);
  CHECK(other.output.find("without rate limits") != std::string::npos);
}

TEST_CASE("two sandboxes run side by side") {
  const SandboxFolder one, two;
  const Json first = one.json({"up", "--servers", "1"});
  const Json second = two.json({"up", "--servers", "1"});
  CHECK(first["servers"][0]["client_url"] != second["servers"][0]["client_url"]);
  CHECK(first.at("dns_address") != second.at("dns_address"));
  CHECK(answers(first["servers"][0]));
  one.skerry({"down"});
  CHECK(left_of(one, first) == "");
  CHECK(answers(second["servers"][0]));
}

TEST_CASE("up finds a sandbox that is up") {
  const SandboxFolder folder;
  const Json first = folder.json({"up", "--servers", "1"});
  const Json second = folder.json({"up"});
  CHECK(pids(first) == pids(second));
  const Ran other = folder.skerry({"up", "--servers", "2"});
  CHECK(other.status == 1);
  CHECK(other.output.find("is up with 1 server") != std::string::npos);
}

TEST_CASE("servers end with their supervisor even when it is killed") {
  const SandboxFolder folder;
  const Json up = folder.json({"up", "--servers", "2"});
  const pid_t supervisor = supervisor_of(folder);
  REQUIRE(supervisor > 0);
  REQUIRE(::kill(supervisor, SIGKILL) == 0);
  CHECK(eventually([&] { return left_of(folder, up).empty(); }));
  CHECK(folder.state("alpha.test") == "killed");
  CHECK(folder.json({"up"})["servers"][0]["state"] == "running");  // with the same data
}

TEST_CASE("an interrupted up leaves nothing running") {
  const int number = GENERATE(SIGINT, SIGTERM, SIGKILL);
  const SandboxFolder folder("/sandbox");
  ChildProcess up({skerry_program, "up", "--servers", "8", "--dir", folder.path()}, folder.root().path() + "/output");
  REQUIRE(eventually([&] { return std::filesystem::exists(folder.path() + "/sandbox.json"); }));
  const Json sandbox = Json::parse(read_file(folder.path() + "/sandbox.json"));
  up.signal(number);
  const int status = up.wait();
  if (number != SIGKILL && status != 0) {
    CHECK(left_of(folder, sandbox) == "");  // at once: it waited for that
  }
  if (status != 0) CHECK(eventually([&] { return left_of(folder, sandbox).empty(); }));
  if (status == 0) CHECK(folder.skerry({"down"}).status == 0);  // it was quicker
}

TEST_CASE("an up that fails says why and leaves nothing running") {
  const SandboxFolder folder;
  REQUIRE(folder.skerry({"up", "--servers", "2"}).status == 0);
  folder.skerry({"down"});
  const std::string key = folder.path() + "/servers/bravo.test/data/signing.key";
  REQUIRE(std::filesystem::exists(key));
  write_file(key, "this is no key\n");
  const Ran up = folder.skerry({"up"});
  CHECK(up.status == 1);
  CHECK(up.output.find("bravo.test") != std::string::npos);
  CHECK(up.output.find("signing.key") != std::string::npos);  // the server's own words
  CHECK(folder.state("alpha.test") == "stopped");
}

TEST_CASE("unknown names list the known ones and every command has help") {
  const SandboxFolder folder;
  folder.skerry({"up", "--servers", "2"});
  const Ran unknown = folder.skerry({"kill", "delta.test"});
  CHECK(unknown.status == 1);
  CHECK(unknown.output.find("alpha.test bravo.test") != std::string::npos);
  const Ran log = folder.skerry({"logs", "delta.test"});
  CHECK(log.output.find("alpha.test bravo.test supervisor") != std::string::npos);
  CHECK(folder.skerry({"logs", "alpha"}).output.find("listening") != std::string::npos);
  for (const char* command :
       {"up",   "status",    "down",  "reset", "logs",    "kill",   "start", "block", "unblock",  "freeze", "thaw",
        "link", "partition", "clock", "dns",   "backoff", "faults", "heal",  "chat",  "register", "client", "demo"}) {
    const Ran help = run({skerry_program, command, "--help"});
    INFO(command << ": " << help.output);
    CHECK(help.status == 0);
    CHECK(help.output.find("Usage") != std::string::npos);
  }
  const Ran strange = run({skerry_program, "dance"});
  CHECK(strange.status == 2);
  CHECK(strange.output.find("unblock") != std::string::npos);
}

TEST_CASE("the client runs with the sandbox's sessions and servers") {
  const SandboxFolder folder;
  folder.skerry({"up", "--servers", "1"});
  const std::vector<std::string> client = {skerry_program, "client", "--dir", folder.path()};
  const auto words = [&client](std::vector<std::string> more) {
    more.insert(more.begin(), client.begin(), client.end());
    return more;
  };
  const Ran made = run(words({"register", "bob@alpha.test", "--password", "correct horse"}));
  INFO(made.output);
  CHECK(made.status == 0);
  const Ran who = run(words({"--account", "bob@alpha.test", "whoami"}));
  CHECK(who.output.find("@bob:alpha.test") == 0);
  CHECK(std::filesystem::exists(folder.path() + "/client/client.db"));
  REQUIRE(folder.skerry({"register", "carol@alpha.test"}).status == 0);
  CHECK(run(words({"--account", "@carol:alpha.test", "whoami"})).output.find("@carol:alpha.test") == 0);
  CHECK(run(words({"--account", "@nobody:alpha.test", "whoami"})).status == 1);
}

TEST_CASE("the client finds a room by its address though the server of that address is away") {
  const SandboxFolder folder;
  folder.skerry({"up", "--servers", "2"});
  const auto client = [&](const std::string& account, std::vector<std::string> words) {
    words.insert(words.begin(), {skerry_program, "client", "--dir", folder.path(), "--account", account});
    const Ran ran = run(words);
    INFO(ran.output);
    CHECK(ran.status == 0);
  };
  REQUIRE(folder.skerry({"register", "alice@alpha.test"}).status == 0);
  REQUIRE(folder.skerry({"register", "bob@bravo.test"}).status == 0);
  client("alice@alpha.test", {"create", "--public", "--name", "Lobby", "--alias", "lobby"});
  client("bob@bravo.test", {"join", "#lobby:alpha.test"});
  REQUIRE(folder.skerry({"block", "alpha"}).status == 0);
  client("bob@bravo.test", {"send", "#lobby:alpha.test", "still here"});
}
