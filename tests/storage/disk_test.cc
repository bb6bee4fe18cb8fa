// Disks that fail and power that goes: what is reported, what is there afterwards.
#include <algorithm>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "storage/maintenance.h"
#include "tests/storage/faulty_disk.h"
#include "tests/storage/stores.h"

namespace skerry::test {

using storage::EventCommit;
using storage::StreamPosition;

namespace {

const UserId alice = user("@alice:alpha.test");

// A room that somebody writes to, going on behind what was acknowledged last.
class Writing {
 public:
  explicit Writing(Stores& stores) : stores_(stores), room_(stores) { room_.found(); }

  // True when it was acknowledged. Otherwise nothing of it is there.
  bool write_one() {
    const RoomBuilder::Tip tip = room_.tip;
    const storage::StateId state = room_.state;
    EventCommit one = ++count_ % 5 == 0 ? room_.next_state(alice, "m.room.topic", topic())
                                        : room_.next_message(alice, std::string(3'000, 'x'));
    one.transaction = transaction(count_);
    const EventId id = one.event->id();
    const auto position = commit(stores_.rooms(), std::move(one));
    if (position) {
      const std::lock_guard lock(mutex_);
      acknowledged_.push_back({id, count_});
      shown_ = std::max({shown_, *position, stores_.stream().next_ephemeral()});
      return true;
    }
    CHECK(position.error().code == ErrorCode::storage);
    (void)commit_all(stores_.rooms(), {});  // the failure was told: what builds on it has failed as well
    CHECK(stores_.rooms().absent({id})->size() == 1);
    if (!acknowledged_.empty())
      CHECK(stores_.rooms().head(room_.id())->value().heads == std::vector{acknowledged_.back().id});
    CHECK(stores_.rooms().transaction_event(transaction(count_))->has_value() == false);
    room_.tip = tip;
    room_.state = state;
    return false;
  }

  struct Acknowledged {
    EventId id;
    int count = 0;
  };
  struct Told {
    std::vector<Acknowledged> events;
    StreamPosition shown = 0;
  };
  Told told() const {
    const std::lock_guard lock(mutex_);
    return {acknowledged_, shown_};
  }

  static storage::ClientTransaction transaction(int count) {
    return {alice, "PHONE", "send/!room/m.room.message", std::to_string(count)};
  }

 private:
  std::string topic() const { return R"({"topic":")" + std::to_string(count_) + R"("})"; }

  Stores& stores_;
  LiveRoom room_;
  mutable std::mutex mutex_;
  std::vector<Acknowledged> acknowledged_;
  StreamPosition shown_ = 0;
  int count_ = 0;
};

// Everything that was told is there, and what is there fits together.
void check_kept(storage::Database& database, const std::string& folder, const Writing::Told& told) {
  for (const auto& [id, count] : told.events) {
    INFO("event " << count);
    CHECK(database.rooms().absent({id})->empty());
    CHECK(database.rooms().transaction_event(Writing::transaction(count))->value_or(EventId()) == id);
  }
  CHECK(database.stream().next_ephemeral() > told.shown);
  const auto report = storage::check_sqlite(folder);
  REQUIRE(report);
  CHECK(report->findings == std::vector<std::string>{});
}

std::string in_words(DiskFault fault) {
  switch (fault) {
    case DiskFault::none:
      return "nothing";
    case DiskFault::full:
      return "a full disk";
    case DiskFault::short_write:
      return "a short write";
    case DiskFault::write_error:
      return "an error in writing";
    case DiskFault::sync_error:
      return "an error in fsync";
  }
  return {};
}

void write_through(DiskFault fault, std::uint64_t number, bool lasting) {
  INFO(in_words(fault) << " at " << number << (lasting ? " and from then on" : ""));
  FaultyDisk disk;
  Stores stores;
  stores.open();
  Writing writing(stores);
  disk.fail(fault, number, lasting);
  int failures = 0;
  for (int i = 0; i < 60; ++i) {
    if (writing.write_one()) continue;
    if (++failures == 2) disk.recover();
  }
  disk.recover();
  CHECK((failures == 0 || disk.fired()));
  CHECK(writing.write_one());  // it goes on, without a restart
  stores.reopen();
  auto told = writing.told();
  stores.close();
  auto opened = stores.try_open();
  REQUIRE(opened);
  check_kept(**opened, stores.folder(), told);
}

}  // namespace

TEST_CASE("a write that fails is reported and not half applied and takes nothing acknowledged with it") {
  const auto fault = GENERATE(DiskFault::full, DiskFault::short_write, DiskFault::write_error, DiskFault::sync_error);
  // A commit is one sync and some twenty writes; later on there are those of checkpoints.
  const std::vector<std::uint64_t> numbers = fault == DiskFault::sync_error
                                                 ? std::vector<std::uint64_t>{1, 2, 3, 10, 30, 57, 58, 59, 60, 61, 62}
                                                 : std::vector<std::uint64_t>{1, 2, 3, 9, 20, 33, 70, 200, 500, 900};
  for (const std::uint64_t number : numbers) {
    for (const bool lasting : {false, true}) write_through(fault, number, lasting);
  }
}

TEST_CASE("a database that cannot be opened for want of space is opened when there is some") {
  for (std::uint64_t number = 1; number < 200; number += number < 20 ? 1 : 17) {
    INFO("operation " << number);
    FaultyDisk disk;
    Stores stores;
    disk.fail(DiskFault::full, number, true);
    const auto refused = stores.try_open();
    CHECK((refused || refused.error().code == ErrorCode::storage));
    disk.recover();
    if (refused) continue;
    stores.open();
    Writing writing(stores);
    CHECK(writing.write_one());
  }
}

namespace {

// Loses the power just before an operation. False when there are not that many.
bool lose_power_at(std::uint64_t number, std::uint64_t seed) {
  INFO("power lost before operation " << number << ", seed " << seed);
  FaultyDisk disk;
  Stores stores;
  const std::string left = std::filesystem::path(stores.folder()).parent_path().string() + "/left";
  Writing::Told told;
  {
    stores.open();
    Writing writing(stores);
    disk.lose_power(number, left, seed, [&] { told = writing.told(); });
    for (int i = 0; i < 120; ++i) REQUIRE(writing.write_one());
  }
  if (!disk.power_was_lost()) {
    disk.lose_power(0, left, seed, [] {});  // not while the database is closed either: nobody writes any more
    return false;
  }
  stores.close();
  auto opened = storage::open_sqlite(left, server("alpha.test"));
  if (!opened) FAIL(opened.error().text);
  check_kept(**opened, left, told);
  return true;
}

}  // namespace

TEST_CASE("what was acknowledged survives a power loss at any moment and no position comes again") {
  std::mt19937_64 random(7);
  for (std::uint64_t number = 1; number <= 15; ++number) CHECK(lose_power_at(number, random()));
  std::size_t losses = 0;
  for (std::uint64_t number = 16; lose_power_at(number, random()); number += 1 + random() % 250) ++losses;
  CHECK(losses > 8);
}

TEST_CASE("what is acknowledged after a failed fsync survives a power loss") {
  std::mt19937_64 random(11);
  for (const std::uint64_t failing : {1, 2, 5, 20, 40, 58, 59, 60}) {
    INFO("fsync " << failing);
    FaultyDisk disk;
    Stores stores;
    const std::string left = std::filesystem::path(stores.folder()).parent_path().string() + "/left";
    Writing::Told told;
    stores.open();
    Writing writing(stores);
    disk.fail(DiskFault::sync_error, failing, false);
    for (int i = 0; i < 80; ++i) writing.write_one();
    REQUIRE(disk.fired());
    disk.lose_power(3, left, random(), [&] { told = writing.told(); });
    for (int i = 0; i < 3; ++i) writing.write_one();
    REQUIRE(disk.power_was_lost());
    stores.close();
    auto opened = storage::open_sqlite(left, server("alpha.test"));
    if (!opened) FAIL(opened.error().text);
    check_kept(**opened, left, told);
  }
}

}  // namespace skerry::test
