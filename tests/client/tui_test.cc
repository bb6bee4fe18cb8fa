// The chat screen without a terminal: what is drawn, and what keys do.
#include <stdlib.h>
#include <time.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "client/text/graphemes.h"
#include "client/tui/chat_screen.h"
#include "client/tui/screen.h"
#include "client/tui/slash_command.h"
#include "tests/client/scripted_transport.h"

namespace skerry::client {
namespace {

const std::string alice = "@alice:alpha.test";
const std::string bob = "@bob:bravo.test";
constexpr std::int64_t noon = 1'741'089'600'000;  // 4 March 2025, 12:00 UTC

struct Utc {
  Utc() {
    setenv("TZ", "UTC", 1);
    tzset();
  }
} utc;

Key key(KeyCode code) { return {code, "", 0, 0}; }
Key ctrl(char letter) { return {KeyCode::ctrl, std::string(1, letter), 0, 0}; }
Key text(const std::string& typed) { return {KeyCode::text, typed, 0, 0}; }

// A chat screen over a scripted server.
struct ScreenFixture {
  ScriptedTransport server;
  FakeClock clock;
  CountingRandom random;
  FakeScheduler scheduler;
  std::deque<std::function<void()>> tasks;
  Session session{server, alice, "token"};
  ChatScreen* screen_at = nullptr;
  Chat chat{
      session,   scheduler, clock, random, [this](std::function<void()> task) { tasks.push_back(std::move(task)); },
      observer()};
  ChatScreen screen{chat, clock, "http://127.0.0.1:8008", ""};
  int rows = 16;
  int columns = 80;

