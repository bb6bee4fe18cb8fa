// Counts of what is unread, beside receipts that move. Client-server API, 'Receiving notifications'.
#include "homeserver/sync/unread.h"

#include <catch2/catch.hpp>

#include "tests/homeserver/rooms_world.h"

using namespace skerry;
using namespace skerry::test;
using homeserver::UnreadCounter;

namespace {

// Bob in alice's room, where she has said three things.
struct Listener {
  World world;
  TestServer& server = world.add("alpha.test");
  const UserId alice = server.user("alice"), bob = server.user("bob");
  const RoomId room = *server.create("12", alice);
  const EventId joined = *server.member(room, bob, bob, "join");
  std::vector<EventId> said;
  UnreadCounter unread{server.database(), server.reader()};

  Listener() {
    for (const char* words : {"one", "two", "three"}) said.push_back(*server.say(room, alice, words));
  }
  int count() { return unread.count(bob, room, server.database().stream().current())->main.notifications; }
  void read(const EventId& event) {
    REQUIRE(server.database().stream().put_receipt({room, bob, "m.read", "", event, 17, 0}));
  }
};

}  // namespace

TEST_CASE("whoever sees a receipt sees the counts that it leaves") {
  Listener listener;
  CHECK(listener.count() == 3);
  auto moving = listener.unread.moving_receipt(listener.bob, listener.room);
  CHECK(listener.count() == 3);  // it is not written yet
  listener.read(listener.said[1]);
  CHECK(listener.count() == 1);  // it is, and the writer has not come further
  moving.reset();
  CHECK(listener.count() == 1);
}

TEST_CASE("what is taken back is unread no more") {
  Listener listener;
  const auto take_back = [&](const EventId& event) {
    EventDraft draft;
    draft.room = listener.room;
    draft.sender = listener.alice;
    draft.type = "m.room.redaction";
    draft.content_json = dump(Json{{"redacts", event.str()}});
    REQUIRE(listener.server.send(draft));
  };
  CHECK(listener.count() == 3);
  take_back(listener.said[1]);
  CHECK(listener.count() == 2);
  listener.read(listener.said[0]);
  listener.unread.moving_receipt(listener.bob, listener.room).reset();
  CHECK(listener.count() == 1);
  take_back(listener.said[0]);  // which was read
  CHECK(listener.count() == 1);
  take_back(listener.said[2]);
  CHECK(listener.count() == 0);
  REQUIRE(listener.server.say(listener.room, listener.alice, "four"));
  CHECK(listener.count() == 1);
}

TEST_CASE("receipts that move at the same time are all counted") {
  Listener listener;
  auto first = listener.unread.moving_receipt(listener.bob, listener.room);
  auto second = listener.unread.moving_receipt(listener.bob, listener.room);
  listener.read(listener.said[0]);
  first.reset();
  CHECK(listener.count() == 2);
  listener.read(listener.said[2]);
  CHECK(listener.count() == 0);
  second.reset();
  CHECK(listener.count() == 0);
  REQUIRE(listener.server.say(listener.room, listener.alice, "four"));
  CHECK(listener.count() == 1);
}
