// Presence by itself: on a store in a folder, with time that the test moves.
#include "homeserver/sync/presence.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "storage/database.h"
#include "tests/federation/internet.h"
#include "tests/support/homeserver_process.h"
#include "tests/support/room_builder.h"

using namespace skerry;
using namespace skerry::homeserver;
using namespace skerry::test;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const ServerName us = *ServerName::parse("alpha.test");
const UserId alice = user("@alice:alpha.test");
const UserId bob = user("@bob:bravo.test");

struct Watch {
  TemporaryFolder folder;
  std::unique_ptr<storage::Database> database = *storage::open_sqlite(folder.path(), us);
  federation::FakeClock clock;
  federation::FakeScheduler scheduler;
  std::vector<PresenceChange> told;
  Presence presence;

  explicit Watch(const Config::Presence& options = {})
      : presence(database->stream(), scheduler, clock, us, options,
                 [this](PresenceChange change) { told.push_back(std::move(change)); }) {}

  void pass(milliseconds time) {
    for (milliseconds left = time; left.count() > 0;) {
      const milliseconds step = std::min(left, milliseconds(scheduler.next_in().value_or(left.count())));
      clock.advance(std::max(step, milliseconds(1)));
      scheduler.advance(std::max(step, milliseconds(1)));
      left -= std::max(step, milliseconds(1));
    }
  }
  // As a client does that waits half a minute for news.
  void syncs(const std::string& device = "D", PresenceState as = PresenceState::online) {
    presence.syncs(alice, device, as, clock.now_ms() + 30'000);
  }
  void stays(milliseconds time) {
    for (milliseconds left = time; left.count() > 0; left -= seconds(30)) {
      syncs();
      pass(std::min<milliseconds>(left, seconds(30)));
    }
  }
  std::string state(const UserId& who = alice) const {
    return presence.of(who).content(clock.now_ms()).at("presence").get<std::string>();
  }
};

}  // namespace

TEST_CASE("who syncs is online, idle after five minutes, and offline a while after the last sync") {
  Watch watch;
  CHECK(watch.state() == "offline");
  watch.syncs();
  CHECK(watch.state() == "online");
  CHECK(watch.presence.of(alice).currently_active);
  watch.stays(seconds(61));
  CHECK(watch.state() == "online");
  CHECK_FALSE(watch.presence.of(alice).currently_active);
  watch.stays(minutes(4));
  CHECK(watch.state() == "unavailable");
  watch.presence.is_active(alice);
  CHECK(watch.state() == "online");
  watch.syncs();
  watch.pass(seconds(59));
  CHECK(watch.state() == "online");
  watch.pass(seconds(2));
  CHECK(watch.state() == "offline");
}

TEST_CASE("a sync that asks for it makes nobody online, or idle only") {
  Watch watch;
  watch.syncs("D", PresenceState::offline);
  CHECK(watch.state() == "offline");
  watch.syncs("D", PresenceState::unavailable);
  CHECK(watch.state() == "unavailable");
  watch.syncs("E");  // the most present device counts
  CHECK(watch.state() == "online");
}

TEST_CASE("what a user says holds: idle until the next activity, offline until the next sync") {
  Watch watch;
  watch.syncs();
  watch.presence.set(alice, "D", PresenceState::unavailable, "at lunch");
  CHECK(watch.state() == "unavailable");
  watch.syncs();
  CHECK(watch.state() == "unavailable");
  watch.presence.is_active(alice);
  CHECK(watch.state() == "online");
  CHECK(watch.presence.of(alice).message == "at lunch");
  watch.presence.set(alice, "E", PresenceState::offline, "");
  CHECK(watch.state() == "offline");
  CHECK(watch.presence.of(alice).message.empty());
  watch.syncs();
  CHECK(watch.state() == "online");
}

TEST_CASE("each change is told once, with a position, and those that come close together at once") {
  Watch watch;
  watch.syncs();
  REQUIRE(watch.told.size() == 1);
  CHECK(watch.told[0].users == std::vector<UserId>{alice});
  const auto first = *watch.told[0].position;
  CHECK(watch.presence.changed(first - 1, first) == std::vector<UserId>{alice});
  CHECK(watch.presence.changed(first, first + 10).empty());
  watch.syncs();
  watch.presence.is_active(alice);
  watch.stays(seconds(30));
  CHECK(watch.told.size() == 1);  // still online and active: nothing new

  watch.presence.set(alice, "D", PresenceState::online, "one");
  watch.presence.set(alice, "D", PresenceState::online, "two");
  watch.presence.told(bob, {PresenceState::online, "", watch.clock.now_ms(), true});
  REQUIRE(watch.told.size() == 2);
  CHECK(watch.presence.changed(first, *watch.told[1].position) == std::vector<UserId>{alice});
  watch.pass(Presence::together);
  REQUIRE(watch.told.size() == 3);
  CHECK(watch.told[2].users == std::vector<UserId>{alice, bob});
  CHECK(watch.presence.of(alice).message == "two");
}

TEST_CASE("another server's users are forgotten when it does not tell again; ours are told to others again in time") {
  Watch watch;
  watch.presence.told(bob, {PresenceState::online, "", watch.clock.now_ms(), true});
  watch.stays(minutes(19));
  const std::size_t before = watch.told.size();
  CHECK(watch.state(bob) == "online");
  std::size_t told_again = 0;
  watch.stays(minutes(12));
  for (std::size_t i = before; i < watch.told.size(); ++i) {
    if (watch.told[i].position) continue;
    ++told_again;
    CHECK(watch.told[i].users == std::vector<UserId>{alice});
  }
  CHECK(told_again == 1);
  CHECK(watch.state(bob) == "offline");
  CHECK(watch.presence.known({bob}).size() == 1);
  watch.pass(minutes(31));
  CHECK(watch.presence.known({bob}).empty());
}

TEST_CASE("a server that tells of any number of users is remembered for so many") {
  Watch watch;
  for (int i = 0; i < 10'100; ++i) {
    watch.presence.told(user("@u" + std::to_string(i) + ":mallory.test"), {PresenceState::online, "", 0, false});
  }
  watch.presence.told(bob, {PresenceState::online, "", 0, false});
  CHECK(watch.presence.present().size() == 10'001);
}

TEST_CASE("where presence is switched off nobody is there") {
  Watch watch(Config::Presence{false, minutes(5), seconds(30)});
  watch.syncs();
  watch.presence.set(alice, "D", PresenceState::online, "here");
  CHECK(watch.state() == "offline");
  CHECK(watch.told.empty());
  CHECK(watch.presence.present().empty());
}
