// The model of a room: names, edits, reactions, redactions, sentences.
#include "client/sdk/room.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "client/sdk/describe.h"
#include "tests/client/scripted_transport.h"

namespace skerry::client {
namespace {

const std::string alice = "@alice:alpha.test";
const std::string bob = "@bob:bravo.test";

Room room_with(Json state_events, Json timeline_events = Json::array()) {
  Room room("!r", alice);
  room.apply(parse_joined_room("!r", sync_of("n", "!r", state_events, timeline_events)["rooms"]["join"]["!r"]));
  return room;
}

void add(Room& room, const Json& event) { room.timeline.append(*parse_room_event(event)); }

Json edit_of(const std::string& target, const std::string& sender, const std::string& body, const std::string& id,
             std::int64_t ts = 1) {
  return event("m.room.message", sender,
               {{"msgtype", "m.text"},
                {"body", "* " + body},
                {"m.new_content", {{"msgtype", "m.text"}, {"body", body}}},
                {"m.relates_to", {{"rel_type", "m.replace"}, {"event_id", target}}}},
               id, ts);
}

Json reaction_to(const std::string& target, const std::string& sender, const std::string& key, const std::string& id) {
  return event("m.reaction", sender,
               {{"m.relates_to", {{"rel_type", "m.annotation"}, {"event_id", target}, {"key", key}}}}, id);
}

Json redaction_of(const std::string& target, const std::string& id) {
  Json out = event("m.room.redaction", alice, {{"redacts", target}}, id);
  out["redacts"] = target;
  return out;
}

std::string said(const Room& room, const std::string& id) { return describe(room, *room.timeline.find(id)).text.str(); }

std::string sentence(const Json& event) {
  Room room = room_with(Json::array({member(alice, "Alice"), member(bob, "Bob")}));
  add(room, event);
  return describe(room, room.timeline.items().back()).text.str();
}

}  // namespace

TEST_CASE("a room is named by its name then its address then its people") {
  Json members = Json::array({member(alice, "Alice"), member(bob, "Bob"), member("@carol:c", "")});
  CHECK(room_with(members).name().str() == "Bob and @carol:c");
  members.push_back(state("m.room.canonical_alias", "", alice, {{"alias", "#lobby:alpha.test"}}));
  CHECK(room_with(members).name().str() == "#lobby:alpha.test");
  members.push_back(state("m.room.name", "", alice, {{"name", "Lob\x1b[31mby"}}));
  CHECK(room_with(members).name().str() == "Lob\uFFFD[31mby");
  CHECK(room_with(Json::array({member(alice, "Alice")})).name().str() == "Empty room");
}

TEST_CASE("two people of the same name are told apart") {
  Room room = room_with(Json::array({member(bob, "Bob"), member("@evil:e", "Bob"), member("@x:e", "@bob:bravo.test")}));
  CHECK(room.member_name(bob).str() == "Bob (@bob:bravo.test)");
  CHECK(room.member_name("@evil:e").str() == "Bob (@evil:e)");
  CHECK(room.member_name("@x:e").str() == "@bob:bravo.test (@x:e)");
  CHECK(room.short_name("@x:e").str() == "@x:e");
  room.set_state(*parse_room_event(member("@evil:e", "Bob", "leave")));
  CHECK(room.member_name(bob).str() == "Bob");
  CHECK(room.member_name("@evil:e").str() == "Bob (@evil:e)");
}

TEST_CASE("invisible characters do not make a name look new") {
  Room room = room_with(Json::array({member(bob, "Bob"), member("@evil:e", "B\u200bob")}));
  CHECK(room.member_name("@evil:e").str() == "Bob (@evil:e)");
  CHECK(room_with(Json::array({member(bob, " \u200b ")})).member_name(bob).str() == bob);
}

TEST_CASE("short names are localparts where no name is set and nobody else goes by it") {
  Room room = room_with(Json::array({member(alice, ""), member(bob, "")}));
  CHECK(room.short_name(alice).str() == "alice");
  room.set_state(*parse_room_event(member("@alice:bravo.test", "")));
  CHECK(room.short_name(alice).str() == alice);
  CHECK(room.short_name("@alice:bravo.test").str() == "@alice:bravo.test");
  CHECK(room.member_name(alice).str() == alice);
}

TEST_CASE("an edit replaces the text whether it comes before or after its target") {
  Room room = room_with(Json::array());
  add(room, message(bob, "helo", "$1"));
  add(room, edit_of("$1", bob, "hello", "$2", 5));
  CHECK(said(room, "$1") == "hello");
  add(room, edit_of("$1", bob, "older", "$3", 4));
  CHECK(said(room, "$1") == "hello");
  room.timeline.prepend(
      {*parse_room_event(edit_of("$early", bob, "second", "$4")), *parse_room_event(message(bob, "first", "$early"))});
  CHECK(said(room, "$early") == "second");
  CHECK(room.timeline.items().size() == 2);
}

TEST_CASE("nobody edits the words of someone else") {
  Room room = room_with(Json::array());
  add(room, message(bob, "mine", "$1"));
  add(room, edit_of("$1", "@evil:e", "forged", "$2"));
  CHECK(said(room, "$1") == "mine");
}

TEST_CASE("an edit that the server put into the event is shown") {
  Room room = room_with(Json::array());
  Json original = message(bob, "helo", "$1");
  original["unsigned"] = {{"m.relations", {{"m.replace", edit_of("$1", bob, "hello", "$2")}}}};
  add(room, original);
  CHECK(said(room, "$1") == "hello");
}

TEST_CASE("reactions are counted once per person and taken back by redaction") {
  Room room = room_with(Json::array());
  add(room, message(bob, "hi", "$1"));
  add(room, reaction_to("$1", alice, "👍", "$2"));
  add(room, reaction_to("$1", alice, "👍", "$3"));
  add(room, reaction_to("$1", bob, "👍", "$4"));
  CHECK(room.timeline.find("$1")->reactions.at("👍").size() == 2);
  add(room, redaction_of("$4", "$5"));
  CHECK(room.timeline.find("$1")->reactions.at("👍").size() == 1);
  CHECK(room.timeline.items().size() == 1);
}

TEST_CASE("deleted words are gone from the model and from what is stored") {
  Room room = room_with(Json::array());
  add(room, message(bob, "a secret", "$1"));
  add(room, redaction_of("$1", "$2"));
  CHECK(said(room, "$1") == "[deleted]");
  CHECK(room_snapshot(room).find("a secret") == std::string::npos);
  add(room, redaction_of("$later", "$3"));
  add(room, message(bob, "another", "$later"));
  CHECK(said(room, "$later") == "[deleted]");
}

TEST_CASE("an event that comes twice is shown once") {
  Room room = room_with(Json::array(), Json::array({message(bob, "hi", "$1")}));
  add(room, message(bob, "hi", "$1"));
  room.timeline.prepend({*parse_room_event(message(bob, "hi", "$1"))});
  CHECK(room.timeline.items().size() == 1);
}

TEST_CASE("a gap starts the timeline anew") {
  Room room = room_with(Json::array(), Json::array({message(bob, "old", "$1")}));
  Json update = sync_of("n2", "!r", Json::array(), Json::array({message(bob, "new", "$9")}))["rooms"]["join"]["!r"];
  update["timeline"]["limited"] = true;
  room.apply(parse_joined_room("!r", update));
  REQUIRE(room.timeline.items().size() == 1);
  CHECK(room.timeline.prev_batch == "p_n2");
}

TEST_CASE("forgetting old items means to ask where they were") {
  Room room = room_with(Json::array());
  for (int i = 0; i < 10; ++i) add(room, message(bob, "m", "$" + std::to_string(i)));
  room.timeline.prev_batch = "somewhere";
  CHECK(room.timeline.trim(4));
  CHECK(room.timeline.items().size() == 4);
  CHECK(room.timeline.prev_batch.empty());
  CHECK_FALSE(room.timeline.contains("$0"));
}

TEST_CASE("a room comes back from its snapshot") {
  Room room = room_with(
      Json::array({member(alice, "Alice"), member(bob, "Bob"), state("m.room.topic", "", bob, {{"topic", "t"}})}),
      Json::array({message(bob, "hi", "$1")}));
  room.unread = 3;
  Room again("!r", alice);
  REQUIRE(restore_room(again, room_snapshot(room)));
  CHECK(again.name().str() == "Bob");
  CHECK(again.topic().str() == "t");
  CHECK(again.unread == 3);
  CHECK(said(again, "$1") == "hi");
  CHECK_FALSE(restore_room(again, "not json"));
}

TEST_CASE("an invitation comes back from its snapshot") {
  Json invite = state("m.room.member", alice, bob, {{"membership", "invite"}});
  Room room("!r", alice);
  room.apply(InvitedRoomUpdate{
      "!r", {*parse_room_event(invite), *parse_room_event(state("m.room.name", "", bob, {{"name", "Den"}}))}});
  Room again("!r", alice);
  REQUIRE(restore_room(again, room_snapshot(room)));
  CHECK(again.invited());
  CHECK(again.inviter() == bob);
  CHECK(again.name().str() == "Den");
}

TEST_CASE("membership changes are told as sentences") {
  CHECK(sentence(member("@c:c", "Carol")) == "Carol joined");
  Json renamed = member("@c:c", "Carola");
  renamed["unsigned"] = {{"prev_content", {{"membership", "join"}, {"displayname", "Carol"}}}};
  CHECK(sentence(renamed) == "Carol is now called Carola");
  CHECK(sentence(state("m.room.member", "@c:c", alice, {{"membership", "invite"}})) == "Alice invited @c:c");
  CHECK(sentence(state("m.room.member", "@c:c", "@c:c", {{"membership", "leave"}})) == "@c:c left");
  CHECK(sentence(state("m.room.member", "@c:c", bob, {{"membership", "leave"}, {"reason", "spam"}})) ==
        "Bob removed @c:c: spam");
  CHECK(sentence(state("m.room.member", "@c:c", bob, {{"membership", "ban"}})) == "Bob banned @c:c");
  CHECK(sentence(state("m.room.topic", "", bob, {{"topic", "fish\x1b[2J"}})) == "Bob set the topic: fish\uFFFD[2J");
}

TEST_CASE("what is not text stands as a word for it") {
  CHECK(sentence(event("m.room.message", bob,
                       {{"msgtype", "m.image"}, {"body", "cat.png"}, {"info", {{"size", 20480}}}}, "$1")) ==
        "[image: cat.png, 20 KB]");
  CHECK(sentence(event("m.room.message", bob, {{"msgtype", "m.file"}, {"body", "see"}, {"filename", "a.pdf"}}, "$1")) ==
        "[file: a.pdf] see");
  CHECK(sentence(event("m.room.encrypted", bob, {{"ciphertext", "x"}}, "$1")) ==
        "[encrypted: this client cannot read it]");
  CHECK(sentence(event("m.room.message", bob, {{"msgtype", "m.text"}}, "$1")) == "[message without text]");
  CHECK(sentence(event("org.example.unknown", bob, {{"x", 1}}, "$1")).empty());
}

TEST_CASE("the quoted lines of an answer are not repeated") {
  CHECK(without_reply_fallback("> <@a:b> hello\n> more\n\nyes") == "yes");
  CHECK(without_reply_fallback("> all quoted") == "> all quoted");
  CHECK(without_reply_fallback("plain > text") == "plain > text");
}

TEST_CASE("events of strange shapes are left out or read as far as they go") {
  CHECK_FALSE(parse_room_event(Json{{"type", 5}, {"sender", "@a:b"}}));
  CHECK_FALSE(parse_room_event(Json("text")));
  const auto odd = parse_room_event(Json{
      {"type", "m.room.message"}, {"sender", bob}, {"content", "text"}, {"unsigned", 1}, {"origin_server_ts", "x"}});
  REQUIRE(odd);
  CHECK(odd->text("body").empty());
  CHECK_FALSE(parse_sync_response(Json{{"rooms", 1}}));
  const auto sync = parse_sync_response(
      Json{{"next_batch", "n"}, {"rooms", {{"join", {{"!r", {{"timeline", {{"events", {1, "x", nullptr}}}}}}}}}}});
  REQUIRE(sync);
  CHECK(sync->joined.at(0).timeline.empty());
}

}  // namespace skerry::client
