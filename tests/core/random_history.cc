#include "tests/core/random_history.h"

#include <nlohmann/json.hpp>
#include <rapidcheck.h>

namespace skerry::test {
namespace {

constexpr std::int64_t beginning_ms = 1'700'000'000'000;
constexpr const char* topic_for_all = "m.room.topic";

class History {
 public:
  explicit History(RoomBuilder& room) : room_(room) {
    people_ = {room.creator(), user("@bob:bravo.test"), user("@carol:charlie.test"), user("@dave:delta.test")};
    RoomBuilder::Tip base = room.created();
    room.state(base, people_[0], "m.room.power_levels", levels(50, 0));
    room.join(base, people_[1]);
    room.join(base, people_[2]);
    forks_.assign(*rc::gen::inRange<std::size_t>(2, 5), base);
  }

  void act() {
    RoomBuilder::Tip& fork = any_of(forks_);
    RoomBuilder::Tip next = fork;
    if (room_.refusing_rule(fork, room_.add(next, any_draft())).empty()) fork = next;
    if (*rc::gen::inRange(0, 8) == 0) fork = room_.merge({fork, forks_[0]});
  }

  std::vector<RoomBuilder::Tip> forks() && { return std::move(forks_); }

 private:
  template <class T>
  static T& any_of(std::vector<T>& list) {
    return list[*rc::gen::inRange<std::size_t>(0, list.size())];
  }

  std::string levels(int bobs, int carols) const {
    Json users{{people_[1].str(), bobs}, {people_[2].str(), carols}};
    if (!room_.rules().creators_are_privileged) users[people_[0].str()] = 100;
    return dump({{"users", users}, {"events", {{topic_for_all, 0}}}});
  }

  Draft any_draft() {
    const std::int64_t time = beginning_ms + *rc::gen::inRange<std::int64_t>(0, 10);
    const UserId& actor = any_of(people_);
    const int action = *rc::gen::inRange(0, 8);
    if (action < 5) {
      constexpr const char* memberships[] = {"join", "leave", "ban", "invite", "join"};
      const UserId& target = action == 4 ? actor : any_of(people_);
      return {actor, "m.room.member", target.str(), dump({{"membership", memberships[action]}}), time, {}};
    }
    if (action == 5) return {actor, topic_for_all, "", dump({{"topic", ++topics_}}), time, {}};
    if (action == 6) {
      return {actor, "m.room.power_levels", "", levels(*rc::gen::inRange(0, 100), *rc::gen::inRange(0, 100)), time, {}};
    }
    const char* const rule = *rc::gen::arbitrary<bool>() ? "public" : "invite";
    return {actor, "m.room.join_rules", "", dump({{"join_rule", rule}}), time, {}};
  }

  RoomBuilder& room_;
  std::vector<UserId> people_;
  std::vector<RoomBuilder::Tip> forks_;
  int topics_ = 0;
};

}  // namespace

std::vector<RoomBuilder::Tip> random_forks(RoomBuilder& room) {
  History history(room);
  const int steps = *rc::gen::inRange(3, 25);
  for (int step = 0; step < steps; ++step) history.act();
  return std::move(history).forks();
}

}  // namespace skerry::test
