// What honest servers feel of a hostile one that does all it can, and large rooms.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/net/loopback.h"
#include "tests/support/hostile_homeserver.h"

using namespace skerry;
using namespace skerry::test;

namespace {

constexpr int messages = 151;
constexpr std::array<const char*, 4> unanswered_paths = {
    "/_matrix/federation/v1/get_missing_events", "/_matrix/federation/v1/state_ids", "/_matrix/federation/v1/event",
    "/_matrix/federation/v1/backfill"};

using Steady = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

std::string encoded(const std::string& text) { return net::percent_encode(text); }

std::string send_path(const std::string& room, const std::string& transaction) {
  return std::string(v3) + "/rooms/" + encoded(room) + "/send/m.room.message/" + transaction;
}

// Alice speaks on her server, and Bob listens on his.
class Talk {
 public:
  Talk(const Api& alice, const Api& bob, std::string room) : alice_(alice), bob_(bob), room_(std::move(room)) {
    since_ = bob_.get(std::string(v3) + "/sync").json.at("next_batch").get<std::string>();
  }

  // From each request of Alice to its event in what Bob's /sync answers: the median.
  double median_ms(int count) {
    std::vector<double> times;
    for (int i = 0; i < count; ++i) times.push_back(one_ms());
    std::nth_element(times.begin(), times.begin() + count / 2, times.end());
    return times[static_cast<std::size_t>(count / 2)];
  }

 private:
  double one_ms() {
    const auto begin = Steady::now();
    const Answer sent = alice_.put(send_path(room_, std::to_string(++said_)), {{"body", "hello"}});
    if (sent.status != 200) throw std::runtime_error("alice cannot speak: " + sent.text);
    const std::string id = sent.json.at("event_id").get<std::string>();
    while (Steady::now() - begin < std::chrono::seconds(60)) {
      const Answer heard = bob_.get(std::string(v3) + "/sync?timeout=30000&since=" + encoded(since_));
      if (heard.status != 200) throw std::runtime_error("bob cannot listen: " + heard.text);
      since_ = heard.json.at("next_batch").get<std::string>();
      if (heard.text.find(id) != std::string::npos) return Milliseconds(Steady::now() - begin).count();
    }
    throw std::runtime_error("bob does not hear alice");
  }

  const Api alice_, bob_;
  const std::string room_;
  std::string since_;
  int said_ = 0;
};

// Everything at once, until it is destroyed.
class Attack {
 public:
  Attack(Town& town, HostileHomeserver& mallory, const VictimRoom& room, const UserId& victim,
         std::uint16_t victim_port)
      : town_(town), mallory_(mallory), room_(room), victim_(victim) {
    // What it is asked, it never answers.
    for (const char* path : unanswered_paths) {
      mallory_.answer(path, [this](const net::HttpRequest&, net::Responder responder) {
        const std::scoped_lock lock(mutex_);
        unanswered_.push_back(std::move(responder));
      });
    }
    for (int i = 0; i < 200; ++i) {
      slow_.push_back(std::make_unique<net::RawSocket>(victim_port));
      slow_.back()->write("PUT /_matrix/federation/v1/send/1 HTTP/1.1\r\nContent-Le");
    }
    run([this](int i) { ask_with_unknown_key(i); });
    run([this](int i) { invite(i); });
    run([this](int i) { send_forged(i); });
    run([this](int i) { send_from_nowhere(i); });
  }
  ~Attack() {
    over_ = true;
    for (const char* path : unanswered_paths) {
      mallory_.answer(path, [](const net::HttpRequest&, net::Responder responder) {
        responder.respond({404, {}, "{}"});
      });
    }
    {
      const std::scoped_lock lock(mutex_);
      unanswered_.clear();  // so that nothing waits for them any more
    }
    for (std::thread& thread : threads_) thread.join();
  }
  int requests() const { return requests_; }
  int refusals() const { return refusals_; }

 private:
  template <class Deed>
  void run(Deed deed) {
    threads_.emplace_back([this, deed] {
      for (int i = 0; !over_; ++i) deed(i);
    });
  }
  void note(const Answer& answer) {
    ++requests_;
    if (answer.status == 429) ++refusals_;
  }

  // A server of a new name each time, whose keys have to be asked for, and are not given.
  void ask_with_unknown_key(int i) {
    auto mask = mallory_.honest();
    const std::string name = "x" + std::to_string(i) + ".town.test";
    town_.is_at(name, 1);
    mask.origin = server(name);
    note(mallory_.ask(mask, "GET", "/_matrix/federation/v1/event/%24x"));
  }

  void invite(int i) {
    RoomBuilder room("11", mallory_.user("m" + std::to_string(i)));
    auto tip = room.created();
    const EventPtr invitation = room.member(tip, room.creator(), victim_, "invite");
    const Json body{{"room_version", "11"}, {"event", invitation->pdu()}, {"invite_room_state", Json::array()}};
    note(mallory_.put(
        "/_matrix/federation/v2/invite/" + encoded(room.room_id().str()) + "/" + encoded(invitation->id().str()),
        body));
  }

  void send(const std::string& id, const std::vector<Json>& pdus) {
    const Json body{
        {"origin", mallory_.name().str()}, {"origin_server_ts", 1}, {"pdus", pdus}, {"edus", Json::array()}};
    note(mallory_.put("/_matrix/federation/v1/send/" + id, body));
  }

