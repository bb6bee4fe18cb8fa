// What media there are, accounts that end, passes and reports.
#include <SQLiteCpp/SQLiteCpp.h>
#include <catch2/catch.hpp>

#include "tests/storage/stores.h"

namespace skerry::test {

namespace {

const UserId alice = user("@alice:alpha.test");
const ServerName alpha = server("alpha.test");
const ServerName bravo = server("bravo.test");

storage::Media upload(const std::string& id, const std::string& hash, std::int64_t size, std::int64_t created_ms) {
  return {alpha, id, hash, size, "text/plain", "notes.txt", alice, created_ms};
}

}  // namespace

TEST_CASE("an awaited upload is filled in once") {
  Stores stores;
  stores.open();
  REQUIRE(stores.media().add(upload("a", "", 0, 100)));
  CHECK(stores.media().use(alice, 50)->awaited == 1);
  CHECK(stores.media().use(alice, 100)->awaited == 0);
  CHECK(*stores.media().complete(upload("a", "ff", 7, 100)));
  CHECK_FALSE(*stores.media().complete(upload("a", "ee", 9, 100)));
  CHECK_FALSE(*stores.media().complete(upload("b", "ee", 9, 100)));
  stores.reopen();
  const auto media = *stores.media().find(alpha, "a");
  REQUIRE(media);
  CHECK(media->hash == "ff");
  CHECK(media->size == 7);
  CHECK(media->file_name == "notes.txt");
  CHECK(media->uploader == alice);
  CHECK_FALSE(*stores.media().find(bravo, "a"));
  CHECK(stores.media().use(alice, 0)->bytes == 7);
  CHECK(stores.media().use(alice, 0)->awaited == 0);
}

TEST_CASE("other servers' media are counted apart and the oldest come first") {
  Stores stores;
  stores.open();
  REQUIRE(stores.media().add(upload("a", "aa", 1, 1)));
  REQUIRE(stores.media().add({bravo, "new", "bb", 20, "image/png", "", {}, 30}));
  REQUIRE(stores.media().add({bravo, "old", "aa", 10, "image/png", "", {}, 20}));
  CHECK(*stores.media().cached_bytes() == 30);
  const auto oldest = *stores.media().oldest_cached(1);
  REQUIRE(oldest.size() == 1);
  CHECK(oldest[0].id == "old");
  REQUIRE(stores.media().remove(bravo, "old"));
  CHECK(*stores.media().is_used("aa"));
  REQUIRE(stores.media().remove(alpha, "a"));
  CHECK_FALSE(*stores.media().is_used("aa"));
}

TEST_CASE("a deactivated account leaves its name and nothing else") {
  Stores stores;
  stores.open();
  auto& accounts = stores.accounts();
  REQUIRE(accounts.create_user(alice, "hash", 1, true));
  REQUIRE(accounts.put_device(alice, {"PHONE", "phone", 1}, {"token"}));
  REQUIRE(accounts.set_profile(alice, {"Alice", "", "{}"}));
  REQUIRE(accounts.put_pass(storage::PassKind::openid, alice, "pass", 100, 1));
  REQUIRE(accounts.deactivate(alice));
  CHECK(*accounts.is_deactivated(alice));
  CHECK(*accounts.user_exists(alice));
  CHECK_FALSE(*accounts.password_hash(alice));
  CHECK_FALSE(*accounts.token_owner("token"));
  CHECK(accounts.devices(alice)->empty());
  CHECK(accounts.profile(alice).error().code == ErrorCode::not_found);
  CHECK_FALSE(*accounts.pass_owner(storage::PassKind::openid, "pass", 2));
  CHECK(accounts.create_user(alice, "other", 2, false).error().code == ErrorCode::user_in_use);
}

TEST_CASE("a pass holds until its time for what it was made for") {
  Stores stores;
  stores.open();
  auto& accounts = stores.accounts();
  REQUIRE(accounts.create_user(alice, "hash", 1, false));
  REQUIRE(accounts.put_pass(storage::PassKind::login, alice, "pass", 100, 1));
  CHECK_FALSE(*accounts.pass_owner(storage::PassKind::openid, "pass", 50));
  CHECK_FALSE(*accounts.pass_owner(storage::PassKind::login, "pass", 100));
  CHECK(*accounts.pass_owner(storage::PassKind::login, "pass", 99) == alice);
  CHECK(*accounts.take_pass(storage::PassKind::login, "pass", 99) == alice);
  CHECK_FALSE(*accounts.take_pass(storage::PassKind::login, "pass", 99));
}

TEST_CASE("of reports the newest are kept") {
  Stores stores;
  stores.open();
  for (int i = 0; i < 5; ++i)
    REQUIRE(stores.accounts().add_report({alice, "!room", "", "", "spam " + std::to_string(i), -100, i}, 3));
  stores.close();
  SQLite::Database database(stores.folder() + "/homeserver.db", SQLite::OPEN_READONLY);
  CHECK(database.execAndGet("SELECT group_concat(reason) FROM reports").getString() == "spam 2,spam 3,spam 4");
}

}  // namespace skerry::test
