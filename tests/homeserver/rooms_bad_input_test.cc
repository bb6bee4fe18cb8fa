// What no honest server sends: each is dropped, or stored as rejected with the rule that decided, alike on every
// server, and the room goes on.
#include <catch2/catch.hpp>

#include "core/limits.h"
#include "tests/homeserver/shared_room.h"

using namespace skerry;
using namespace skerry::test;

namespace {

using Texts = std::vector<std::string>;

// Two servers that hear bravo.
struct Hearing : Shared {
  explicit Hearing(const std::string& version) : Shared(version) { join_from("charlie.test", carol); }

  UserId carol = skerry::test::user("@carol:charlie.test");
  TestServer& charlie() { return world.at(carol.server()); }
  const RoomRules& rules() { return **bravo.reader().rules(room); }

  Json message(const std::string& body = "bad") {
    Json pdu = forged(bob.str(), "m.room.message", Json{{"body", body}}.dump());
    if (pdu.contains("event_id")) pdu["event_id"] = "$bad" + std::to_string(++messages_) + ":bravo.test";
    return pdu;
  }
  Json cite(const EventId& id) { return citation_of(rules(), *bravo.event(id)->event); }

  // What both say of an event that bravo signs; they must say the same, and keep the room as it was unless they take
  // it.
  Judgement verdict(Json pdu) {
    pdu = sign(std::move(pdu), bravo.name());
    const auto heads = alpha.heads(room);
    const auto state = alpha.state(room);
    const Judgement here = alpha.receive(bravo.name(), pdu).judgement;
    const Judgement there = charlie().receive(bravo.name(), pdu).judgement;
    CHECK(here.verdict == there.verdict);
    CHECK(here.rule == there.rule);
    CHECK(here.reason == there.reason);
    if (here.verdict != Verdict::accepted) {
      CHECK(alpha.heads(room) == heads);
      CHECK(alpha.state(room) == state);
      CHECK(alpha.say(room, alice, "the room goes on"));
      world.deliver();
    }
    return here;
  }

  bool dropped(const Json& pdu) {
    const Judgement judgement = verdict(pdu);
    INFO(judgement.rule << " " << judgement.reason);
    CHECK_FALSE(judgement.reason.empty());
    return judgement.verdict == Verdict::dropped;
  }
  std::string rejecting_rule(const Json& pdu) {
    const Judgement judgement = verdict(pdu);
    INFO(judgement.reason);
    CHECK(judgement.verdict == Verdict::rejected);
    return judgement.rule;
  }

 private:
  int messages_ = 0;
};

// A PDU with a body that makes it so many bytes as canonical JSON, signed.
Json of_size(Hearing& room, std::size_t bytes) {
  std::string body = "x";
  const Json small = room.sign(room.message(body), room.bravo.name());
  const auto text = canonical_json(small, room.rules().numbers);
  REQUIRE(text);
  return room.message(std::string(bytes - text->size() + 1, 'x'));
}

}  // namespace

TEST_CASE("an event that names itself is refused") {
  const auto version = GENERATE(as<std::string>(), "1", "2");
  Hearing room(version);
  for (const char* list : {"prev_events", "auth_events"}) {
    CAPTURE(version, list);
    Json pdu = room.message();
    pdu["event_id"] = "$self" + std::string(list) + ":bravo.test";
    pdu[list].push_back(Json::array({pdu["event_id"], {{"sha256", "x"}}}));
    CHECK(room.dropped(pdu));
  }
}

TEST_CASE("events that name each other are refused") {
  const auto version = GENERATE(as<std::string>(), "1", "2");
  Hearing room(version);
  for (const char* list : {"prev_events", "auth_events"}) {
    CAPTURE(version, list);
    Json one = room.message("one"), other = room.message("other");
    one["event_id"] = "$one" + std::string(list) + ":bravo.test";
    other["event_id"] = "$other" + std::string(list) + ":bravo.test";
    one[list].push_back(Json::array({other["event_id"], {{"sha256", "x"}}}));
    other[list].push_back(Json::array({one["event_id"], {{"sha256", "x"}}}));
    CHECK(room.dropped(one));
    CHECK(room.dropped(other));
    CHECK(room.dropped(one));
  }
}

