// Random histories: servers talk, change state, throw each other out and come back, while the network splits and heals.
// When all is said and delivered, they agree.
#include <random>

#include <catch2/catch.hpp>

#include "tests/homeserver/rooms_world.h"

using namespace skerry;
using namespace skerry::test;

namespace {

class Play {
 public:
  Play(unsigned seed, const std::string& version) : random_(seed) {
    for (const auto* name : {"alpha.test", "bravo.test", "charlie.test"}) servers_.push_back(&world_.add(name));
    const auto created = servers_[0]->create(version, alice());
    REQUIRE(created);
    room_ = *created;
    // Everybody may do much, so that much gets into conflict.
    const std::string levels =
        R"({"users":{)" + std::string(version == "12" ? "" : R"("@alice:alpha.test":100,)") +
        R"("@user:bravo.test":60,"@user:charlie.test":60},"state_default":50,"ban":50,"kick":50})";
    REQUIRE(servers_[0]->set(room_, alice(), "m.room.power_levels", levels));
    for (auto* server : servers_) rejoin(*server);
    world_.deliver();
  }

  void act() {
    TestServer& server = *servers_[pick(servers_.size())];
    const UserId user = user_of(server);
    TestServer& other = *servers_[pick(servers_.size())];
    switch (pick(12)) {
      case 0:
        world_.cut(server.name(), other.name());
        break;
      case 1:
        world_.mend();
        break;
      case 2:
        static_cast<void>(
            server.set(room_, user, "m.room.topic", R"({"topic":")" + std::to_string(++counter_) + R"("})"));
        break;
      case 3:
        static_cast<void>(server.set(room_, user, "test.state", R"({"n":)" + std::to_string(++counter_) + "}",
                                     std::to_string(pick(3))));
        break;
      case 4:
        if (pick(3) == 0) static_cast<void>(server.member(room_, user, user_of(other), "leave"));
        break;
      case 5:
        if (pick(4) == 0) static_cast<void>(server.member(room_, user, user_of(other), "ban"));
        break;
      case 6:
        rejoin(server);
        break;
      case 7:
      case 8:
        if (&server != &other && world_.reachable(server.name(), other.name())) world_.deliver(server, other);
        break;
      case 9:
        if (pick(4) == 0) server.restart();
        break;
      default:
        static_cast<void>(server.say(room_, user, std::to_string(++counter_)));
    }
  }

  // Everybody who is in the room says a last word on all that they know.
  void settle() {
    world_.mend();
    for (int round = 0; round < 4; ++round) {
      world_.deliver();
      for (auto* server : servers_) static_cast<void>(server->say(room_, user_of(*server), "the end"));
    }
    world_.deliver();
  }

  // Two servers whose users are in the room by the account of both. State resolution may bring a user back whose own
  // server was told that they are out, and hears no more.
  bool together(TestServer& a, TestServer& b) {
    for (auto* server : {&a, &b}) {
      for (auto* other : {&a, &b}) {
        if (server->membership_of(room_, user_of(*other)) != "join") return false;
      }
    }
    return true;
  }
  const std::vector<TestServer*>& servers() const { return servers_; }
  StateMap state_at(TestServer& server) { return server.state(room_); }
  std::vector<EventId> heads_at(TestServer& server) { return server.heads(room_); }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  UserId alice() { return servers_[0]->user("alice"); }
  UserId user_of(TestServer& server) { return &server == servers_[0] ? alice() : server.user("user"); }
  void rejoin(TestServer& server) {
    std::vector<ServerName> via;
    for (auto* other : servers_) via.push_back(other->name());
    static_cast<void>(server.membership().join(user_of(server), room_, via, "{}"));
  }

  World world_;
  std::vector<TestServer*> servers_;
  RoomId room_;
  std::mt19937 random_;
  int counter_ = 0;
};

}  // namespace

TEST_CASE("servers agree after any history of splits") {
  const auto version = GENERATE(as<std::string>(), "1", "2", "3", "10", "12");
  const auto seed = GENERATE(range(1U, 5U));
  CAPTURE(version, seed);
  Play play(seed, version);
  for (int i = 0; i < 120; ++i) play.act();
  play.settle();
  for (auto* a : play.servers()) {
    for (auto* b : play.servers()) {
      if (!play.together(*a, *b)) continue;
      INFO(a->name().str() + " and " + b->name().str());
      CHECK(play.state_at(*a) == play.state_at(*b));
      CHECK(play.heads_at(*a) == play.heads_at(*b));
    }
  }
}
