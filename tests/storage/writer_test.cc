// What the writer promises: groups, failures, durability, and what is left after a crash or on a full disk.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "tests/storage/stores.h"

namespace skerry::test {

using storage::EventCommit;
using storage::StreamPosition;

namespace {

// Collects how commits ended.
class Outcomes {
 public:
  storage::Committed of(const std::string& name) {
    return [this, name](const Result<StreamPosition>& result) {
      std::scoped_lock lock(mutex_);
      outcomes_[name] = result ? "good" : "failed";
    };
  }
  std::string operator[](const std::string& name) {
    std::scoped_lock lock(mutex_);
    return outcomes_[name];
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> outcomes_;
};

EventCommit failing(EventCommit commit) {
  commit.judgement.verdict = Verdict::dropped;  // is never stored
  return commit;
}

bool is_stored(Stores& stores, const EventId& id) {
  const auto absent = stores.rooms().absent({id});
  REQUIRE(absent);
  return absent->empty();
}

const UserId alice = user("@alice:alpha.test");
const UserId zoe = user("@zoe:alpha.test");

}  // namespace

TEST_CASE("a commit that fails takes nothing of its group with it but its own room's followers") {
  Stores stores;
  stores.open();
  LiveRoom room(stores, "11"), other(stores, "12", zoe);
  room.found();
  other.found();
  Outcomes outcomes;
  const EventCommit good = room.next_message(alice), bad = room.next_message(alice), after = room.next_message(alice);
  const EventCommit elsewhere = other.next_message(zoe);
  {
    BusyWriter busy(stores.rooms());
    stores.rooms().commit(good, outcomes.of("good"));
    stores.rooms().commit(failing(bad), outcomes.of("bad"));
    stores.rooms().commit(elsewhere, outcomes.of("elsewhere"));
    stores.rooms().commit(after, outcomes.of("after"));
  }
  REQUIRE(commit_all(stores.rooms(), {}));
  CHECK(outcomes["good"] == "good");
  CHECK(outcomes["bad"] == "failed");
  CHECK(outcomes["after"] == "failed");
  CHECK(outcomes["elsewhere"] == "good");
  CHECK(is_stored(stores, good.event->id()));
  CHECK_FALSE(is_stored(stores, bad.event->id()));
  CHECK_FALSE(is_stored(stores, after.event->id()));
  CHECK(is_stored(stores, elsewhere.event->id()));
  CHECK(stores.rooms().head(room.id())->value().heads == std::vector{good.event->id()});
}

TEST_CASE("commits of a room fail until a failure was told and succeed after that") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  Outcomes outcomes;
  const EventCommit bad = room.next_message(alice), while_told = room.next_message(alice);
  // The next one builds on what is stored, as a room that was read anew does.
  stores.rooms().commit(failing(bad), [&](const Result<StreamPosition>& result) {
    CHECK_FALSE(result);
    stores.rooms().commit(while_told, outcomes.of("while told"));
  });
  REQUIRE(commit_all(stores.rooms(), {}));
  REQUIRE(commit_all(stores.rooms(), {}));
  CHECK(outcomes["while told"] == "failed");
  CHECK(commit(stores.rooms(), room.next_message(alice)));
}

TEST_CASE("a failure of one room's commit while others of the group are told does not reach what comes after it") {
  Stores stores;
  stores.open();
  LiveRoom room(stores, "11"), other(stores, "12", zoe);
  room.found();
  other.found();
  Outcomes outcomes;
  const EventCommit bad = room.next_message(alice), good = room.next_message(alice);
  const EventCommit elsewhere = other.next_message(zoe);
  {
    BusyWriter busy(stores.rooms());
    stores.rooms().commit(failing(bad), outcomes.of("bad"));
    stores.rooms().commit(elsewhere, [&](const Result<StreamPosition>&) {
      stores.rooms().commit(good, outcomes.of("good"));  // `bad` was told by now
    });
  }
  REQUIRE(commit_all(stores.rooms(), {}));
  REQUIRE(commit_all(stores.rooms(), {}));
  CHECK(outcomes["bad"] == "failed");
  CHECK(outcomes["good"] == "good");
}

TEST_CASE("several commits at once are stored all or none") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const EventCommit first = room.next_message(alice), bad = room.next_message(alice);
  CHECK_FALSE(commit_all(stores.rooms(), {first, failing(bad)}));
  CHECK_FALSE(is_stored(stores, first.event->id()));
  const EventCommit second = room.next_message(alice), third = room.next_message(alice);
  CHECK(commit_all(stores.rooms(), {second, third}));
  CHECK(is_stored(stores, second.event->id()));
  CHECK(is_stored(stores, third.event->id()));
}