TEST_CASE("an event that names thousands of others is refused unread") {
  const auto version = GENERATE(as<std::string>(), "1", "5", "11", "12");
  Hearing room(version);
  for (const char* list : {"prev_events", "auth_events"}) {
    CAPTURE(version, list);
    Json pdu = room.message();
    const Json one = pdu["prev_events"][0];
    for (int i = 0; i < 1'000; ++i) pdu[list].push_back(one);
    room.world.requests.clear();
    CHECK(room.dropped(pdu));
    CHECK(room.world.requests.empty());
  }
}

TEST_CASE("an event that cites one state twice is rejected") {
  const auto version = GENERATE(as<std::string>(), "1", "6", "11", "12");
  CAPTURE(version);
  Hearing room(version);
  const std::string rule = std::string(version == "12" ? "3" : "2") + ".1";
  Json pdu = room.message();
  pdu["auth_events"].push_back(pdu["auth_events"].back());
  CHECK(room.rejecting_rule(pdu) == rule);
  // Two memberships of one user.
  const EventId before = room.bravo.state(room.room).at({"m.room.member", room.bob.str()});
  REQUIRE(room.bravo.set(room.room, room.bob, "m.room.member", R"({"membership":"join","displayname":"Bob"})",
                         room.bob.str()));
  room.world.deliver();
  Json twice = room.message();
  twice["auth_events"].push_back(room.cite(before));
  CHECK(room.rejecting_rule(twice) == rule);
}

TEST_CASE("an event without its room's create event or with another's is rejected") {
  const auto version = GENERATE(as<std::string>(), "1", "6", "11");
  CAPTURE(version);
  Hearing room(version);
  Json none = room.message();
  REQUIRE(none["auth_events"].size() == 3);
  none["auth_events"].erase(0);
  CHECK(room.rejecting_rule(none) == "2.4");
  // Of a room that both servers know.
  const auto other = room.alpha.create(version, room.alice);
  REQUIRE(other);
  for (TestServer* server : {&room.bravo, &room.charlie()}) {
    const UserId guest = server->user("guest");
    REQUIRE(server->membership().join(guest, *other, {room.alpha.name()}, "{}"));
  }
  room.world.deliver();
  Json foreign = room.message();
  foreign["auth_events"][0] = room.cite(room.bravo.state(*other).at({"m.room.create", ""}));
  CHECK(room.rejecting_rule(foreign) == "2.5");
}

TEST_CASE("in version 12 an event that cites the create event is rejected") {
  Hearing room("12");
  Json pdu = room.message();
  pdu["auth_events"].push_back(room.bravo.state(room.room).at({"m.room.create", ""}).str());
  CHECK(room.rejecting_rule(pdu) == "3.2");
}

TEST_CASE("a room is created once") {
  const auto version = GENERATE(as<std::string>(), "1", "6", "11");
  CAPTURE(version);
  Hearing room(version);
  Json second = room.forged(room.bob.str(), "m.room.create", Json{{"creator", room.bob.str()}}.dump());
  second["state_key"] = "";
  CHECK(room.dropped(second));  // it cites
  second["auth_events"] = Json::array();
  CHECK(room.rejecting_rule(second) == "1.1");
  second["prev_events"] = Json::array();
  const Judgement first = room.verdict(second);
  CHECK(first.verdict != Verdict::accepted);
}

TEST_CASE("an event may be as deep as its version's numbers and no deeper") {
  const auto version = GENERATE(as<std::string>(), "1", "5", "6", "12");
  CAPTURE(version);
  Hearing room(version);
  for (const Json& depth : {Json(-1), Json(static_cast<std::uint64_t>(room.rules().max_depth) + 1), Json("1")}) {
    Json pdu = room.message();
    pdu["depth"] = depth;
    if (canonical_json(pdu, room.rules().numbers)) {
      CHECK(room.dropped(pdu));
    } else {  // what cannot even be signed
      CHECK(room.alpha.receive(room.bravo.name(), pdu).judgement.verdict == Verdict::dropped);
    }
  }
  Json deepest = room.message("deep");
  deepest["depth"] = room.rules().max_depth;
  CHECK(room.verdict(deepest).verdict == Verdict::accepted);
  for (TestServer* server : {&room.alpha, &room.charlie()}) {
    CHECK(server->say(room.room, server == &room.alpha ? room.alice : room.carol, "behind it"));
  }
  room.world.deliver();
  CHECK(room.alpha.state(room.room) == room.charlie().state(room.room));
}

TEST_CASE("ids of another version's form are refused") {
  const auto version = GENERATE(as<std::string>(), "1", "3", "4", "12");
  CAPTURE(version);
  Hearing room(version);
  const bool is_named = room.rules().event_ids == RoomRules::EventIds::in_event;
  const std::string hash = "$" + std::string(41, 'a');
  for (const std::string& id : Texts{hash + "_-", hash + "+/", "$named:bravo.test"}) {
    for (const bool is_pair : {false, true}) {
      CAPTURE(id, is_pair);
      const bool has_domain = id.find(':') != std::string::npos;
      const bool has_url_letters = id.ends_with("_-");
      const bool is_of_version =
          is_named ? has_domain && is_pair
                   : !has_domain && !is_pair &&
                         has_url_letters == (room.rules().event_ids == RoomRules::EventIds::hash_base64url);
      if (is_of_version) continue;
      for (const char* list : {"prev_events", "auth_events"}) {
        Json pdu = room.message();
        pdu[list].push_back(is_pair ? Json::array({id, Json::object()}) : Json(id));
        room.world.requests.clear();
        CHECK(room.dropped(pdu));
        CHECK(room.world.requests.empty());  // nobody is asked for such
      }
    }
  }
  Json elsewhere = room.message();
  elsewhere["room_id"] = version == "12" ? "!room:bravo.test" : "!" + std::string(43, 'r');
  CHECK(room.dropped(elsewhere));
}

TEST_CASE("an event of 65536 bytes is taken and one of a byte more is not") {
  const auto version = GENERATE(as<std::string>(), "1", "5", "12");
  CAPTURE(version);
  Hearing room(version);
  CHECK(room.dropped(of_size(room, limits::event_bytes + 1)));
  const Json largest = of_size(room, limits::event_bytes);
  CHECK(canonical_json(room.sign(largest, room.bravo.name()), room.rules().numbers)->size() == limits::event_bytes);
  CHECK(room.verdict(largest).verdict == Verdict::accepted);
}

TEST_CASE("a server that tells each a different story is heard by all in the end") {
  const auto version = GENERATE(as<std::string>(), "3", "12");
  CAPTURE(version);
  Hearing room(version);
  // Both stand at one place, by one sender: no less an event for that.
  const Json for_alpha = room.sign(room.message("i am at home"), room.bravo.name());
  const Json for_charlie = room.sign(room.message("i am at sea"), room.bravo.name());
  CHECK(room.alpha.receive(room.bravo.name(), for_alpha).judgement.verdict == Verdict::accepted);
  CHECK(room.charlie().receive(room.bravo.name(), for_charlie).judgement.verdict == Verdict::accepted);
  CHECK(room.charlie().receive(room.alpha.name(), for_alpha).judgement.verdict == Verdict::accepted);
  CHECK(room.alpha.receive(room.charlie().name(), for_charlie).judgement.verdict == Verdict::accepted);
  CHECK(room.alpha.state(room.room) == room.charlie().state(room.room));
  auto here = room.alpha.bodies(room.room), there = room.charlie().bodies(room.room);
  std::sort(here.begin(), here.end());
  std::sort(there.begin(), there.end());
  CHECK(here == there);
}

TEST_CASE("an event that could not be decided is accepted once what it stands on has come") {
  const auto version = GENERATE(as<std::string>(), "1", "11", "12");
  CAPTURE(version);
  Hearing room(version);
  Json parent = room.message("the ancestor");
  parent = room.sign(std::move(parent), room.bravo.name());
  const auto parent_event = Event::make(room.rules(), parent);
  REQUIRE(parent_event);
  Json child = room.message("the heir");
  child["event_id"] = "$heir:bravo.test";
  if (room.rules().event_ids != RoomRules::EventIds::in_event) child.erase("event_id");
  child["prev_events"] = Json::array({citation_of(room.rules(), **parent_event)});
  child = room.sign(std::move(child), room.bravo.name());
  // Bravo itself does not have them: nobody can be asked.
  const auto refused = room.alpha.receive(room.bravo.name(), child);
  CHECK(refused.judgement.verdict == Verdict::dropped);
  CHECK(room.alpha.receive(room.bravo.name(), parent).judgement.verdict == Verdict::accepted);
  CHECK(room.alpha.receive(room.bravo.name(), child).judgement.verdict == Verdict::accepted);
  CHECK(room.alpha.bodies(room.room) == std::vector<std::string>{"the ancestor", "the heir"});
}
