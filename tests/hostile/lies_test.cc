// A homeserver that lies, and what comes of it: nothing.
#include <algorithm>
#include <thread>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/support/hostile_homeserver.h"

using namespace skerry;
using namespace skerry::test;

namespace {

constexpr const char* federation = "/_matrix/federation/v1/";

std::string encoded(const std::string& text) { return net::percent_encode(text); }

// One honest server with alice on it, and mallory's.
struct Play {
  Town town;
  std::unique_ptr<HomeserverProcess> alpha;
  Api alice;
  HostileHomeserver mallory;

  explicit Play(HomeserverOptions options = {})
      : alpha(town.homeserver("alpha.town.test", std::move(options))),
        alice(Api(alpha->url()).register_user("alice")),
        mallory(town, "mallory.town.test", "alpha.town.test", alpha->url()) {}

  RoomId create_room(const std::string& version, const std::string& preset = "public_chat") const {
    const Answer made =
        alice.post(std::string(v3) + "/createRoom", {{"preset", preset}, {"room_version", version}, {"name", "rocks"}});
    return RoomId::parse(made.json.at("room_id").get<std::string>()).value();
  }
  std::string path(const RoomId& room, const std::string& rest) const {
    return std::string(v3) + "/rooms/" + encoded(room.str()) + rest;
  }
  // All state events by their ids: the same text for the same state.
  std::string state(const RoomId& room) const {
    std::vector<std::string> ids;
    for (const Json& event : alice.get(path(room, "/state")).json) ids.push_back(event.at("event_id"));
    std::sort(ids.begin(), ids.end());
    return dump(Json(ids));
  }
  std::string history(const RoomId& room) const { return alice.get(path(room, "/messages?dir=b&limit=100")).text; }
  bool can_talk(const RoomId& room) const {
    return alice.put(path(room, "/send/m.room.message/" + std::to_string(++said)), {{"body", "still here"}}).status ==
           200;
  }
  mutable int said = 0;
};

bool was_taken(const Json& results, const Json& pdu, const RoomRules& rules) {
  const auto id = event_id_of(rules, pdu);
  return results.contains(id->str()) && !results.at(id->str()).contains("error");
}

// A socket where nobody may call.
class Trap {
 public:
  explicit Trap(const char* address) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    place_.sin_family = AF_INET;
    place_.sin_addr.s_addr = inet_addr(address);
    socklen_t size = sizeof place_;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&place_), size) != 0 || ::listen(fd_, 16) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&place_), &size) != 0) {
      throw std::runtime_error("no trap");
    }
  }
  ~Trap() { ::close(fd_); }
  Trap(const Trap&) = delete;
  Trap& operator=(const Trap&) = delete;

  std::uint16_t port() const { return ntohs(place_.sin_port); }
  bool called() const {
    const int peer = ::accept(fd_, nullptr, nullptr);
    if (peer >= 0) ::close(peer);
    return peer >= 0;
  }
  void call() const {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)!::connect(fd, reinterpret_cast<const sockaddr*>(&place_), sizeof place_);
    ::close(fd);
  }

 private:
  int fd_;
  sockaddr_in place_{};
};

}  // namespace

TEST_CASE("a request that is signed by another or for another or for something else opens nothing") {
  Play play;
  const RoomId room = play.create_room("12");
  const VictimRoom known = play.mallory.join(room, play.mallory.user("m"));
  const std::string target =
      federation + std::string("state_ids/") + encoded(room.str()) + "?event_id=" + encoded(known.heads.front().str());
  REQUIRE(play.mallory.get(target).status == 200);

  const auto honest = play.mallory.honest();
  std::vector<HostileHomeserver::Mask> masks(5, honest);
  masks[0].origin = server("alpha.town.test");
  masks[1].origin = server("bravo.town.test");
  masks[2].destination = server("bravo.town.test");
  masks[3].key = key_of(server("bravo.town.test"));
  masks[4].key = SigningKey::from_seed(*KeyId::parse("ed25519:unknown"), honest.key.seed());
  for (std::size_t i = 0; i < masks.size(); ++i) {
    CAPTURE(i);
    CHECK(play.mallory.ask(masks[i], "GET", target).status == 401);
  }

  const std::string header = play.mallory.authorization(honest, "GET", target, nullptr);
  const auto replay = [&](const std::string& method, const std::string& other, const std::string& body) {
    return play.mallory.victim().request(method, other, body, {{"Authorization", header}}).status;
  };
  CHECK(replay("GET", target, "") == 200);
  CHECK(replay("GET", target + "&x", "") == 401);
  CHECK(replay("GET", std::string(federation) + "version", "") == 200);  // open to all
  CHECK(replay("PUT", std::string(federation) + "send/1", R"({"pdus":[]})") == 401);
  CHECK(play.can_talk(room));
}

