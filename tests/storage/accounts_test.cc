#include <catch2/catch.hpp>

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
  REQUIRE(accounts.put_device(alice, {"PHONE", "my phone", 1}, "t1"));
  REQUIRE(accounts.put_device(alice, {"LAPTOP", "", 2}, "t2"));
  REQUIRE(accounts.put_device(alice, {"PHONE", "another name", 3}, "t3"));
  CHECK_FALSE(accounts.token_owner("t1").value());
  const auto owner = accounts.token_owner("t3").value();
  REQUIRE(owner);
  CHECK(owner->user == alice);
  CHECK(owner->device == "PHONE");
  CHECK(owner->admin);
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
