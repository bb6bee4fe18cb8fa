// Snapshots: what they keep, what comes back, and that a crash leaves nothing half.
#include "sandbox/world/snapshot.h"

#include <filesystem>
#include <fstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/api.h"
#include "tests/support/processes.h"
#include "tests/support/sandbox_folder.h"

using namespace skerry::test;  // NOLINT(google-build-using-namespace)
using skerry::Json;
using skerry::sandbox::Folder;
namespace fs = std::filesystem;

namespace {

void write(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path) << text;
}

// Something like a sandbox that is down.
class Files {
 public:
  Files() {
    write(folder.server("alpha.test") + "/data/skerry.db", "old");
    write(folder.places_json(), R"({"slot":1,"servers":1})");
    write(folder.passwords_json(), "old");
  }
  std::string database() const { return read_file(folder.server("alpha.test") + "/data/skerry.db"); }

  TemporaryFolder root;
  Folder folder{root.path()};
};

Api api_of(const Json& account) { return Api(account.at("client_url"), account.at("access_token")); }

std::string say(const Api& api, const std::string& room, const std::string& text) {
  const auto answer = api.put("/_matrix/client/v3/rooms/" + room + "/send/m.room.message/" + text,
                              {{"msgtype", "m.text"}, {"body", text}});
  REQUIRE(answer.status == 200);
  return answer.json.at("event_id");
}

}  // namespace

TEST_CASE("a snapshot keeps all that a sandbox has and brings it back") {
  Files files;
  REQUIRE(copy_snapshot(files.folder, "s", false));
  REQUIRE(keep_snapshot(files.folder, "s"));
  write(files.folder.server("alpha.test") + "/data/skerry.db", "new");
  write(files.folder.server("alpha.test") + "/data/media/later", "new");
  write(files.folder.client_home() + "/later", "new");
  fs::remove(files.folder.passwords_json());
  REQUIRE(restore_snapshot(files.folder, "s"));
  CHECK(files.database() == "old");
  CHECK(read_file(files.folder.passwords_json()) == "old");
  CHECK(!fs::exists(files.folder.server("alpha.test") + "/data/media/later"));
  CHECK(!fs::exists(files.folder.client_home() + "/later"));
  CHECK(find_snapshot(files.folder, "s")->servers == 1);
}

TEST_CASE("a name that is taken is replaced only when asked") {
  Files files;
  REQUIRE(copy_snapshot(files.folder, "s", false));
  REQUIRE(keep_snapshot(files.folder, "s"));
  write(files.folder.server("alpha.test") + "/data/skerry.db", "new");
  CHECK(!copy_snapshot(files.folder, "s", false));
  REQUIRE(copy_snapshot(files.folder, "s", true));
  REQUIRE(keep_snapshot(files.folder, "s"));
  write(files.folder.server("alpha.test") + "/data/skerry.db", "newer");
  REQUIRE(restore_snapshot(files.folder, "s"));
  CHECK(files.database() == "new");
  REQUIRE(remove_snapshot(files.folder, "s"));
  CHECK(list_snapshots(files.folder).empty());
  CHECK(!restore_snapshot(files.folder, "s"));
  CHECK(files.database() == "new");
}

TEST_CASE("a restore that a crash interrupted is finished or never began") {
  Files files;
  SECTION("while it was copied: nothing changes") {
    write(files.folder.path + "/restore.new/servers/alpha.test/data/skerry.db", "half");
    REQUIRE(finish_restore(files.folder));
    CHECK(files.database() == "old");
  }
  SECTION("once it was decided: the rest is moved") {
    write(files.folder.path + "/restore/servers/alpha.test/data/skerry.db", "restored");
    write(files.folder.passwords_json(), "moved already");
    REQUIRE(finish_restore(files.folder));
    CHECK(files.database() == "restored");
    CHECK(read_file(files.folder.passwords_json()) == "moved already");
    CHECK(!fs::exists(files.folder.path + "/restore"));
  }
}

TEST_CASE("a snapshot's name is no path") {
  for (const char* name : {"", ".", "..", "../x", "a/b", ".hidden", "a b"})
    CHECK(!skerry::sandbox::check_snapshot_name(name));
  CHECK(skerry::sandbox::check_snapshot_name("before-v2.1_x"));
}

TEST_CASE("a running sandbox goes back to its snapshot and its access tokens work again") {
  const SandboxFolder folder;
  folder.json({"up", "--servers", "2"});
  const Api alice = api_of(folder.json({"register", "alice@alpha.test"}));
  const Api bob = api_of(folder.json({"register", "bob@bravo.test"}));
  const std::string room = alice.post("/_matrix/client/v3/createRoom", {{"preset", "public_chat"}}).json.at("room_id");
  REQUIRE(bob.post("/_matrix/client/v3/join/" + room + "?via=alpha.test").status == 200);
  const auto event_at = [&](const Api& api, const std::string& id) {
    return api.get("/_matrix/client/v3/rooms/" + room + "/event/" + id).status;
  };
  const std::string before = say(alice, room, "before");
  REQUIRE(eventually([&] { return event_at(bob, before) == 200; }));
  CHECK(folder.json({"snapshot", "s"}).at("servers") == 2);
  const std::string after = say(alice, room, "after");
  const Api carol = api_of(folder.json({"register", "carol@alpha.test"}));

  folder.json({"restore", "s"});
  CHECK(event_at(alice, before) == 200);
  CHECK(event_at(bob, before) == 200);
  CHECK(event_at(alice, after) == 404);
  CHECK(carol.get("/_matrix/client/v3/account/whoami").status == 401);
  // The servers still talk to each other.
  const std::string again = say(bob, room, "again");
  CHECK(eventually([&] { return event_at(alice, again) == 200; }));
  const Ran unknown = folder.skerry({"restore", "other"});
  CHECK(unknown.status == 1);
  CHECK(unknown.output.find("there are: s") != std::string::npos);
}