  void send_forged(int i) {
    std::vector<Json> pdus;
    for (int n = 0; n < 50; ++n) {
      const std::string content = Json{{"body", std::to_string(i) + " " + std::to_string(n)}}.dump();
      pdus.push_back(mallory_.pdu(room_, {victim_, "m.room.message", {}, content, 0, {}}));
    }
    send("forged" + std::to_string(i), pdus);
  }

  // An event after others that nobody knows, so that the victim asks for them.
  void send_from_nowhere(int i) {
    VictimRoom nowhere = room_;
    std::string id = "$" + std::to_string(i);
    nowhere.heads = {event_id(id + std::string(44 - id.size(), 'n'))};
    send("nowhere" + std::to_string(i),
         {mallory_.pdu(nowhere, {mallory_.user("m"), "m.room.message", {}, R"({"body":"nowhere"})", 0, {}})});
  }

  Town& town_;
  HostileHomeserver& mallory_;
  const VictimRoom room_;
  const UserId victim_;
  std::vector<std::unique_ptr<net::RawSocket>> slow_;
  std::atomic<bool> over_{false};
  std::atomic<int> requests_{0};
  std::atomic<int> refusals_{0};
  std::mutex mutex_;
  std::vector<net::Responder> unanswered_;
  std::vector<std::thread> threads_;
};

}  // namespace

TEST_CASE("honest servers hear each other while a hostile one attacks") {
  Town town;
  HomeserverOptions options;
  options.rate_limits = true;
  options.tables = "[rate_limits.message]\nper_second = 1000\nburst = 1000\n";
  const auto alpha = town.homeserver("alpha.town.test", options);
  const auto bravo = town.homeserver("bravo.town.test", options);
  const Api alice = Api(alpha->url()).register_user("alice");
  const Api bob = Api(bravo->url()).register_user("bob");
  const std::string room = alice
                               .post(std::string(v3) + "/createRoom",
                                     {{"preset", "public_chat"}, {"room_alias_name", "lobby"}, {"room_version", "12"}})
                               .json.at("room_id")
                               .get<std::string>();
  REQUIRE(bob.post(std::string(v3) + "/join/" + encoded("#lobby:alpha.town.test")).status == 200);
  HostileHomeserver mallory(town, "mallory.town.test", "alpha.town.test", alpha->url());
  const VictimRoom seen = mallory.join(*RoomId::parse(room), mallory.user("m"));

  Talk talk(alice, bob, room);
  (void)talk.median_ms(5);
  const double quiet_ms = talk.median_ms(messages);
  double attacked_ms = 0;
  int requests = 0, refusals = 0;
  {
    Attack attack(town, mallory, seen, user(alice.user_id), alpha->port());
    (void)talk.median_ms(5);
    attacked_ms = talk.median_ms(messages);
    requests = attack.requests();
    refusals = attack.refusals();
  }
  WARN("from alice's request to bob's /sync, median of "
       << messages << ": " << quiet_ms << " ms quiet, " << attacked_ms << " ms during the attack of " << requests
       << " requests, of which " << refusals << " were refused by a limit");
  CHECK(attacked_ms < 5'000);
  CHECK(requests > 50);

  // What is left of it.
  const Json rooms = alice.get(std::string(v3) + "/sync").json.at("rooms");
  CHECK((rooms.contains("invite") ? rooms.at("invite").size() : 0) < 60);
  const std::string history = alice.get(std::string(v3) + "/rooms/" + encoded(room) + "/messages?dir=b&limit=200").text;
  CHECK_THAT(history, Catch::Contains("hello") && !Catch::Contains("nowhere"));
  CHECK(alpha->stop() == 0);
  CHECK(bravo->stop() == 0);
}

TEST_CASE("a room of twenty megabytes is entered and handed on") {
  Town town;
  const auto alpha = town.homeserver("alpha.town.test");
  const Api alice = Api(alpha->url()).register_user("alice");
  HostileHomeserver host(town, "large.town.test", "alpha.town.test", alpha->url());
  HostileHomeserver next(town, "next.town.test", "alpha.town.test", alpha->url());
  RoomBuilder room("11", host.user("m"));
  auto tip = room.created();
  constexpr int large_events = 400;
  const std::string content = Json{{"weight", std::string(52'000, 'x')}}.dump();
  for (int i = 0; i < large_events; ++i)
    room.state(tip, room.creator(), "org.example.weight", content, std::to_string(i));
  host.host(room, tip, user(alice.user_id), [](Json& answer) {
    Json chain = Json::array();
    for (const Json& event : answer["auth_chain"])
      if (event["type"] != "org.example.weight") chain.push_back(event);
    answer["auth_chain"] = std::move(chain);
  });
  auto begin = Steady::now();
  const Answer joined =
      alice.post(std::string(v3) + "/join/" + encoded(room.room_id().str()) + "?server_name=large.town.test");
  INFO(joined.text);
  REQUIRE(joined.status == 200);
  const double join_ms = Milliseconds(Steady::now() - begin).count();
  begin = Steady::now();
  const VictimRoom handed_on = next.join(room.room_id(), next.user("n"));
  const double hand_on_ms = Milliseconds(Steady::now() - begin).count();
  CHECK(handed_on.state.size() >= large_events);
  WARN("20 MB of state: entered in " << join_ms << " ms, handed on in " << hand_on_ms << " ms");
}
