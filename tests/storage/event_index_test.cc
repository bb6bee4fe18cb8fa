// Words and times, indexed when someone asks.
#include <catch2/catch.hpp>

#include "tests/storage/stores.h"

namespace skerry::test {

namespace {

const UserId alice = user("@alice:alpha.test");

struct Library {
  Stores stores;
  std::unique_ptr<LiveRoom> room;

  Library() {
    stores.open();
    room = std::make_unique<LiveRoom>(stores);
    room->found();
  }
  EventPtr say(const std::string& body) {
    storage::EventCommit commit = room->next_message(alice, body);
    REQUIRE(test::commit(stores.rooms(), commit));
    return commit.event;
  }
  std::vector<std::string> find(std::vector<std::string> words, bool by_rank = false, std::vector<RoomId> rooms = {}) {
    REQUIRE(stores.index().catch_up());
    storage::TextQuery query;
    query.words = std::move(words);
    query.fields = {storage::TextField::body, storage::TextField::topic};
    query.rooms = rooms.empty() ? std::vector<RoomId>{room->id()} : std::move(rooms);
    query.by_rank = by_rank;
    query.limit = 100;
    auto hits = stores.index().find_text(query);
    REQUIRE(hits);
    CHECK(*stores.index().count_text(query, 100) == hits->size());
    std::vector<std::string> found;
    for (const auto& hit : *hits) found.push_back(hit.event.event->id().str());
    return found;
  }
};

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("messages are found by their words in the rooms asked for") {
  Library library;
  const EventPtr harbour = library.say("the harbour is calm");
  const EventPtr storm = library.say("A storm, a storm! over the Harbour");
  CHECK(library.find({"harbour"}) == Ids{storm->id().str(), harbour->id().str()});
  CHECK(library.find({"harbour", "calm"}) == Ids{harbour->id().str()});
  CHECK(library.find({"storm"}, true) == Ids{storm->id().str()});
  CHECK(library.find({"nowhere"}).empty());
  CHECK(library.find({"harbour"}, false, {*RoomId::parse("!other:alpha.test")}).empty());
  // What came since is found as well.
  const EventPtr later = library.say("calm again");
  CHECK(library.find({"calm"}) == Ids{later->id().str(), harbour->id().str()});
}

TEST_CASE("the grammar of the index is not open to those who search") {
  Library library;
  const EventPtr quoted = library.say("he said \"NEAR\" and left");
  CHECK(library.find({"\"NEAR\""}) == Ids{quoted->id().str()});
  CHECK(library.find({"he OR nobody"}).empty());
  CHECK(library.find({"name:he"}).empty());
  CHECK(library.find({"*"}).empty());
  CHECK(library.find({")"}).empty());
  CHECK(library.find({""}).empty());
}

TEST_CASE("redacted events are not found") {
  Library library;
  const EventPtr secret = library.say("the password is swordfish");
  CHECK(library.find({"swordfish"}).size() == 1);
  storage::EventCommit redaction = library.room->next_message(alice);
  redaction.redacts = secret->id();
  REQUIRE(commit(library.stores.rooms(), redaction));
  CHECK(library.find({"swordfish"}).empty());
}

TEST_CASE("an event that was an outlier when it was indexed is found once it has its place") {
  Library library;
  const storage::EventCommit placed = library.room->next_message(alice, "lighthouse");
  storage::EventCommit outlier = placed;
  outlier.outlier = true;
  outlier.heads.reset();
  REQUIRE(commit(library.stores.rooms(), outlier));
  CHECK(library.find({"lighthouse"}).empty());
  REQUIRE(commit(library.stores.rooms(), placed));
  CHECK(library.find({"lighthouse"}).size() == 1);
}

TEST_CASE("events are found by their time in both directions") {
  Library library;
  const EventPtr one = library.say("one");
  const EventPtr two = library.say("two");
  REQUIRE(library.stores.index().catch_up());
  const auto at = [&](std::int64_t ts_ms, bool forwards, std::size_t limit = 1) {
    return ids_of(*library.stores.index().by_time(library.room->id(), ts_ms, forwards, 0, limit));
  };
  CHECK(at(one->origin_server_ts_ms(), true) == Ids{one->id().str()});
  CHECK(at(one->origin_server_ts_ms() + 1, true) == Ids{two->id().str()});
  CHECK(at(two->origin_server_ts_ms() - 1, false) == Ids{one->id().str()});
  CHECK(at(two->origin_server_ts_ms() + 1, true).empty());
  CHECK(at(two->origin_server_ts_ms(), false, 2) == Ids{two->id().str(), one->id().str()});
}

}  // namespace skerry::test