TEST_CASE("keys that are expired or swapped or missing or of another or too many are no keys") {
  Play play;
  const RoomId room = play.create_room("12");
  const auto signed_by = [](Json keys, const std::string& name, const SigningKey& key) {
    keys.erase("signatures");
    (void)sign_json(keys, name, key);
    return net::HttpResponse{200, {}, dump(keys)};
  };
  const SigningKey other = key_of(server("other.town.test"));
  const std::string other_text =
      base64_encode({reinterpret_cast<const char*>(other.public_key().data()), other.public_key().size()});
  using Lie = std::function<net::HttpResponse(const HostileHomeserver&)>;
  const std::vector<std::pair<std::string, Lie>> lies = {
      {"expired",
       [&](const auto& liar) {
         Json keys = liar.honest_keys();
         keys["valid_until_ts"] = 1'000;
         return signed_by(keys, liar.name().str(), liar.key());
       }},
      {"old",
       [&](const auto& liar) {
         Json keys = liar.honest_keys();
         Json old = keys["verify_keys"];
         old.begin().value()["expired_ts"] = net::system_clock().now_ms() + 1'000'000;
         keys["old_verify_keys"] = old;
         keys["verify_keys"] = {{"ed25519:new", {{"key", other_text}}}};
         return signed_by(keys, liar.name().str(), SigningKey::from_seed(*KeyId::parse("ed25519:new"), other.seed()));
       }},
      {"swapped",
       [&](const auto& liar) {
         Json keys = liar.honest_keys();
         keys["verify_keys"][liar.key().id().str()]["key"] = other_text;
         return signed_by(keys, liar.name().str(), other);
       }},
      {"missing",
       [&](const auto& liar) {
         Json keys = liar.honest_keys();
         keys["verify_keys"] = Json::object();
         return signed_by(keys, liar.name().str(), liar.key());
       }},
      {"unsigned",
       [&](const auto& liar) {
         Json keys = liar.honest_keys();
         keys.erase("signatures");
         return net::HttpResponse{200, {}, dump(keys)};
       }},
      {"ofanother",
       [&](const auto& liar) {
         Json keys = liar.honest_keys();
         keys["server_name"] = "alpha.town.test";
         return signed_by(keys, "alpha.town.test", liar.key());
       }},
      {"oversized",
       [&](const auto& liar) {
         Json keys = liar.honest_keys();
         keys["padding"] = std::string(1'000'000, 'x');
         return signed_by(keys, liar.name().str(), liar.key());
       }},
      {"nonsense",
       [](const auto&) {
         return net::HttpResponse{200, {}, "[[[[[["};
       }},
      {"failing",
       [](const auto&) {
         return net::HttpResponse{500, {}, "{}"};
       }},
      {"away", [](const auto&) {
         return net::HttpResponse{302, {{"Location", "https://127.0.0.66/"}}, ""};
       }}};
  for (const auto& [kind, lie] : lies) {
    CAPTURE(kind);
    HostileHomeserver liar(play.town, kind + ".town.test", "alpha.town.test", play.alpha->url());
    liar.keys([&liar, lie = lie] { return lie(liar); });
    const std::string target =
        federation + std::string("make_join/") + encoded(room.str()) + "/" + encoded(liar.user("m").str()) + "?ver=12";
    CHECK(liar.get(target).status == 401);
    CHECK(liar.asked("/_matrix/key/") >= 1);
  }
  const std::string target = federation + std::string("make_join/") + encoded(room.str()) + "/" +
                             encoded(play.mallory.user("m").str()) + "?ver=12";
  CHECK(play.mallory.get(target).status == 200);  // what honest keys are good for
  CHECK(play.can_talk(room));
}

