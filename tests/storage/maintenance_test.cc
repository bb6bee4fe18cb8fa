// What an operator does beside the server: looking a database over, copying it while it is used.
#include "storage/maintenance.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <thread>

#include <SQLiteCpp/SQLiteCpp.h>
#include <catch2/catch.hpp>

#include "storage/sqlite/schema.h"
#include "tests/storage/stores.h"

namespace skerry::test {

namespace {

const UserId alice = user("@alice:alpha.test");
const UserId bob = user("@bob:bravo.test");

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A room with somebody of another server, a device, a receipt and a cursor.
void fill(Stores& stores) {
  stores.open();
  LiveRoom room(stores);
  room.found();
  room.join(bob);
  storage::EventCommit message = room.next_message(alice);
  message.transaction = storage::ClientTransaction{alice, "PHONE", "send", "1"};
  const EventId id = message.event->id();
  const auto position = commit(stores.rooms(), std::move(message));
  REQUIRE(position);
  REQUIRE(stores.accounts().create_user(alice, "hash", 1, false));
  REQUIRE(stores.accounts().put_device(alice, {"PHONE", "", 1}, {"token"}));
  REQUIRE(stores.stream().put_receipt({room.id(), alice, "m.read", "", id, 1, 0}));
  REQUIRE(save_cursor(stores, server("bravo.test"), *position));
  stores.close();
}

void execute(const Stores& stores, const std::string& sql) {
  SQLite::Database(stores.folder() + "/homeserver.db", SQLite::OPEN_READWRITE).exec(sql);
}

std::vector<std::string> findings(const std::string& folder) {
  auto report = storage::check_sqlite(folder);
  if (!report) FAIL(report.error().text);
  return report->findings;
}

}  // namespace

TEST_CASE("a sound database is found good") {
  Stores stores;
  fill(stores);
  const auto report = storage::check_sqlite(stores.folder());
  REQUIRE(report);
  CHECK(report->findings == std::vector<std::string>{});
  CHECK(report->rooms == 1);
  CHECK(report->events == 6);
}

TEST_CASE("each thing that must not be in a database is told") {
  struct Damage {
    const char* sql;
    const char* told;
  };
  const Damage damage = GENERATE(
      Damage{"UPDATE rooms SET heads = '$nowhere'", "$nowhere is a head of"},
      Damage{"UPDATE rooms SET heads = ''", "a room with events and no head"},
      Damage{"UPDATE rooms SET current_state = 999", "a room whose current state is not stored"},
      Damage{"UPDATE rooms SET create_event = '$nowhere'", "whose create event is not stored"},
      Damage{"UPDATE events SET state_before = 999 WHERE nid = 5", "an event whose state is not stored"},
      Damage{"UPDATE events SET position = 1, place = 1 WHERE nid IN (2, 3)", "another event has as well"},
      Damage{"UPDATE events SET place = 7000 WHERE nid = 2", "order of arrival contradict each other"},
      Damage{"UPDATE events SET json = replace(json, 'hello', 'HELLO')", "whose text is another one's"},
      Damage{"UPDATE events SET auth = '1 77' WHERE nid = 4", "cites an event that is not stored"},
      Damage{"DELETE FROM auth_citations WHERE citing = 4", "whose row does not lead to it"},
      Damage{"INSERT INTO auth_citations VALUES(1, 77)", "77 is a row that is noted for a citation"},
      Damage{"INSERT INTO awaited_auth_events SELECT event_id, 5 FROM events WHERE nid = 2",
             "noted as absent where it"},
      Damage{"UPDATE state_entries SET event_id = '$nowhere' WHERE key = 1", "is in the current state of"},
      Damage{"UPDATE states SET base = 77 WHERE id = (SELECT max(id) FROM states)", "base is not stored"},
      Damage{"UPDATE memberships SET membership = 'leave' WHERE user LIKE '@bob%'", "other members by its current"},
      Damage{"UPDATE memberships SET membership = 'leave' WHERE user LIKE '@bob%'", "owed a room's events"},
      Damage{"UPDATE meta SET value = 1 WHERE name = 'reserved_position'", "behind the last one that was reserved"},
      Damage{"UPDATE destinations SET sent_up_to = 99999999", "of the destinations' cursors, lies behind"},
      Damage{"UPDATE receipts SET position = 99999999", "of the receipts, lies behind"},
      Damage{"UPDATE client_transactions SET event_id = '$nowhere'", "answers a client's transaction"},
      Damage{"DELETE FROM devices", "has a token and no device"},
      Damage{"DELETE FROM users", "has a device and no account"});
  INFO(damage.sql);
  Stores stores;
  fill(stores);
  execute(stores, damage.sql);
  const auto found = findings(stores.folder());
  CHECK(std::any_of(found.begin(), found.end(),
                    [&](const std::string& text) { return text.find(damage.told) != std::string::npos; }));
  CAPTURE(found);
  CHECK_FALSE(found.empty());
}

TEST_CASE("a damaged file is told and nothing else is said of it") {
  Stores stores;
  fill(stores);
  {
    std::fstream file(stores.folder() + "/homeserver.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(3 * 4'096);
    file << std::string(200, '\xff');
  }
  const auto found = findings(stores.folder());
  REQUIRE_FALSE(found.empty());
  CHECK_THAT(found.front(), Catch::StartsWith("the file is damaged: "));
}

TEST_CASE("a check leaves the files of a server that was killed as they are") {
  Stores stores;
  fill(stores);
  const std::string copy = std::filesystem::path(stores.folder()).parent_path().string() + "/copy";
  stores.open();
  LiveRoom room(stores, "12", user("@zoe:alpha.test"));
  room.found();
  std::filesystem::copy(stores.folder(), copy);
  std::filesystem::remove(copy + "/homeserver.db-shm");
  stores.close();
  const std::string database = bytes_of(copy + "/homeserver.db"), log = bytes_of(copy + "/homeserver.db-wal");
  REQUIRE(log.size() > 10'000);
  CHECK(findings(copy).empty());
  CHECK(bytes_of(copy + "/homeserver.db") == database);
  CHECK(bytes_of(copy + "/homeserver.db-wal") == log);
}

TEST_CASE("there is nothing to check or to copy without a database") {
  Stores stores;
  const auto report = storage::check_sqlite(stores.folder());
  REQUIRE_FALSE(report);
  CHECK_THAT(report.error().text, Catch::Contains("there is no database"));
  const auto copied = storage::backup_sqlite(stores.folder(), stores.folder() + ".backup");
  REQUIRE_FALSE(copied);
  CHECK_THAT(copied.error().text, Catch::Contains("there is no database"));
  CHECK_FALSE(std::filesystem::exists(stores.folder() + ".backup"));
}

TEST_CASE("a backup taken while rooms are written to is whole and the writing goes on") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const std::string parent = std::filesystem::path(stores.folder()).parent_path().string();
  std::atomic<bool> enough{false};
  std::atomic<int> written{0};
  std::thread writer([&] {
    while (!enough) {
      room.message(alice, std::string(2'000, 'x'));
      ++written;
    }
  });
  for (int i = 0; i < 5; ++i) {
    const int before = written;
    while (written < before + 10) std::this_thread::yield();
    const std::string folder = parent + "/backup" + std::to_string(i);
    std::filesystem::create_directory(folder);
    const int acknowledged = written;
    const auto copied = storage::backup_sqlite(stores.folder(), folder + "/homeserver.db");
    if (!copied) FAIL(copied.error().text);
    CHECK(findings(stores.folder()).empty());
    const auto report = storage::check_sqlite(folder);
    REQUIRE(report);
    CHECK(report->findings.empty());
    CHECK(report->events >= acknowledged + 4);
    struct stat about {};
    REQUIRE(stat((folder + "/homeserver.db").c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
    CHECK_FALSE(std::filesystem::exists(folder + "/homeserver.db.unfinished"));
  }
  enough = true;
  writer.join();
  auto restored = storage::open_sqlite(parent + "/backup4", server("alpha.test"));
  REQUIRE(restored);
  CHECK((*restored)->rooms().head(room.id())->has_value());
}

TEST_CASE("a backup overwrites nothing") {
  Stores stores;
  fill(stores);
  const std::string file = stores.folder() + ".backup";
  std::ofstream(file) << "something dear";
  const auto copied = storage::backup_sqlite(stores.folder(), file);
  REQUIRE_FALSE(copied);
  CHECK_THAT(copied.error().text, Catch::Contains("exists already"));
  CHECK(bytes_of(file) == "something dear");
  std::filesystem::remove(file);
  std::filesystem::create_symlink("/nowhere/at/all", file);
  CHECK_FALSE(storage::backup_sqlite(stores.folder(), file));
}

namespace {

const char* const first_tables = "CREATE TABLE notes(text TEXT NOT NULL); INSERT INTO notes VALUES('kept');";

std::vector<std::string> notes(storage::Connection& connection) {
  std::vector<std::string> texts;
  storage::Query query(connection, "SELECT text FROM notes");
  while (query.next()) texts.push_back(query.text(0));
  return texts;
}

std::string new_file(const Stores& stores) {
  std::filesystem::create_directories(stores.folder());
  return stores.folder() + "/old.db";
}

}  // namespace

TEST_CASE("an older database is brought forward with what is in it") {
  Stores stores;
  storage::Connection connection(new_file(stores), storage::Connection::Mode::write);
  REQUIRE(storage::migrate(connection, {first_tables}));
  const std::vector<const char*> later = {first_tables,
                                          "ALTER TABLE notes ADD COLUMN author TEXT NOT NULL DEFAULT 'nobody';",
                                          "UPDATE notes SET text = text || ' by ' || author;"};
  REQUIRE(storage::migrate(connection, later));
  CHECK(notes(connection) == std::vector<std::string>{"kept by nobody"});
  REQUIRE(storage::migrate(connection, later));  // nothing is done twice
  CHECK(notes(connection) == std::vector<std::string>{"kept by nobody"});
}

TEST_CASE("a migration that fails half way leaves the older database as it was") {
  Stores stores;
  storage::Connection connection(new_file(stores), storage::Connection::Mode::write);
  REQUIRE(storage::migrate(connection, {first_tables}));
  const std::vector<const char*> bad = {first_tables, "UPDATE notes SET text = 'changed';",
                                        "CREATE TABLE more(id INTEGER); UPDATE nothing SET id = 1;"};
  CHECK_THROWS_AS(storage::migrate(connection, bad), SQLite::Exception);
  CHECK(notes(connection) == std::vector<std::string>{"kept"});
  const auto good = storage::migrate(connection, {first_tables, "CREATE TABLE more(id INTEGER);"});
  CHECK(good);
}

TEST_CASE("a database newer than the program is refused and not touched") {
  Stores stores;
  storage::Connection connection(new_file(stores), storage::Connection::Mode::write);
  REQUIRE(storage::migrate(connection, {first_tables, "INSERT INTO notes VALUES('of tomorrow');"}));
  const auto refused = storage::migrate(connection, {first_tables});
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().text,
             Catch::Contains("made by a newer version of this program (schema 2, this program knows 1)"));
  CHECK(notes(connection).size() == 2);
}

}  // namespace skerry::test
