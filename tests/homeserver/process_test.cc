// The process as a whole: starting, stopping, its folder and its log.
#include <future>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::test;

TEST_CASE("a second server on the same folder is refused and the first goes on") {
  HomeserverProcess server;
  const Ran second = run({homeserver_program(), "--config", server.config_file()});
  CHECK(second.status == 1);
  CHECK_THAT(second.output, Catch::Contains("another process") || Catch::Contains("in use"));
  CHECK(Api(server.url()).get("/_matrix/client/versions").status == 200);
}

TEST_CASE("the signing key is its owner's only and one that is broken stops the start") {
  HomeserverProcess server;
  const std::string file = server.folder() + "/data/signing.key";
  struct stat about {};
  REQUIRE(::stat(file.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  CHECK(server.stop() == 0);
  write_file(file, "ed25519 a_1 short\n");
  const Ran broken = run({homeserver_program(), "--config", server.config_file()});
  CHECK(broken.status == 1);
  CHECK_THAT(broken.output, Catch::Contains("signing.key"));
}

TEST_CASE("an address that cannot be listened on stops the start and is named") {
  HomeserverProcess server;
  const TemporaryFolder folder;
  write_file(folder.path() + "/c.toml",
             "server_name = \"b.test\"\ndata_folder = \"data\"\n[[listeners]]\naddress = "
             "\"127.0.0.1\"\nport = " +
                 std::to_string(server.port()) + "\n");
  const Ran taken = run({homeserver_program(), "--config", folder.path() + "/c.toml"});
  CHECK(taken.status == 1);
  CHECK_THAT(taken.output, Catch::Contains("127.0.0.1:" + std::to_string(server.port())));
}

TEST_CASE("a data folder that cannot be written stops the start and is named") {
  const TemporaryFolder folder;
  write_file(folder.path() + "/data", "a file, not a folder");
  write_file(folder.path() + "/c.toml",
             "server_name = \"b.test\"\ndata_folder = \"data\"\n[[listeners]]\naddress = \"127.0.0.1\"\nport = 0\n");
  const Ran refused = run({homeserver_program(), "--config", folder.path() + "/c.toml"});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.output, Catch::Contains(folder.path() + "/data"));
}

TEST_CASE("SIGTERM answers a waiting sync and ends with 0") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string since = alice.get(std::string(v3) + "/sync").json.at("next_batch").get<std::string>();
  auto waiting =
      std::async(std::launch::async, [&] { return alice.get(std::string(v3) + "/sync?timeout=60000&since=" + since); });
  // Whether the sync already waits or only comes in now, the end must come soon and well.
  CHECK(alice.get("/_matrix/client/versions").status == 200);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(server.stop() == 0);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(8));
  const Answer answer = waiting.get();
  CHECK((answer.status == 200 || answer.status == 0));
  server.start();
  CHECK(Api(server.url(), alice.access_token()).get(std::string(v3) + "/sync?since=" + since).status == 200);
}

TEST_CASE("neither tokens nor passwords nor addresses are in the log") {
  HomeserverOptions options;
  options.rate_limits = true;
  HomeserverProcess server(options);
  Api api(server.url());
  const Api alice = api.register_user("alice", "the-first-password");
  api.post(std::string(v3) + "/login",
           {{"type", "m.login.password"}, {"user", "alice"}, {"password", "a-wrong-password"}});
  alice.get(std::string(v3) + "/account/whoami?access_token=" + alice.access_token());
  alice.get("/_matrix/client/v3/nothing?access_token=" + alice.access_token());
  api.request("POST", std::string(v3) + "/login", "{\"password\":\"a-third-password\"");
  CHECK(server.stop() == 0);
  const std::string log = server.log();
  CHECK_THAT(log, Catch::Contains("refused a login"));
  CHECK_THAT(log, !Catch::Contains(alice.access_token()));
  CHECK_THAT(log, !Catch::Contains("the-first-password"));
  CHECK_THAT(log, !Catch::Contains("a-wrong-password"));
  CHECK_THAT(log, !Catch::Contains("a-third-password"));
  CHECK_THAT(log, !Catch::Contains("from 127.0.0.1"));
}

TEST_CASE("a refused login is logged with its address where the configuration asks for that") {
  HomeserverOptions options;
  options.top = "log_ip_addresses = true";
  HomeserverProcess server(options);
  Api(server.url())
      .post(std::string(v3) + "/login", {{"type", "m.login.password"}, {"user", "alice"}, {"password", "x"}});
  CHECK(server.stop() == 0);
  CHECK_THAT(server.log(), Catch::Contains("refused a login, from 127.0.0.1"));
}
