// Relations as commits leave them, in whatever order events and redactions come.
#include <catch2/catch.hpp>

#include "storage/maintenance.h"
#include "tests/storage/stores.h"

namespace skerry::test {

using storage::EventCommit;

namespace {

const UserId alice = user("@alice:alpha.test");
const UserId bob = user("@bob:alpha.test");

struct Talk {
  Stores stores;
  std::unique_ptr<LiveRoom> room;
  EventPtr root;

  Talk() {
    stores.open();
    room = std::make_unique<LiveRoom>(stores);
    room->found();
    room->join(bob);
    root = send(alice, R"({"body":"root"})");
  }
  EventCommit next(const UserId& sender, const std::string& content) {
    return room->live(room->builder.add(room->tip, {sender, "m.room.message", {}, content, 0, {}}));
  }
  EventPtr send(const UserId& sender, const std::string& content) {
    EventCommit commit = next(sender, content);
    REQUIRE(test::commit(stores.rooms(), commit));
    return commit.event;
  }
  std::string relating(const std::string& type) const {
    return R"({"body":"x","m.relates_to":{"event_id":")" + root->id().str() + R"(","rel_type":")" + type + R"("}})";
  }
  std::vector<std::string> children(bool backwards = false) {
    storage::ChildrenQuery query;
    query.room = room->id();
    query.parent = root->id();
    query.from = {-1, INT64_MIN};
    query.to = {INT64_MAX, INT64_MAX};
    if (backwards) std::swap(query.from, query.to);
    query.backwards = backwards;
    query.limit = 100;
    return ids_of(*stores.relations().children(query));
  }
  std::int64_t count(const UserId& reader = alice) {
    return stores.relations().thread(room->id(), root->id(), reader, {})->count;
  }
  std::vector<std::string> threads() {
    std::vector<std::string> roots;
    const auto found = stores.relations().threads(room->id(), {INT64_MAX, INT64_MAX}, {}, 100);
    for (const auto& thread : *found) roots.push_back(thread.root.str());
    return roots;
  }
  void redact(const EventPtr& target) {
    EventCommit redaction = next(alice, R"({"redacts":")" + target->id().str() + R"("})");
    redaction.redacts = target->id();
    REQUIRE(test::commit(stores.rooms(), redaction));
  }
  void check() {
    stores.close();
    CHECK(storage::check_sqlite(stores.folder())->findings.empty());
  }
};

}  // namespace

TEST_CASE("a redacted event relates to nothing whether the redaction came before or after") {
  Talk talk;
  const EventPtr one = talk.send(bob, talk.relating("m.thread"));
  const EventPtr two = talk.send(bob, talk.relating("m.thread"));
  CHECK(talk.count() == 2);
  talk.redact(two);
  CHECK(talk.children() == std::vector<std::string>{one->id().str()});
  CHECK(talk.count() == 1);
  talk.redact(two);  // again
  CHECK(talk.count() == 1);
  EventCommit late = talk.next(bob, talk.relating("m.thread"));
  late.redacted_by = one->id();
  REQUIRE(commit(talk.stores.rooms(), late));
  CHECK(talk.count() == 1);
  CHECK(talk.threads() == std::vector<std::string>{talk.root->id().str()});
  talk.redact(one);
  CHECK(talk.count() == 0);
  CHECK(talk.threads().empty());
  talk.check();
}

TEST_CASE("history that is filled in later relates as well and stands where it belongs") {
  Talk talk;
  EventCommit missed = talk.next(bob, talk.relating("m.reference"));
  const EventPtr live = talk.send(bob, talk.relating("m.reference"));
  missed.backfilled = true;
  missed.heads.reset();
  missed.current_state.reset();
  REQUIRE(commit(talk.stores.rooms(), missed));
  CHECK(talk.children() == std::vector<std::string>{missed.event->id().str(), live->id().str()});
  CHECK(talk.children(true) == std::vector<std::string>{live->id().str(), missed.event->id().str()});
  talk.check();
}

TEST_CASE("what was not accepted or has no place yet relates to nothing") {
  Talk talk;
  EventCommit outlier = talk.next(bob, talk.relating("m.thread"));
  const EventCommit placed = outlier;
  outlier.outlier = true;
  outlier.heads.reset();
  REQUIRE(commit(talk.stores.rooms(), outlier));
  EventCommit failed = talk.next(bob, talk.relating("m.thread"));
  failed.judgement.verdict = Verdict::soft_failed;
  failed.heads.reset();
  REQUIRE(commit(talk.stores.rooms(), failed));
  CHECK(talk.children().empty());
  REQUIRE(commit(talk.stores.rooms(), placed));
  REQUIRE(commit(talk.stores.rooms(), placed));
  CHECK(talk.count() == 1);
  talk.check();
}

TEST_CASE("a database of before gets its relations and threads noted") {
  Talk talk;
  talk.send(bob, talk.relating("m.thread"));
  const EventPtr latest = talk.send(alice, talk.relating("m.thread"));
  talk.redact(talk.send(bob, talk.relating("m.thread")));
  talk.send(bob, R"({"m.relates_to":{"event_id":7,"rel_type":"m.thread"},"body":"\"rel_type\""})");
  const EventPtr like = talk.send(
      bob, R"({"m.relates_to":{"event_id":")" + talk.root->id().str() + R"(","key":"+","rel_type":"m.annotation"}})");
  const auto before = talk.children();
  CHECK(before.size() == 3);
  talk.stores.close();
  take_back_to(talk.stores, 2);
  talk.stores.open();
  CHECK(talk.children() == before);
  CHECK(talk.count() == 2);
  CHECK(talk.threads() == std::vector<std::string>{talk.root->id().str()});
  CHECK(*talk.stores.relations().is_annotated(talk.room->id(), talk.root->id(), bob, "m.room.message", "+"));
  CHECK_FALSE(*talk.stores.relations().is_annotated(talk.room->id(), talk.root->id(), alice, "m.room.message", "+"));
  talk.check();
}

}  // namespace skerry::test
