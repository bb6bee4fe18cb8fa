#include <catch2/catch.hpp>

#include "core/limits.h"
#include "tests/storage/stores.h"

namespace skerry::test {

using storage::AccountDataEntry;

namespace {

const UserId alice = user("@alice:alpha.test");
const UserId bob = user("@bob:alpha.test");

}  // namespace

TEST_CASE("a user name is taken once and kept") {
  Stores stores;
  stores.open();
  REQUIRE(stores.accounts().create_user(alice, "hash", 5, true));
  const auto again = stores.accounts().create_user(alice, "other", 6, false);
  REQUIRE_FALSE(again);
  CHECK(again.error().code == ErrorCode::user_in_use);
  stores.reopen();
  CHECK(stores.accounts().user_exists(alice).value());
  CHECK_FALSE(stores.accounts().user_exists(bob).value());
  CHECK(stores.accounts().password_hash(alice).value() == "hash");
  CHECK(stores.accounts().password_hash(bob).value() == std::nullopt);
  REQUIRE(stores.accounts().set_password_hash(alice, "new"));
  CHECK(stores.accounts().password_hash(alice).value() == "new");
}

TEST_CASE("a device has one token at a time and goes with it") {
  Stores stores;
  stores.open();
  auto& accounts = stores.accounts();
  REQUIRE(accounts.create_user(alice, "hash", 5, true));
  REQUIRE(accounts.put_device(alice, {"PHONE", "my phone", 1}, {"t1"}));
  REQUIRE(accounts.put_device(alice, {"LAPTOP", "", 2}, {"t2"}));
  REQUIRE(accounts.put_device(alice, {"PHONE", "another name", 3}, {"t3"}));
  CHECK_FALSE(accounts.token_owner("t1").value());
  const auto owner = accounts.token_owner("t3").value();
  REQUIRE(owner);
  CHECK(owner->user == alice);
  CHECK(owner->device == "PHONE");
  CHECK(owner->standing.admin);
  CHECK(accounts.devices(alice)->size() == 2);
  REQUIRE(accounts.set_device_name(alice, "PHONE", "old phone"));
  CHECK(accounts.set_device_name(alice, "TABLET", "x").error().code == ErrorCode::not_found);
  const auto devices = accounts.devices(alice);
  REQUIRE(devices);
  for (const auto& device : *devices) {
    if (device.id == "PHONE") CHECK(device.display_name == "old phone");
  }
  REQUIRE(accounts.remove_device(alice, "PHONE"));
  CHECK_FALSE(accounts.token_owner("t3").value());
  CHECK(accounts.token_owner("t2").value());
  REQUIRE(accounts.remove_all_devices(alice));
  CHECK_FALSE(accounts.token_owner("t2").value());
  CHECK(accounts.devices(alice)->empty());
}

TEST_CASE("offered tokens end no others before one of them is accepted") {
  Stores stores;
  stores.open();
  auto& accounts = stores.accounts();
  REQUIRE(accounts.create_user(alice, "hash", 5, true));
  REQUIRE(accounts.put_device(alice, {"PHONE", "", 1}, {"a1", 100, "r1"}));
  REQUIRE(accounts.put_device(alice, {"LAPTOP", "", 1}, {"a"}));
  CHECK_FALSE(accounts.offer_tokens("r", {"a2", 200, "r2"}).value());
  CHECK_FALSE(accounts.offer_tokens("a1", {"a2", 200, "r2"}).value());
  for (const auto& [access, refresh] : {std::pair{"a2", "r2"}, std::pair{"a3", "r3"}}) {
    const auto owner = accounts.offer_tokens("r1", {access, 200, refresh}).value();
    REQUIRE(owner);
    CHECK(owner->user == alice);
    CHECK(owner->device == "PHONE");
    CHECK_FALSE(owner->offered);  // r1 is in use
  }
  stores.reopen();
  auto& again = stores.accounts();
  CHECK(again.token_owner("a1").value()->expires_ms == 100);
  CHECK_FALSE(again.token_owner("a1").value()->offered);
  CHECK(again.token_owner("a2").value()->offered);
  CHECK(again.accept_tokens("a3").value());
  CHECK(again.accept_tokens("a3").value());
  CHECK_FALSE(again.accept_tokens("a2").value());
  CHECK_FALSE(again.token_owner("a1").value());
  CHECK_FALSE(again.token_owner("a2").value());
  CHECK_FALSE(again.token_owner("a3").value()->offered);
  CHECK_FALSE(again.offer_tokens("r1", {"a4", 300, "r4"}).value());
  CHECK_FALSE(again.offer_tokens("r2", {"a4", 300, "r4"}).value());
  CHECK(again.token_owner("a").value()->device == "LAPTOP");
}

TEST_CASE("an offered refresh token is accepted by its use") {
  Stores stores;
  stores.open();
  auto& accounts = stores.accounts();
  REQUIRE(accounts.create_user(alice, "hash", 5, true));
  REQUIRE(accounts.put_device(alice, {"PHONE", "", 1}, {"a1", 100, "r1"}));
  REQUIRE(accounts.offer_tokens("r1", {"a2", 200, "r2"}).value());
  REQUIRE(accounts.offer_tokens("r2", {"a3", 300, "r3"}).value());
  CHECK_FALSE(accounts.token_owner("a1").value());
  CHECK_FALSE(accounts.token_owner("a2").value()->offered);
  CHECK(accounts.token_owner("a3").value()->offered);
  CHECK_FALSE(accounts.offer_tokens("r1", {"a4", 400, "r4"}).value());
}

TEST_CASE("of the tokens a device was offered the newest are kept") {
  Stores stores;
  stores.open();
  auto& accounts = stores.accounts();
  REQUIRE(accounts.create_user(alice, "hash", 5, true));
  REQUIRE(accounts.put_device(alice, {"PHONE", "", 1}, {"a", 100, "r"}));
  const auto last = limits::offered_tokens + 1;
  for (std::size_t i = 1; i <= last; ++i) {
    REQUIRE(accounts.offer_tokens("r", {"a" + std::to_string(i), 200, "r" + std::to_string(i)}).value());
  }
  CHECK(accounts.token_owner("a").value());
  CHECK_FALSE(accounts.token_owner("a1").value());
  CHECK(accounts.token_owner("a2").value());
  CHECK(accounts.token_owner("a" + std::to_string(last)).value());
}

TEST_CASE("refresh tokens end with their device and their user") {
  Stores stores;
  stores.open();
  auto& accounts = stores.accounts();
  REQUIRE(accounts.create_user(alice, "hash", 5, true));
  const auto refreshes = [&] { return accounts.offer_tokens("r", {"a2", 200, "r2"}).value().has_value(); };
  const auto log_in = [&] { REQUIRE(accounts.put_device(alice, {"PHONE", "", 1}, {"a", 100, "r"})); };
  log_in();
  CHECK(refreshes());
  REQUIRE(accounts.remove_device(alice, "PHONE"));
  CHECK_FALSE(refreshes());
  log_in();
  REQUIRE(accounts.remove_all_devices(alice));
  CHECK_FALSE(refreshes());
  log_in();
  REQUIRE(accounts.put_device(alice, {"PHONE", "", 1}, {"other"}));
  CHECK_FALSE(refreshes());
  log_in();
  REQUIRE(accounts.deactivate(alice));
  CHECK_FALSE(refreshes());
}

TEST_CASE("a lock and a suspension are kept with the account and end with it") {
  Stores stores;
  stores.open();
  auto& accounts = stores.accounts();
  CHECK_FALSE(accounts.standing(alice).value());
  REQUIRE(accounts.create_user(alice, "hash", 5, true));
  REQUIRE(accounts.create_user(bob, "hash", 5, false));
  CHECK(accounts.standing(alice).value()->admin);
  REQUIRE(accounts.put_device(bob, {"PHONE", "", 1}, {"a", 100, "r"}));
  REQUIRE(accounts.set_locked(bob, true));
  CHECK(accounts.standing(bob).value()->locked);
  CHECK_FALSE(accounts.standing(bob).value()->suspended);
  CHECK_FALSE(accounts.standing(alice).value()->locked);
  // A locked user is told so, and is given no tokens.
  CHECK(accounts.offer_tokens("r", {"a2", 200, "r2"}).value()->standing.locked);
  CHECK_FALSE(accounts.token_owner("a2").value());
  REQUIRE(accounts.set_locked(bob, false));
  REQUIRE(accounts.set_suspended(bob, true));
  CHECK_FALSE(accounts.token_owner("a").value()->standing.locked);
  CHECK(accounts.token_owner("a").value()->standing.suspended);
  REQUIRE(accounts.deactivate(bob));
  CHECK_FALSE(accounts.standing(bob).value());
}

TEST_CASE("the tokens of an older database do not expire") {
  Stores stores;
  stores.open();
  REQUIRE(stores.accounts().create_user(alice, "hash", 5, true));
  REQUIRE(stores.accounts().put_device(alice, {"PHONE", "", 1}, {"token"}));
  stores.close();
  take_back_to(stores, 5);
  stores.open();
  const auto owner = stores.accounts().token_owner("token").value();
  REQUIRE(owner);
  CHECK(owner->device == "PHONE");
  CHECK_FALSE(owner->expires_ms);
  CHECK_FALSE(owner->offered);
}

TEST_CASE("a user has a profile from the start") {
  Stores stores;
  stores.open();
  CHECK(stores.accounts().profile(alice).error().code == ErrorCode::not_found);
  REQUIRE(stores.accounts().create_user(alice, "hash", 5, false));
  CHECK(stores.accounts().profile(alice)->display_name.empty());
  CHECK(stores.accounts().profile(alice)->fields_json == "{}");
  REQUIRE(stores.accounts().set_profile(alice, {"Alice", "mxc://alpha.test/a", R"({"m.tz":"UTC"})"}));
  stores.reopen();
  const auto profile = stores.accounts().profile(alice);
  REQUIRE(profile);
  CHECK(profile->display_name == "Alice");
  CHECK(profile->avatar_url == "mxc://alpha.test/a");
  CHECK(profile->fields_json == R"({"m.tz":"UTC"})");
}

TEST_CASE("the same filter is stored once and belongs to its user") {
  Stores stores;
  stores.open();
  const auto id = stores.accounts().add_filter(alice, R"({"room":{}})");
  REQUIRE(id);
  CHECK(stores.accounts().add_filter(alice, R"({"room":{}})").value() == *id);
  CHECK(stores.accounts().add_filter(alice, R"({"room":{"a":1}})").value() != *id);
  CHECK(stores.accounts().filter(alice, *id).value() == R"({"room":{}})");
  CHECK(stores.accounts().filter(bob, *id).value() == std::nullopt);
  CHECK(stores.accounts().filter(alice, *id + "x").value() == std::nullopt);
}

TEST_CASE("account data is found by type and by position") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  auto& accounts = stores.accounts();
  const auto first = accounts.set_account_data(alice, {std::nullopt, "m.direct", R"({"a":1})", 0});
  REQUIRE(first);
  const auto second = accounts.set_account_data(alice, {room.id(), "m.tag", "{}", 0});
  REQUIRE(second);
  REQUIRE(accounts.set_account_data(bob, {std::nullopt, "m.direct", "{}", 0}));
  const auto third = accounts.set_account_data(alice, {std::nullopt, "m.direct", R"({"a":2})", 0});
  REQUIRE(third);
  CHECK(stores.stream().current() >= *third);
  const auto all = accounts.account_data_since(alice, 0, *third);
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK(all->front().room == room.id());
  CHECK(all->back().content_json == R"({"a":2})");
  CHECK(all->back().position == *third);
  CHECK(accounts.account_data_since(alice, *second, *third)->size() == 1);
  CHECK(accounts.account_data_since(alice, *third, *third + 5)->empty());
  CHECK(accounts.account_data(alice, std::nullopt, "m.direct").value()->position == *third);
  CHECK(accounts.account_data(alice, room.id(), "m.direct").value() == std::nullopt);
}

}  // namespace skerry::test
