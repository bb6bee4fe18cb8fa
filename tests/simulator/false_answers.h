// What a liar answers when other servers ask it: a part of the truth, the truth in a wrong order, other events, events
// with other contents or signatures, ids of nothing; and, where the script says so, states that were never the room's.
#pragma once

#include <functional>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "core/room_rules.h"
#include "homeserver/rooms/remote_rooms.h"
#include "tests/simulator/dice.h"
#include "tests/simulator/recorder.h"

namespace skerry::simulator {

class FalseAnswers {
 public:
  // `percent` of the answers are lies. The references must outlive it.
  FalseAnswers(int percent, bool about_states, const RoomRules& rules, const AllEvents& events)
      : percent_(percent), about_states_(about_states), rules_(rules), events_(events) {}

  // True when the answer at hand is to be a lie.
  bool lies(Dice& dice) const { return dice.percent(percent_); }
  bool about_states() const { return about_states_; }
  void twist(std::vector<Json>& pdus, Dice& dice) const;
  void twist(Json& pdu, Dice& dice) const;
  // What goes with a state, and decides nothing.
  void twist(std::vector<EventId>& ids, Dice& dice) const;
  // True when the state is no longer the room's. Who asks for a state has nobody else's word for it.
  bool twist_state(std::vector<EventId>& state, Dice& dice) const;

 private:
  const EventPtr& any_event(Dice& dice) const;

  const int percent_;
  const bool about_states_;
  const RoomRules& rules_;
  const AllEvents& events_;
};

}  // namespace skerry::simulator
