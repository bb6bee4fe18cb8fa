// Talking to a server: registration, /sync, sending, paging, over a scripted transport.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "client/sdk/chat.h"
#include "client/sdk/discovery.h"
#include "client/sdk/registration.h"
#include "client/sdk/session.h"
#include "tests/client/scripted_transport.h"

namespace skerry::client {
namespace {

const std::string alice = "@alice:alpha.test";
const std::string bob = "@bob:bravo.test";

net::HttpResponse json_answer(int status, const Json& body) { return {status, {}, body.dump()}; }

// A chat with everything around it scripted.
struct ChatFixture {
  ScriptedTransport server;
  FakeClock clock;
  CountingRandom random;
  FakeScheduler scheduler;
  std::deque<std::function<void()>> tasks;
  std::vector<std::string> notices;
  std::string joined;
  Session session{server, alice, "token"};
  Chat chat{
      session,   scheduler, clock, random, [this](std::function<void()> task) { tasks.push_back(std::move(task)); },
      observer()};

  ChatObserver observer() {
    ChatObserver out;
    out.notice = [this](const SafeText& text) { notices.push_back(text.str()); };
    out.joined = [this](const std::string& id) { joined = id; };
    return out;
  }
  void settle() {
    while (!tasks.empty()) {
      auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }
  void ok(const std::string& part, const Json& body = Json::object()) {
    server.ok(part, body);
    settle();
  }
  void answer(const std::string& part, int status, const Json& body) {
    server.answer(part, status, body);
    settle();
  }
  void break_off(const std::string& part) {
    server.break_off(part);
    settle();
  }
  // Signed in, and in one room.
  void begin(Json timeline = Json::array()) {
    chat.start("");
    ok("/sync", sync_of("s1", "!r", Json::array({member(alice, "Alice"), member(bob, "Bob")}), std::move(timeline)));
    ok("/displayname", {{"displayname", "Alice"}});
  }
  Room& room() { return *chat.find("!r"); }
};

std::string transaction_id(const ApiRequest& request) { return request.target.substr(request.target.rfind('/') + 1); }

}  // namespace

TEST_CASE("registration sends a user name and a password and nothing else about the person") {
  ScriptedTransport server;
  std::vector<Json> bodies;
  server.auto_answer = [&](const ApiRequest& request) -> std::optional<net::HttpResponse> {
    CHECK(request.target == "/_matrix/client/v3/register");
    CHECK(request.access_token.empty());
    bodies.push_back(Json::parse(request.body));
    if (bodies.size() == 1) return json_answer(401, {{"session", "s"}, {"flows", {{{"stages", {"m.login.dummy"}}}}}});
    return json_answer(200, {{"user_id", alice}, {"device_id", "D"}, {"access_token", "t"}});
  };
  Session nobody(server, "", "");
  const auto made = register_account(nobody, "alice", "secret", "");
  REQUIRE(made);
  CHECK(made->account.access_token == "t");
  CHECK(made->fields_sent == std::vector<std::string>{"username", "password"});
  REQUIRE(bodies.size() == 2);
  CHECK(bodies[0] == Json{{"username", "alice"}, {"password", "secret"}});
  CHECK(bodies[1] ==
        Json{{"username", "alice"}, {"password", "secret"}, {"auth", {{"type", "m.login.dummy"}, {"session", "s"}}}});
}

TEST_CASE("a server that wants an email address gets nothing more") {
  ScriptedTransport server;
  int requests = 0;
  server.auto_answer = [&](const ApiRequest&) -> std::optional<net::HttpResponse> {
    ++requests;
    return json_answer(401, {{"session", "s"}, {"flows", {{{"stages", {"m.login.email.identity", "m.login.dummy"}}}}}});
  };
  Session nobody(server, "", "");
  const auto made = register_account(nobody, "alice", "secret", "");
  REQUIRE_FALSE(made);
  CHECK(made.error().message.find("m.login.email.identity") != std::string::npos);
  CHECK(requests == 1);
}

TEST_CASE("a registration token is given where one is asked for") {
  ScriptedTransport server;
  Json last;
  server.auto_answer = [&](const ApiRequest& request) -> std::optional<net::HttpResponse> {
    last = Json::parse(request.body);
    Json challenge = {{"session", "s"}, {"flows", {{{"stages", {"m.login.registration_token", "m.login.dummy"}}}}}};
    if (!last.contains("auth")) return json_answer(401, challenge);
    if (last["auth"]["type"] == "m.login.dummy")
      return json_answer(200, {{"user_id", alice}, {"device_id", "D"}, {"access_token", "t"}});
    CHECK(last["auth"]["token"] == "tok");
    challenge["completed"] = {"m.login.registration_token"};
    return json_answer(401, challenge);
  };
  Session nobody(server, "", "");
  CHECK(register_account(nobody, "alice", "secret", "tok")->fields_sent.back() == "registration token");
  CHECK_FALSE(register_account(nobody, "alice", "secret", ""));
}

TEST_CASE("a call that comes too soon is repeated when the server says") {
  ScriptedTransport server;
  int requests = 0;
  server.auto_answer = [&](const ApiRequest&) -> std::optional<net::HttpResponse> {
    if (++requests == 1) return json_answer(429, {{"errcode", "M_LIMIT_EXCEEDED"}, {"retry_after_ms", 1}});
    return json_answer(200, {{"user_id", alice}});
  };
  Session session(server, alice, "t");
  CHECK(session.call(api::whoami()));
  CHECK(requests == 2);
}

TEST_CASE("patience with a rate limit ends") {
  ScriptedTransport server;
  int requests = 0;
  server.auto_answer = [&](const ApiRequest&) -> std::optional<net::HttpResponse> {
    ++requests;
    return json_answer(429, {{"errcode", "M_LIMIT_EXCEEDED"}, {"retry_after_ms", 60'000}});
  };
  Session session(server, alice, "t");
  CHECK(session.call(api::whoami()).error().errcode == "M_LIMIT_EXCEEDED");
  CHECK(requests == 1);
}

TEST_CASE("errors carry the server's code and words") {
  ScriptedTransport server;
  server.auto_answer = [&](const ApiRequest&) -> std::optional<net::HttpResponse> {
    return json_answer(403, {{"errcode", "M_FORBIDDEN"}, {"error", "no\x1b[2J"}});
  };
  Session session(server, alice, "t");
  const auto result = session.call(api::leave("!r"));
  REQUIRE_FALSE(result);
  CHECK(explain(result.error()).str() == "no\uFFFD[2J (M_FORBIDDEN)");
  server.auto_answer = [](const ApiRequest&) { return net::HttpResponse{502, {}, "<html>bad gateway</html>"}; };
  CHECK(session.call(api::leave("!r")).error().unreachable());
  server.auto_answer = [](const ApiRequest&) { return net::HttpResponse{200, {}, "not json"}; };
  CHECK_FALSE(session.call(api::leave("!r")));
}

TEST_CASE("one event nested very deep does not stop the others") {
  ChatFixture f;
  f.chat.start("");
  std::string deep;
  for (int i = 0; i < 5'000; ++i) deep += R"({"a":)";
  deep += "1" + std::string(5'000, '}');
  const std::string body =
      R"({"next_batch":"s1","rooms":{"join":{"!r":{"timeline":{"events":[)"
      R"({"type":"m.room.message","sender":"@b:b","event_id":"$1","content":{"body":"deep","x":)" +
      deep + R"(}},{"type":"m.room.message","sender":"@b:b","event_id":"$2","content":{"body":"next"}}]}}}}})";
  f.server.take("/sync").done(net::HttpResponse{200, {}, body});
  f.settle();
  CHECK(f.room().timeline.items().size() == 2);
}

TEST_CASE("a message is shown at once and confirmed by sync") {
  ChatFixture f;
  f.begin();
  f.chat.send_message("!r", "m.text", "hello");
  REQUIRE(f.room().pending.size() == 1);
  CHECK(f.room().pending[0].state == PendingMessage::State::sending);
  const std::string id = f.room().pending[0].transaction_id;
  f.ok("/send/", {{"event_id", "$new"}});
  CHECK(f.room().pending[0].state == PendingMessage::State::sent);
  Json echo = message(alice, "hello", "$new");
  echo["unsigned"] = {{"transaction_id", id}};
  f.ok("/sync", sync_of("s2", "!r", Json::array(), Json::array({echo})));
  CHECK(f.room().pending.empty());
  CHECK(f.room().timeline.items().size() == 1);
}

TEST_CASE("a message that comes by sync before its own answer is not doubled") {
  ChatFixture f;
  f.begin();
  f.chat.send_message("!r", "m.text", "hello");
  f.ok("/sync", sync_of("s2", "!r", Json::array(), Json::array({message(alice, "hello", "$new")})));
  CHECK(f.room().pending.size() == 1);  // this server does not give transaction ids back
  f.ok("/send/", {{"event_id", "$new"}});
  CHECK(f.room().pending.empty());
}

TEST_CASE("messages written while the server is away go out in order with their transaction ids") {
  ChatFixture f;
  f.begin();
  f.break_off("/sync");
  CHECK(f.chat.link() == Link::offline);
  f.chat.send_message("!r", "m.text", "one");
  f.chat.send_message("!r", "m.text", "two");
  const ApiRequest first = f.server.break_off("/send/");
  f.settle();
  CHECK(f.chat.unsent() == 2);
  CHECK_FALSE(f.server.has("/send/"));
  f.scheduler.run();
  f.settle();
  f.ok("/sync", {{"next_batch", "s2"}});
  CHECK(f.chat.link() == Link::online);
  const ApiRequest again = f.server.ok("/send/", {{"event_id", "$1"}});
  f.settle();
  CHECK(transaction_id(again) == transaction_id(first));
  CHECK(Json::parse(again.body)["body"] == "one");
  const ApiRequest second = f.server.ok("/send/", {{"event_id", "$2"}});
  f.settle();
  CHECK(Json::parse(second.body)["body"] == "two");
  CHECK(transaction_id(second) != transaction_id(first));
  CHECK(f.chat.unsent() == 0);
}

TEST_CASE("a refused message waits for its writer and can be tried again") {
  ChatFixture f;
  f.begin();
  f.chat.send_message("!r", "m.text", "hello");
  const ApiRequest first = f.server.answer("/send/", 403, {{"errcode", "M_FORBIDDEN"}, {"error", "no"}});
  f.settle();
  CHECK(f.room().pending[0].state == PendingMessage::State::failed);
  f.chat.retry_failed("!r");
  const ApiRequest again = f.server.ok("/send/", {{"event_id", "$1"}});
  f.settle();
  CHECK(transaction_id(again) == transaction_id(first));
  CHECK(f.room().pending[0].state == PendingMessage::State::sent);
}

TEST_CASE("a rate limit delays a message as long as the server says") {
  ChatFixture f;
  f.begin();
  f.chat.send_message("!r", "m.text", "hello");
  f.answer("/send/", 429, {{"errcode", "M_LIMIT_EXCEEDED"}, {"retry_after_ms", 7'000}});
  CHECK_FALSE(f.server.has("/send/"));
  CHECK(f.scheduler.run() == std::chrono::milliseconds(7'000));
  f.settle();
  CHECK(f.server.has("/send/"));
}

TEST_CASE("nothing is sent into an encrypted room") {
  ChatFixture f;
  f.begin(Json::array({state("m.room.encryption", "", bob, {{"algorithm", "m.megolm.v1.aes-sha2"}})}));
  f.chat.send_message("!r", "m.text", "hello");
  CHECK(f.room().pending.empty());
  CHECK(f.notices.size() == 1);
}

TEST_CASE("sync waits longer from failure to failure and asks without waiting when it comes back") {
  ChatFixture f;
  f.begin();
  CHECK(f.server.waiting.front().request.target.find("timeout=30000") != std::string::npos);
  f.break_off("/sync");
  std::chrono::milliseconds last{0};
  for (int i = 0; i < 8; ++i) {
    const auto pause = f.scheduler.run();
    CHECK(pause >= last);
    last = pause;
    f.settle();
    CHECK(f.server.waiting.front().request.target.find("timeout=0") != std::string::npos);
    f.break_off("/sync");
  }
  CHECK(last == std::chrono::milliseconds(15'000));
}

TEST_CASE("a server that forgot our position tells everything anew") {
  ChatFixture f;
  f.begin();
  f.answer("/sync", 400, {{"errcode", "M_UNKNOWN_POS"}});
  CHECK(f.chat.rooms().empty());
  f.scheduler.run();
  f.settle();
  CHECK(f.server.waiting.back().request.target.find("since=") == std::string::npos);
}

TEST_CASE("a revoked access token ends the asking") {
  ChatFixture f;
  f.begin();
  f.answer("/sync", 401, {{"errcode", "M_UNKNOWN_TOKEN"}, {"error", "gone"}});
  CHECK(f.chat.link() == Link::signed_out);
  f.scheduler.run();
  f.settle();
  CHECK_FALSE(f.server.has("/sync"));
}

TEST_CASE("a server that answers at once with nothing is not asked in a tight loop") {
  ChatFixture f;
  f.begin();
  f.ok("/sync", {{"next_batch", "s1"}});
  CHECK_FALSE(f.server.has("/sync"));
  CHECK(f.scheduler.run() >= std::chrono::milliseconds(100));
  f.settle();
  CHECK(f.server.has("/sync"));
}

TEST_CASE("history is paged in from where the timeline began until there is no more") {
  ChatFixture f;
  f.begin(Json::array({message(bob, "three", "$3")}));
  f.chat.load_history("!r");
  f.chat.load_history("!r");  // while the first is under way: nothing
  const ApiRequest page =
      f.server.ok("/messages", {{"chunk", {message(bob, "two", "$2")}}, {"start", "p_s1"}, {"end", "e1"}});
  f.settle();
  CHECK(page.target.find("from=p_s1") != std::string::npos);
  CHECK_FALSE(f.server.has("/messages"));
  f.chat.load_history("!r");
  f.ok("/messages", {{"chunk", {message(bob, "one", "$1")}}});
  CHECK(f.room().timeline.items().front().event.event_id == "$1");
  CHECK(f.room().timeline.complete);
  f.chat.load_history("!r");
  CHECK_FALSE(f.server.has("/messages"));
}

TEST_CASE("history goes on from a restored timeline") {
  ChatFixture f;
  f.begin(Json::array({message(bob, "three", "$3")}));
  const std::string snapshot = room_snapshot(f.room());
  ChatFixture g;
  g.chat.restore("!r", snapshot);
  g.chat.start("s1");
  g.ok("/sync", {{"next_batch", "s2"}});
  g.chat.load_history("!r");
  g.ok("/context/%243", {{"start", "t3"}, {"end", "t4"}});
  CHECK(g.server.has("from=t3"));
}

TEST_CASE("what was seen is told once") {
  ChatFixture f;
  f.begin(Json::array({message(bob, "hi", "$1")}));
  f.room().unread = 1;
  f.chat.mark_read("!r");
  CHECK(f.room().unread == 0);
  f.ok("/receipt/m.read/%241");
  f.chat.mark_read("!r");
  CHECK_FALSE(f.server.has("/receipt"));
}

TEST_CASE("being removed from a room is told with its reason") {
  ChatFixture f;
  f.begin();
  Json kick = state("m.room.member", alice, bob, {{"membership", "leave"}, {"reason", "off topic"}});
  f.ok("/sync", {{"next_batch", "s2"}, {"rooms", {{"leave", {{"!r", {{"timeline", {{"events", {kick}}}}}}}}}}});
  CHECK(f.chat.rooms().empty());
  REQUIRE(f.notices.size() == 1);
  CHECK(f.notices[0] == "Bob removed you from Bob: off topic");
}

TEST_CASE("an invitation is joined through the server of whoever sent it") {
  ChatFixture f;
  f.chat.start("");
  Json invite = state("m.room.member", alice, bob, {{"membership", "invite"}});
  f.ok("/sync",
       {{"next_batch", "s1"}, {"rooms", {{"invite", {{"!new", {{"invite_state", {{"events", {invite}}}}}}}}}}});
  f.chat.join("!new", {});
  CHECK(f.server.has("/join/%21new?via=bravo.test"));
  f.ok("/join/", {{"room_id", "!new"}});
  CHECK(f.joined == "!new");
}

TEST_CASE("what comes after the chat has gone is dropped") {
  std::vector<ScriptedTransport::Waiting> left;
  std::deque<std::function<void()>> tasks;
  {
    ChatFixture f;
    f.begin();
    left = std::move(f.server.waiting);
    f.tasks.clear();
    for (auto& each : left) each.done(fail(ErrorCode::cancelled, "over"));
    tasks = std::move(f.tasks);
  }
  CHECK_FALSE(tasks.empty());
  for (auto& task : tasks) task();
}

TEST_CASE("the well-known file names the homeserver") {
  CHECK(parse_well_known(R"({"m.homeserver":{"base_url":"https://m.example.org/"}})") == "https://m.example.org");
  CHECK_FALSE(parse_well_known(R"({"m.homeserver":{"base_url":"ftp://x"}})"));
  CHECK_FALSE(parse_well_known("<html>"));
}

}  // namespace skerry::client