TEST_CASE("an event is not stored on a state that was lost") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  const EventCommit bad = room.next_message(alice);
  EventCommit topic;
  {
    BusyWriter busy(stores.rooms());
    stores.rooms().commit(failing(bad), [](const Result<StreamPosition>&) {});
    topic = room.next_state(alice, "m.room.topic", R"({"topic":"lost"})");  // its state fails with the room
  }
  REQUIRE(commit_all(stores.rooms(), {}));
  const auto late = commit(stores.rooms(), topic);
  REQUIRE_FALSE(late);
  CHECK(late.error().code == ErrorCode::storage);
  CHECK_FALSE(stores.rooms().state(*topic.state_after));
  CHECK_FALSE(stores.rooms().make_state(room.id(), *topic.state_after, {{{"a", ""}, event_id("$a")}}));
}

TEST_CASE("what waits is written before the database closes") {
  Stores stores;
  stores.open();
  LiveRoom room(stores);
  room.found();
  Outcomes outcomes;
  std::vector<EventId> ids;
  for (int i = 0; i < 300; ++i) {
    EventCommit commit = room.next_message(alice);
    ids.push_back(commit.event->id());
    stores.rooms().commit(std::move(commit), outcomes.of(std::to_string(i)));
  }
  stores.close();
  CHECK(outcomes["0"] == "good");
  CHECK(outcomes["299"] == "good");
  stores.open();
  CHECK(stores.rooms().absent(ids)->empty());
}