  ScreenFixture() { screen_at = &screen; }
  ChatObserver observer() {
    ChatObserver out;
    out.notice = [this](const SafeText& notice) { screen_at->show_notice(notice); };
    out.joined = [this](const std::string& id) { screen_at->on_joined(id); };
    return out;
  }
  void settle() {
    while (!tasks.empty()) {
      auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
    screen.refresh(rows, columns);
  }
  void ok(const std::string& part, const Json& body = Json::object()) {
    server.ok(part, body);
    settle();
  }
  void begin(Json timeline, const std::string& name = "Lobby") {
    chat.start("");
    ok("/sync", sync_of("s1", "!r",
                        Json::array({member(alice, "Alice"), member(bob, "Bob"),
                                     state("m.room.name", "", bob, {{"name", name}})}),
                        std::move(timeline), {{"summary", {{"m.joined_member_count", 2}}}}));
  }
  void say(const std::string& line) {
    screen.on_key(text(line), rows, columns);
    screen.on_key(key(KeyCode::enter), rows, columns);
    settle();
  }
  Frame frame() {
    screen.refresh(rows, columns);
    return render(screen.view(), rows, columns);
  }
  std::string shown() {
    std::string out;
    const Frame now = frame();
    for (int row = 0; row < rows; ++row) out += now.grid.row_text(row) + "\n";
    return out;
  }
  bool shows(const std::string& part) { return shown().find(part) != std::string::npos; }
};

Json many(int count) {
  Json out = Json::array();
  for (int i = 0; i < count; ++i)
    out.push_back(message(bob, "line " + std::to_string(i), "$" + std::to_string(i), noon + i * 600'000));
  return out;
}

}  // namespace

TEST_CASE("text is put into cells and wide characters take two") {
  Grid grid(2, 6);
  CHECK(grid.put(0, 0, "a日b", Ink::normal) == 4);
  CHECK(grid.at(0, 1).text == "日");
  CHECK(grid.at(0, 2).text.empty());
  CHECK(grid.put(1, 3, "x日本", Ink::normal) == 6);
  CHECK(grid.row_text(1) == "   x日");
  CHECK(grid.put(1, 5, "日", Ink::normal) == 6);  // half a character is not drawn
  CHECK(grid.at(1, 5).text == " ");
}

TEST_CASE("the screen shows rooms and messages and who one is") {
  ScreenFixture f;
  f.begin(Json::array({message(bob, "hello Alice", "$1", noon), message(bob, "again", "$2", noon + 1'000),
                       message(alice, "hi", "$3", noon + 60'000)}));
  f.ok("/displayname", {{"displayname", "Alice"}});
  CHECK(f.shown() ==
        " Skerry             │ Lobby                                            2 people\n"
        "────────────────────┼───────────────────────────────────────────────────────────\n"
        " Lobby              │\n"
        "                    │\n"
        "                    │\n"
        "                    │\n"
        "                    │\n"
        "                    │\n"
        "                    │   Loading earlier messages…\n"
        "                    │ ───────────────── Tuesday, 4 March 2025 ─────────────────\n"
        "                    │ 12:00   Bob  hello Alice\n"
        "                    │              again\n"
        "                    │ 12:01 Alice  hi\n"
        "                    ├───────────────────────────────────────────────────────────\n"
        "                    │ > write here\n"
        " Alice  @alice:alpha.test  online  http://127.0.0.1:8008    /help  Ctrl-Q quits\n");
}

TEST_CASE("every size from nothing to large is drawn without harm") {
  ScreenFixture f;
  f.begin(Json::array({message(bob, std::string(300, 'x') + " 日本語 \U0001F468\u200d\U0001F469", "$1", noon)}));
  f.screen.show_notice("something to say that takes a line or two");
  for (int rows = 0; rows < 30; ++rows) {
    for (int columns = 0; columns < 120; columns += 3) {
      f.screen.refresh(rows, columns);
      const Frame now = render(f.screen.view(), rows, columns);
      CHECK((now.grid.rows() == rows && now.grid.columns() == columns));
      if (now.cursor_visible && (now.cursor_row >= rows || now.cursor_column >= columns))
        FAIL("cursor outside at " << rows << "x" << columns);
    }
  }
}

TEST_CASE("edits and reactions and answers and deletions are drawn") {
  ScreenFixture f;
  Json edit = event("m.room.message", bob,
                    {{"msgtype", "m.text"},
                     {"body", "*"},
                     {"m.new_content", {{"body", "mended"}}},
                     {"m.relates_to", {{"rel_type", "m.replace"}, {"event_id", "$1"}}}},
                    "$2", noon);
  Json reaction =
      event("m.reaction", alice, {{"m.relates_to", {{"rel_type", "m.annotation"}, {"event_id", "$1"}, {"key", "👍"}}}},
            "$3", noon);
  Json answer =
      event("m.room.message", alice,
            {{"msgtype", "m.text"}, {"body", "yes"}, {"m.relates_to", {{"m.in_reply_to", {{"event_id", "$1"}}}}}}, "$4",
            noon);
  Json deleted = message(bob, "gone", "$5", noon);
  deleted["unsigned"] = {{"redacted_because", Json::object()}};
  f.begin(Json::array({message(bob, "broken", "$1", noon), edit, reaction, answer, deleted}));
  CHECK(f.shows("mended"));
  CHECK_FALSE(f.shows("broken"));
  CHECK(f.shows("(edited)  👍 1"));
  CHECK(f.shows("↳ Bob: mended"));
  CHECK(f.shows("[deleted]"));
}

TEST_CASE("nothing of what others send reaches a cell as a control character") {
  ScreenFixture f;
  const std::string evil = "a\x1b[2J\x07\u202eb\u009b1m\nc";
  f.begin(
      Json::array(
          {member("@e:e", evil), message("@e:e", evil, "$1", noon), state("m.room.topic", "", bob, {{"topic", evil}}),
           event("m.reaction", bob,
                 {{"m.relates_to", {{"rel_type", "m.annotation"}, {"event_id", "$1"}, {"key", evil}}}}, "$2", noon)}),
      evil);
  f.server.answer("/displayname", 200, {{"displayname", evil}});
  f.screen.show_notice(evil);
  f.settle();
  const Frame now = f.frame();
  for (int row = 0; row < f.rows; ++row) {
    for (int column = 0; column < f.columns; ++column) {
      const std::string& cell = now.grid.at(row, column).text;
      CHECK(SafeText(cell) == SafeText(SafeText(cell).str()));
      if (SafeText(cell).str() != cell) FAIL("cell " << row << ',' << column);
      CHECK(text_width(cell) <= 2);
    }
  }
}

TEST_CASE("one scrolls through history line by line and back") {
  ScreenFixture f;
  f.begin(many(40));
  CHECK(f.shows("line 39"));
  f.screen.on_key(key(KeyCode::page_up), f.rows, f.columns);
  CHECK_FALSE(f.shows("line 39"));
  CHECK(f.shows("below — Esc"));
  f.ok("/sync", sync_of("s2", "!r", Json::array(), Json::array({message(bob, "fresh", "$new", noon + 90'000'000)})));
  CHECK_FALSE(f.shows("fresh"));  // what one reads stays where it is
  for (int i = 0; i < 20; ++i) f.screen.on_key(key(KeyCode::page_up), f.rows, f.columns);
  CHECK(f.shows("line 0"));
  CHECK(f.shows("Loading earlier messages"));
  f.screen.on_key(key(KeyCode::page_down), f.rows, f.columns);
  f.screen.on_key(key(KeyCode::escape), f.rows, f.columns);
  CHECK(f.shows("fresh"));
}

TEST_CASE("scrolling up asks for earlier messages once it comes near the top") {
  ScreenFixture f;
  f.begin(many(40));
  CHECK_FALSE(f.server.has("/messages"));
  for (int i = 0; i < 3; ++i) f.screen.on_key(key(KeyCode::page_up), f.rows, f.columns);
  f.settle();
  CHECK(f.server.has("/messages"));
  Json older = Json::array({message(bob, "older", "$old", noon - 600'000)});
  const std::string before = f.shown();
  f.ok("/messages", {{"chunk", older}});
  CHECK(f.shown().substr(400, 600) == before.substr(400, 600));  // the screen does not jump
  for (int i = 0; i < 5; ++i) f.screen.on_key(key(KeyCode::page_up), f.rows, f.columns);
  CHECK(f.shows("older"));
  CHECK(f.shows("The room begins here."));
}

TEST_CASE("unread rooms show a count and opening one marks where reading was left") {
  ScreenFixture f;
  f.begin(Json::array({message(bob, "hi", "$1", noon)}));
  Json den = sync_of("s2", "!den", Json::array({state("m.room.name", "", bob, {{"name", "Den"}})}),
                     Json::array({message(bob, "seen", "$d1", noon), message(bob, "unseen", "$d2", noon)}),
                     {{"unread_notifications", {{"notification_count", 1}, {"highlight_count", 0}}}});
  f.ok("/sync", den);
  CHECK(f.frame().grid.row_text(2).substr(0, 19) == " Den              1");
  CHECK_FALSE(f.server.has("/receipt/m.read/%24d2"));
  f.screen.on_key(key(KeyCode::tab), f.rows, f.columns);
  f.settle();
  CHECK(f.shows(" new "));
  CHECK(f.server.has("/receipt/m.read/%24d2"));
  CHECK(f.frame().grid.row_text(2).substr(0, 19).find('1') == std::string::npos);
}

TEST_CASE("nothing is marked as read while one looks at earlier messages") {
  ScreenFixture f;
  f.begin(many(40));
  f.ok("/receipt");
  f.screen.on_key(key(KeyCode::page_up), f.rows, f.columns);
  f.ok("/sync", sync_of("s2", "!r", Json::array(), Json::array({message(bob, "fresh", "$new", noon)})));
  CHECK_FALSE(f.server.has("/receipt"));
  f.screen.on_key(key(KeyCode::escape), f.rows, f.columns);
  f.settle();
  CHECK(f.server.has("/receipt/m.read/%24new"));
}

TEST_CASE("an invitation is shown with who sent it and accepted by join alone") {
  ScreenFixture f;
  f.begin(Json::array());
  Json invite = state("m.room.member", alice, bob, {{"membership", "invite"}});
  Json name = state("m.room.name", "", bob, {{"name", "Den"}});
  f.ok("/sync",
       {{"next_batch", "s2"}, {"rooms", {{"invite", {{"!den", {{"invite_state", {{"events", {invite, name}}}}}}}}}}});
  CHECK(f.frame().grid.row_text(2).substr(0, 20) == " Den         invite ");
  f.screen.on_key(key(KeyCode::back_tab), f.rows, f.columns);
  CHECK(f.shows("@bob:bravo.test invites you to Den"));
  f.say("words");
  CHECK(f.shows("You are invited here"));
  f.screen.on_key(ctrl('c'), f.rows, f.columns);
  f.say("/join");
  CHECK(f.server.has("/join/%21den?via=bravo.test"));
}

TEST_CASE("a message goes from the composer to the server and a failure says how to repeat it") {
  ScreenFixture f;
  f.begin(Json::array());
  f.say("good morning");
  CHECK(f.shows("good morning …"));
  f.server.answer("/send/", 403, {{"errcode", "M_FORBIDDEN"}, {"error", "you may not speak"}});
  f.settle();
  CHECK(f.shows("not sent: you may not speak — Ctrl-R"));
  f.screen.on_key(ctrl('r'), f.rows, f.columns);
  f.ok("/send/", {{"event_id", "$1"}});
  CHECK(f.shows("good morning"));
  CHECK_FALSE(f.shows("not sent"));
}

TEST_CASE("typing is announced and taken back") {
  ScreenFixture f;
  f.begin(Json::array());
  f.screen.on_key(text("h"), f.rows, f.columns);
  f.screen.on_key(text("i"), f.rows, f.columns);
  CHECK(Json::parse(f.server.take("/typing/").request.body)["typing"] == true);
  CHECK_FALSE(f.server.has("/typing/"));
  f.screen.on_key(ctrl('c'), f.rows, f.columns);
  CHECK(Json::parse(f.server.take("/typing/").request.body)["typing"] == false);
  f.screen.on_key(text("/he"), f.rows, f.columns);
  CHECK_FALSE(f.server.has("/typing/"));
  f.ok("/sync",
       sync_of("s2", "!r", Json::array(), Json::array(),
               {{"ephemeral", {{"events", {{{"type", "m.typing"}, {"content", {{"user_ids", {bob, alice}}}}}}}}}}));
  CHECK(f.shows("Bob is typing…"));
}

TEST_CASE("an unknown command is not sent and names the nearest") {
  ScreenFixture f;
  f.begin(Json::array());
  f.say("/jion #x:y");
  CHECK(f.shows("There is no /jion. Did you mean /join?"));
  f.say("/frobnicate");
  CHECK(f.shows("/help lists what there is"));
  CHECK_FALSE(f.server.has("/send/"));
  f.say("//shrug");
  CHECK(Json::parse(f.server.take("/send/").request.body)["body"] == "/shrug");
}

TEST_CASE("commands ask the server for what they say") {
  ScreenFixture f;
  f.begin(Json::array());
  f.say("/create --public Green room #green");
  Json body = Json::parse(f.server.take("/createRoom").request.body);
  CHECK(body["name"] == "Green room");
  CHECK(body["room_alias_name"] == "green");
  CHECK(body["preset"] == "public_chat");
  f.say("/invite carol@charlie.test");
  CHECK(Json::parse(f.server.take("/invite").request.body)["user_id"] == "@carol:charlie.test");
  f.say("/topic all about fish");
  CHECK(Json::parse(f.server.take("/state/m.room.topic/").request.body)["topic"] == "all about fish");
  f.say("/nick Al");
  f.server.take("/displayname");
  CHECK(Json::parse(f.server.take("/displayname").request.body)["displayname"] == "Al");
  f.say("/me waves");
  CHECK(Json::parse(f.server.take("/send/").request.body)["msgtype"] == "m.emote");
  f.say("/members");
  f.ok("/members", {{"chunk", {member(alice, "Alice"), member(bob, "Bob"), member("@c:c", "Carol", "invite")}}});
  CHECK(f.shows("3 members"));
  CHECK(f.shows("@c:c  invited"));
  f.screen.on_key(key(KeyCode::escape), f.rows, f.columns);
  f.say("/help");
  CHECK(f.shows("/leave"));
  f.say("/leave");
  CHECK(f.server.has("/leave"));
}

TEST_CASE("a room that was made is opened once sync brings it") {
  ScreenFixture f;
  f.begin(Json::array());
  f.say("/create Den");
  f.ok("/createRoom", {{"room_id", "!den"}});
  f.ok("/sync",
       sync_of("s2", "!den", Json::array({state("m.room.name", "", alice, {{"name", "Den"}})}), Json::array()));
  CHECK(f.screen.view().current->id() == "!den");
}

TEST_CASE("quitting waits for a second word while messages are unsent") {
  ScreenFixture f;
  f.begin(Json::array());
  f.say("hello");
  f.screen.on_key(ctrl('q'), f.rows, f.columns);
  CHECK_FALSE(f.screen.quit());
  CHECK(f.shows("1 message is not sent yet"));
  f.ok("/send/", {{"event_id", "$1"}});
  CHECK_FALSE(f.shows("not sent yet"));
  f.screen.on_key(ctrl('q'), f.rows, f.columns);
  CHECK(f.screen.quit());
}

TEST_CASE("Ctrl-C clears what is written and the second leaves") {
  ScreenFixture f;
  f.begin(Json::array());
  f.screen.on_key(text("draft"), f.rows, f.columns);
  f.screen.on_key(ctrl('c'), f.rows, f.columns);
  CHECK(f.shows("write here"));
  CHECK(f.shows("Ctrl-C once more leaves"));
  f.screen.on_key(text("a"), f.rows, f.columns);
  f.screen.on_key(ctrl('c'), f.rows, f.columns);
  CHECK_FALSE(f.screen.quit());
  f.screen.on_key(ctrl('c'), f.rows, f.columns);
  CHECK(f.screen.quit());
}

TEST_CASE("history that cannot be loaded is not asked for again and again") {
  ScreenFixture f;
  f.begin(Json::array({message(bob, "hi", "$1", noon)}));
  f.server.answer("/messages", 403, {{"errcode", "M_FORBIDDEN"}, {"error", "no"}});
  f.settle();
  CHECK(f.shows("Earlier messages could not be loaded"));
  CHECK_FALSE(f.server.has("/messages"));
  f.screen.on_key(key(KeyCode::page_up), f.rows, f.columns);
  CHECK(f.server.has("/messages"));
}

TEST_CASE("drafts stay with their rooms") {
  ScreenFixture f;
  f.begin(Json::array());
  f.ok("/sync", sync_of("s2", "!den", Json::array({state("m.room.name", "", bob, {{"name", "Den"}})}), Json::array()));
  f.screen.on_key(text("half a thought"), f.rows, f.columns);
  f.screen.on_key(ctrl('n'), f.rows, f.columns);
  CHECK_FALSE(f.shows("half a thought"));
  f.screen.on_key(ctrl('p'), f.rows, f.columns);
  CHECK(f.shows("half a thought"));
}

TEST_CASE("Tab completes names and commands while one writes") {
  ScreenFixture f;
  f.begin(Json::array());
  f.screen.on_key(text("Bo"), f.rows, f.columns);
  f.screen.on_key(key(KeyCode::tab), f.rows, f.columns);
  CHECK(f.screen.view().composer->text() == "Bob: ");
  f.screen.on_key(ctrl('c'), f.rows, f.columns);
  f.screen.on_key(text("/mem"), f.rows, f.columns);
  f.screen.on_key(key(KeyCode::tab), f.rows, f.columns);
  CHECK(f.screen.view().composer->text() == "/members ");
}

TEST_CASE("a click opens the room that it hits") {
  ScreenFixture f;
  f.begin(Json::array());
  f.ok("/sync", sync_of("s2", "!den", Json::array({state("m.room.name", "", bob, {{"name", "Den"}})}), Json::array()));
  f.screen.on_key({KeyCode::click, "", 2, 3}, f.rows, f.columns);
  CHECK(f.screen.view().current->id() == "!den");
  f.screen.on_key({KeyCode::click, "", 9, 3}, f.rows, f.columns);
  CHECK(f.screen.view().current->id() == "!den");
}

TEST_CASE("slash commands are told from messages") {
  CHECK_FALSE(parse_slash_command("hello"));
  CHECK_FALSE(parse_slash_command("//x"));
  const auto command = parse_slash_command("/Join  #a:b  c.test ");
  REQUIRE(command);
  CHECK(command->name == "join");
  CHECK(command->words == std::vector<std::string>{"#a:b", "c.test"});
  CHECK(command->rest == "#a:b  c.test");
  CHECK(parse_slash_command("/")->name.empty());
}

}  // namespace skerry::client
