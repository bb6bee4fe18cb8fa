// What a server process keeps when it is killed, and what an operator does beside it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/json.h"
#include "homeserver/sync/tokens.h"
#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;
using namespace skerry::test;

namespace {

std::string create_room(const Api& owner) {
  const Answer made = owner.post(std::string(v3) + "/createRoom", {{"preset", "public_chat"}});
  REQUIRE(made.status == 200);
  return made.json.at("room_id").get<std::string>();
}

std::string in_room(const std::string& room) { return std::string(v3) + "/rooms/" + net::percent_encode(room); }

std::string say(const Api& sender, const std::string& room, const std::string& transaction) {
  const Answer sent = sender.put(in_room(room) + "/send/m.room.message/" + net::percent_encode(transaction),
                                 {{"msgtype", "m.text"}, {"body", transaction}});
  REQUIRE(sent.status == 200);
  return sent.json.at("event_id").get<std::string>();
}

std::int64_t position(const Api& user, const std::string& parameters = "") {
  const Answer synced = user.get(std::string(v3) + "/sync" + parameters);
  REQUIRE(synced.status == 200);
  return homeserver::parse_stream_token(synced.json.at("next_batch").get<std::string>()).value();
}

// The same session at a server that may have other ports by now.
Api again(const HomeserverProcess& server, const Api& session) { return Api(server.url()).as(session.access_token()); }

Ran maintain(const HomeserverProcess& server, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {homeserver_program(), "--config", server.config_file()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return run(words);
}

}  // namespace

TEST_CASE("a transaction that is repeated after a kill answers the same event and makes no second one") {
  HomeserverProcess server;
  const Api before = Api(server.url()).register_user("alice");
  const std::string room = create_room(before);
  const std::string said = say(before, room, "once");
  const Answer redacted = before.put(in_room(room) + "/redact/" + net::percent_encode(said) + "/r1");
  REQUIRE(redacted.status == 200);
  server.kill();
  server.start();
  const Api alice = again(server, before);
  CHECK(say(alice, room, "once") == said);
  CHECK(alice.put(in_room(room) + "/redact/" + net::percent_encode(said) + "/r1").json == redacted.json);
  CHECK(say(alice, room, "another") != said);
  const Json page = alice.get(in_room(room) + "/messages?dir=b&limit=100").json;
  CHECK(std::count_if(page.at("chunk").begin(), page.at("chunk").end(),
                      [](const Json& event) { return event.at("type") == "m.room.message"; }) == 2);
}

TEST_CASE("positions go on behind those that were shown before a kill") {
  HomeserverProcess server;
  Api alice = Api(server.url()).register_user("alice");
  const std::string room = create_room(alice);
  for (int round = 0; round < 3; ++round) {
    say(alice, room, "before " + std::to_string(round));
    // Typing lives in memory, and has positions as well.
    alice.put(in_room(room) + "/typing/" + net::percent_encode("@alice:alpha.test"),
              {{"typing", true}, {"timeout", 30'000}});
    const std::int64_t shown = position(alice);
    server.kill();
    server.start();
    alice = again(server, alice);
    CHECK(position(alice) >= shown);
    say(alice, room, "after " + std::to_string(round));
    const Answer news = alice.get(std::string(v3) + "/sync?since=" + homeserver::stream_token(shown));
    const Json& events = news.json.at("rooms").at("join").at(room).at("timeline").at("events");
    REQUIRE(events.size() == 1);
    CHECK(events[0].at("content").at("body") == "after " + std::to_string(round));
  }
}

TEST_CASE("the database of a running server is checked and copied and the copy is a server's") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string room = create_room(alice);
  const std::string said = say(alice, room, "before the backup");

  const Ran good = maintain(server, {"--check-database"});
  CHECK_THAT(good.output, Catch::Contains("good (1 rooms, "));
  CHECK(good.status == 0);
  const std::string file = server.folder() + "/backup.db";
  const Ran written = maintain(server, {"--backup", file});
  CHECK_THAT(written.output, Catch::Contains("written"));
  CHECK_THAT(written.output, Catch::Contains(server.folder() + "/data/media"));
  CHECK_THAT(written.output, Catch::Contains("signing.key"));
  REQUIRE(written.status == 0);
  struct stat about {};
  REQUIRE(::stat(file.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  say(alice, room, "after the backup");
  const Ran refused = maintain(server, {"--backup", file});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.output, Catch::Contains("exists already"));

  CHECK(server.stop() == 0);
  std::filesystem::remove(server.folder() + "/data/homeserver.db");
  std::filesystem::rename(file, server.folder() + "/data/homeserver.db");
  server.start();
  const Api restored = again(server, alice);
  const Json page = restored.get(in_room(room) + "/messages?dir=b&limit=1").json;
  CHECK(page.at("chunk")[0].at("event_id") == said);
}

TEST_CASE("a damaged database is told by the check and its exit status") {
  HomeserverProcess server;
  create_room(Api(server.url()).register_user("alice"));
  CHECK(server.stop() == 0);
  const std::string file = server.folder() + "/data/homeserver.db";
  {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(5 * 4'096);
    stream << std::string(500, '\x7f');
  }
  const Ran damaged = maintain(server, {"--check-database"});
  CHECK(damaged.status == 1);
  CHECK_THAT(damaged.output, Catch::Contains("the file is damaged"));
  std::filesystem::remove(file);
  const Ran gone = maintain(server, {"--check-database"});
  CHECK(gone.status == 1);
  CHECK_THAT(gone.output, Catch::Contains("there is no database"));
}