// Writes for ever, from several threads, and tells each acknowledged event and each position that was shown.
int write_until_killed(Stores& stores, int write_to) {
  stores.open();
  std::vector<std::thread> threads;
  const std::pair<const char*, const char*> rooms[] = {
      {"10", "@a:alpha.test"}, {"11", "@b:bravo.test"}, {"12", "@c:alpha.test"}};
  std::mutex telling;
  for (const auto& [version, creator] : rooms) {
    threads.emplace_back([&stores, &telling, version = version, creator = creator, write_to] {
      LiveRoom room(stores, version, user(creator));
      room.found();
      for (;;) {
        EventCommit one = room.next_state(room.builder.creator(), "m.room.topic", "{}");
        const std::string id = one.event->id().str();
        const auto position = commit(stores.rooms(), std::move(one));
        if (!position) _exit(1);
        const std::string line =
            id + " " + std::to_string(*position) + "\n- " + std::to_string(stores.stream().next_ephemeral()) + "\n";
        std::scoped_lock lock(telling);
        if (write(write_to, line.data(), line.size()) < 0) _exit(2);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return 3;
}

struct Told {
  std::vector<EventId> events;
  StreamPosition last = 0;
};

Told read_lines(int read_from, std::size_t least_lines, const std::function<void()>& enough) {
  std::string text;
  char bytes[4096];
  bool stopped = false;
  for (ssize_t count = 0; (count = read(read_from, bytes, sizeof bytes)) > 0;) {
    text.append(bytes, static_cast<std::size_t>(count));
    if (!stopped && static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) >= least_lines) {
      stopped = true;
      enough();
    }
  }
  Told told;
  std::size_t start = 0;
  for (std::size_t end = 0; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
    const std::string line = text.substr(start, end - start);
    const auto blank = line.find(' ');
    told.last = std::max<StreamPosition>(told.last, std::stoll(line.substr(blank + 1)));
    if (line[0] == '$') told.events.push_back(event_id(line.substr(0, blank)));
  }
  return told;
}

TEST_CASE("what was acknowledged is there after SIGKILL and no position is given twice") {
  Stores stores;
  StreamPosition last = 0;
  for (int round = 0; round < 3; ++round) {
    Told told;
    const int status =
        in_child([&](int write_to) { return write_until_killed(stores, write_to); },
                 [&](int read_from, int pid) { told = read_lines(read_from, 150, [pid] { kill(pid, SIGKILL); }); });
    REQUIRE(status == -SIGKILL);
    REQUIRE(told.events.size() > 50);
    CHECK(told.last > last);
    last = told.last;
    stores.open();
    CHECK(stores.rooms().absent(told.events)->empty());
    CHECK(stores.stream().next_ephemeral() > last);
    // Whatever was half-way: heads, states and memberships fit together.
    const auto rooms = stores.rooms().rooms();
    REQUIRE(rooms);
    CHECK(rooms->size() == 3);
    for (const RoomId& id : *rooms) {
      const auto head = stores.rooms().head(id);
      REQUIRE(head);
      REQUIRE(*head);
      const auto state = stores.rooms().state((*head)->current_state);
      REQUIRE(state);
      const auto newest = stores.rooms().event((*head)->heads.front());
      REQUIRE(*newest);
      CHECK((*newest)->state_after == (*head)->current_state);
      const auto topic = (*state)->find({"m.room.topic", ""});
      if (topic != (*state)->end()) CHECK(topic->second == (*head)->heads.front());
    }
    stores.close();
    std::filesystem::remove_all(stores.folder());
    last = 0;
  }
}

// With files bounded to `bytes`, which stands for a full disk, writes until that fails; then with room again. Tells as
// write_until_killed does. 0 when all went as it should.
int write_on_full_disk(Stores& stores, int write_to) {
  signal(SIGXFSZ, SIG_IGN);
  stores.open();
  LiveRoom room(stores);
  room.found();
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit unbounded = limit;
  limit.rlim_cur = 2'000'000;
  setrlimit(RLIMIT_FSIZE, &limit);
  const auto tell = [&](const EventId& id, StreamPosition position) {
    const std::string line = id.str() + " " + std::to_string(position) + "\n";
    return write(write_to, line.data(), line.size()) > 0;
  };
  const auto write_some = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const RoomBuilder::Tip tip = room.tip;
      const EventCommit one = room.next_message(alice, std::string(5'000, 'x'));
      const auto position = commit(stores.rooms(), one);
      if (!position) {
        room.tip = tip;
        return position.error().code == ErrorCode::storage ? 1 : 2;
      }
      if (!tell(one.event->id(), *position)) return 3;
    }
    return 0;
  };
  if (write_some(1'000) != 1) return 10;
  if (write_some(1) != 1) return 11;               // still full
  if (!stores.rooms().head(room.id())) return 12;  // reading goes on
  setrlimit(RLIMIT_FSIZE, &unbounded);
  if (write_some(20) != 0) return 13;
  stores.close();
  return 0;
}

TEST_CASE("a full disk is reported and loses nothing acknowledged and writing goes on when there is room again") {
  Stores stores;
  Told told;
  const int status = in_child([&](int write_to) { return write_on_full_disk(stores, write_to); },
                              [&](int read_from, int) { told = read_lines(read_from, SIZE_MAX, [] {}); });
  CHECK(status == 0);
  REQUIRE(told.events.size() > 30);
  stores.open();
  CHECK(stores.rooms().absent(told.events)->empty());
  CHECK(stores.stream().current() >= told.last);
  const auto room = stores.rooms().rooms()->front();
  CHECK(stores.rooms().head(room)->value().heads == std::vector{told.events.back()});
  // Four events founded the room.
  CHECK(stores.rooms().live_events(room, 0, stores.stream().current(), 10'000, true)->events.size() ==
        told.events.size() + 4);
}

}  // namespace skerry::test