TEST_CASE("events that are forged or spoiled or of other rooms change no room") {
  const std::string version = GENERATE("10", "12");
  CAPTURE(version);
  Play play;
  HostileHomeserver& mallory = play.mallory;
  const RoomId room = play.create_room(version);
  const RoomId hidden = play.create_room(version, "private_chat");
  VictimRoom known = mallory.join(room, mallory.user("m"));
  const std::string before = play.state(room), hidden_before = play.state(hidden);
  const UserId m = mallory.user("m");
  const UserId alice = user(play.alice.user_id);
  const auto refused = [&](const Json& pdu) { return !was_taken(mallory.send({pdu}), pdu, *known.rules); };

  // Somebody else's words and deeds.
  CHECK(refused(mallory.pdu(known, {alice, "m.room.message", {}, R"({"body":"i am alice"})", 0, {}})));
  CHECK(refused(mallory.pdu(known, {alice, "m.room.topic", "", R"({"topic":"forged"})", 0, {}})));
  CHECK(refused(mallory.pdu(known, {alice, "m.room.member", alice.str(), R"({"membership":"leave"})", 0, {}})));
  CHECK(refused(mallory.pdu(known, {m, "m.room.member", alice.str(), R"({"membership":"ban"})", 0, {}})));
  CHECK(refused(mallory.pdu(known, {m, "m.room.member", "@eve:bravo.test", R"({"membership":"join"})", 0, {}})));
  // More than one's power.
  const std::string powers = R"({"users":{")" + m.str() + R"(":100}})";
  const Json usurpation = mallory.pdu(known, {m, "m.room.power_levels", "", powers, 0, {}});
  CHECK(refused(usurpation));
  CHECK(refused(mallory.pdu(known, {m, "m.room.topic", "", R"({"topic":"mine"})", 0, {}})));
  CHECK(refused(mallory.pdu(known, {m, "m.room.create", "", R"({"room_version":"12"})", 0, {}})));
  // What cites the refused.
  VictimRoom usurped = known;
  usurped.state[{"m.room.power_levels", ""}] = *Event::make(*known.rules, usurpation);
  CHECK(refused(mallory.pdu(usurped, {m, "m.room.topic", "", R"({"topic":"by usurped power"})", 0, {}})));
  usurped.heads = {usurped.state[{"m.room.power_levels", ""}]->id()};
  (void)mallory.send({mallory.pdu(usurped, {m, "m.room.topic", "", R"({"topic":"after it"})", 0, {}})});
  // Of rooms where mallory is not, or that have nothing to do with it.
  VictimRoom elsewhere = known;
  elsewhere.id = hidden;
  CHECK(refused(mallory.pdu(elsewhere, {m, "m.room.message", {}, R"({"body":"let me in"})", 0, {}})));
  CHECK(refused(mallory.pdu(elsewhere, {m, "m.room.member", m.str(), R"({"membership":"join"})", 0, {}})));
  // Spoiled.
  CHECK(refused(mallory.pdu(known, {m, "x", {}, Json{{"body", std::string(70'000, 'x')}}.dump(), 0, {}})));
  Json deep = 1;
  for (int i = 0; i < 90; ++i) deep = Json::array({deep});
  CHECK(refused(mallory.pdu(known, {m, "x", {}, Json{{"deep", deep}}.dump(), 0, {}})));
  Json unsigned_event = mallory.pdu(known, {m, "m.room.message", {}, R"({"body":"unsigned"})", 0, {}});
  unsigned_event["signatures"] = Json::object();
  CHECK(refused(unsigned_event));
  // Altered after signing: what redaction leaves may stand, the words do not.
  Json altered = mallory.pdu(known, {m, "m.room.message", {}, R"({"body":"signed"})", 0, {}});
  altered["content"]["body"] = "altered words";
  (void)mallory.send({altered});
  // After what nobody knows and its sender does not tell.
  VictimRoom unknown = known;
  unknown.heads = {event_id("$" + std::string(43, 'u'))};
  (void)mallory.send({mallory.pdu(unknown, {m, "m.room.topic", "", R"({"topic":"from nowhere"})", 0, {}})});

  CHECK(play.state(room) == before);
  CHECK(play.state(hidden) == hidden_before);
  CHECK_THAT(play.history(room), !Catch::Contains("altered words") && !Catch::Contains("i am alice"));
  CHECK(play.can_talk(room));
  CHECK(play.can_talk(hidden));
  // And what is in order is heard.
  const Json honest = mallory.pdu(known, {m, "m.room.message", {}, R"({"body":"honestly"})", 0, {}});
  CHECK(was_taken(mallory.send({honest}), honest, *known.rules));
  CHECK_THAT(play.history(room), Catch::Contains("honestly"));
}

TEST_CASE("an event as deep as can be does not end its room") {
  Play play;
  const RoomId room = play.create_room("12");
  VictimRoom known = play.mallory.join(room, play.mallory.user("m"));
  known.depth = 9'007'199'254'740'990;
  const Json deepest =
      play.mallory.pdu(known, {play.mallory.user("m"), "m.room.message", {}, R"({"body":"deep"})", 0, {}});
  CHECK(was_taken(play.mallory.send({deepest}), deepest, *known.rules));
  CHECK(play.can_talk(room));
  CHECK(play.can_talk(room));
}

TEST_CASE("a room that is offered with a wrong state is not entered or not believed") {
  const std::string version = GENERATE("11", "12");
  CAPTURE(version);
  Play play;
  HostileHomeserver& mallory = play.mallory;
  const UserId alice = user(play.alice.user_id);
  RoomBuilder other(version, mallory.user("other"));
  const auto other_tip = other.created();
  const auto drop = [](Json& answer, const std::string& type) {
    for (const char* list : {"state", "auth_chain"}) {
      auto& events = answer[list];
      events.erase(std::remove_if(events.begin(), events.end(), [&](const Json& e) { return e["type"] == type; }),
                   events.end());
    }
  };
  using Lie = std::function<void(Json&)>;
  const std::vector<std::pair<std::string, Lie>> lies = {
      {"empty", [](Json& answer) { answer["state"] = answer["auth_chain"] = Json::array(); }},
      {"no create", [&](Json& answer) { drop(answer, "m.room.create"); }},
      {"no object", [](Json& answer) { answer = Json::array({1}); }},
      {"strings", [](Json& answer) { answer["state"] = "state"; }},
      {"of another room",
       [&](Json& answer) {
         answer["state"] = answer["auth_chain"] = Json::array();
         for (const auto& entry : other_tip.state) {
           answer["state"].push_back(other.find(entry.second)->pdu());
           answer["auth_chain"].push_back(other.find(entry.second)->pdu());
         }
       }},
      {"unsigned",
       [](Json& answer) {
         for (const char* list : {"state", "auth_chain"})
           for (Json& event : answer[list]) event["signatures"] = Json::object();
       }},
  };
  for (const auto& [kind, lie] : lies) {
    CAPTURE(kind);
    RoomBuilder room(version, mallory.user("m"));
    auto tip = room.created();
    mallory.host(room, tip, alice, lie);
    const std::string join = std::string(v3) + "/join/" + encoded(room.room_id().str());
    CHECK(play.alice.post(join + "?server_name=" + mallory.name().str()).status >= 400);
    CHECK_THAT(play.alice.get(std::string(v3) + "/joined_rooms").text, !Catch::Contains(room.room_id().str()));
  }

  // One event among good ones that somebody else is said to have sent: the room may stand, that event does not.
  RoomBuilder room(version, mallory.user("m"));
  auto tip = room.created();
  auto forged_tip = tip;
  const EventPtr forged =
      room.state(forged_tip, user("@boss:alpha.town.test"), "org.example.crown", R"({"worn":true})");
  mallory.host(room, tip, alice, [&](Json& answer) { answer["state"].push_back(forged->pdu()); });
  const std::string join = std::string(v3) + "/join/" + encoded(room.room_id().str());
  const bool entered = play.alice.post(join + "?server_name=" + mallory.name().str()).status == 200;
  if (entered)
    CHECK_THAT(play.alice.get(play.path(room.room_id(), "/state")).text, !Catch::Contains("org.example.crown"));

  // The same offer without a lie is good.
  RoomBuilder fine(version, mallory.user("m2"));
  auto fine_tip = fine.created();
  mallory.host(fine, fine_tip, alice, [](Json&) {});
  CHECK(play.alice
            .post(std::string(v3) + "/join/" + encoded(fine.room_id().str()) + "?server_name=" + mallory.name().str())
            .status == 200);
}

TEST_CASE("nothing that another server says makes this one call a private address") {
  Play play;
  const Trap trap("127.0.0.66");
  const std::string port = std::to_string(trap.port());
  play.town.has_address("trap.town.test", "127.0.0.66");
  const auto redirect = [](const std::string& location) {
    return [location] { return net::HttpResponse{302, {{"Location", location}}, ""}; };
  };
  const auto delegate = [](const std::string& server_name) {
    return [server_name] { return net::HttpResponse{200, {}, Json{{"m.server", server_name}}.dump()}; };
  };
  play.town.well_known("one.town.test", redirect("https://trap.town.test:" + port + "/x"));
  play.town.well_known("two.town.test", redirect("https://127.0.0.66:" + port + "/x"));
  play.town.well_known("three.town.test", redirect("http://127.0.0.66:" + port + "/x"));
  play.town.well_known("four.town.test", redirect("https://[::ffff:127.0.0.66]:" + port + "/x"));
  play.town.well_known("five.town.test", delegate("127.0.0.66:" + port));
  play.town.well_known("six.town.test", delegate("trap.town.test:" + port));
  play.town.well_known("seven.town.test", redirect("/.well-known/matrix/server"));
  play.town.is_at("trap.town.test", trap.port());
  for (const std::string& name :
       {std::string("one.town.test"), std::string("two.town.test"), std::string("three.town.test"),
        std::string("four.town.test"), std::string("five.town.test"), std::string("six.town.test"),
        std::string("seven.town.test"), std::string("trap.town.test"), "trap.town.test:" + port, "127.0.0.66:" + port,
        "[::1]:" + port}) {
    CAPTURE(name);
    const Answer answer = play.alice.get(std::string(v3) + "/directory/room/" + encoded("#x:" + name));
    CHECK(answer.status >= 400);
    CHECK_FALSE(trap.called());
  }
  trap.call();
  CHECK(trap.called());
  CHECK(play.alice.get("/_matrix/client/versions").status == 200);
}

TEST_CASE("a server whose certificate bears another name is not spoken to") {
  Play play;
  std::atomic<int> asked{0};
  const auto impostor = play.town.serve({"impostor.town.test"}, [&](const net::HttpRequest&, net::Responder responder) {
    ++asked;
    responder.respond({200, {}, R"({"room_id":"!r:alpha.town.test","servers":[]})"});
  });
  play.town.is_at("impostor.town.test", impostor->port(0));
  play.town.is_at("bank.town.test", impostor->port(0));
  const auto look_up = [&](const std::string& name) {
    return play.alice.get(std::string(v3) + "/directory/room/" + encoded("#x:" + name)).status;
  };
  CHECK(look_up("bank.town.test") >= 400);
  CHECK(asked == 0);
  CHECK(look_up("impostor.town.test") == 200);
}
