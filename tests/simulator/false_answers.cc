#include "tests/simulator/false_answers.h"

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

namespace skerry::simulator {

namespace {

template <class T>
void shuffle(std::vector<T>& list, Dice& dice) {
  for (std::size_t i = list.size(); i > 1; --i) {
    std::swap(list[i - 1], list[static_cast<std::size_t>(dice.below(static_cast<int>(i)))]);
  }
}

template <class T>
void leave_out_some(std::vector<T>& list, Dice& dice) {
  std::vector<T> kept;
  for (auto& entry : list) {
    if (dice.percent(60)) kept.push_back(std::move(entry));
  }
  list = std::move(kept);
}

EventId id_of_nothing(const RoomRules& rules, Dice& dice) {
  if (rules.event_ids == RoomRules::EventIds::in_event) {
    return *EventId::parse("$nothing" + std::to_string(dice.below(1'000)) + ":alpha.test");
  }
  std::string id = "$";
  for (int i = 0; i < 43; ++i) id += static_cast<char>('A' + dice.below(26));
  return *EventId::parse(id);
}

}  // namespace

const EventPtr& FalseAnswers::any_event(Dice& dice) const {
  return std::next(events_.begin(), dice.below(static_cast<int>(events_.size())))->second;
}

void FalseAnswers::twist(Json& pdu, Dice& dice) const {
  switch (dice.below(4)) {
    case 0:  // another event of the room
      pdu = any_event(dice)->pdu();
      return;
    case 1:  // its hash does not hold: it counts as redacted. A redaction that is redacted itself redacts nothing.
      if (pdu.at("type") != "m.room.redaction") pdu["content"]["lie"] = dice.below(1'000);
      return;
    case 2:  // nobody signed this
      pdu["depth"] = pdu.value("depth", std::int64_t{0}) + 1;
      return;
    default:  // no event at all
      pdu.erase(dice.percent(50) ? "prev_events" : "signatures");
  }
}

void FalseAnswers::twist(std::vector<Json>& pdus, Dice& dice) const {
  switch (dice.below(5)) {
    case 0:
      return leave_out_some(pdus, dice);
    case 1:
      return shuffle(pdus, dice);
    case 2:
      for (int i = dice.between(1, 10); i > 0; --i) pdus.push_back(any_event(dice)->pdu());
      return shuffle(pdus, dice);
    case 3:
      pdus.clear();
      return;
    default:
      for (auto& pdu : pdus) {
        if (dice.percent(40)) twist(pdu, dice);
      }
  }
}

void FalseAnswers::twist(std::vector<EventId>& ids, Dice& dice) const {
  switch (dice.below(3)) {
    case 0:
      return leave_out_some(ids, dice);
    case 1:
      ids.push_back(id_of_nothing(rules_, dice));
      return shuffle(ids, dice);
    default:
      for (int i = dice.between(1, 5); i > 0; --i) ids.push_back(any_event(dice)->id());
  }
}

bool FalseAnswers::twist_state(std::vector<EventId>& state, Dice& dice) const {
  if (!about_states_ || dice.percent(30)) {
    // Nobody has that event, so nobody can take this for a state.
    state.push_back(id_of_nothing(rules_, dice));
    return false;
  }
  if (dice.percent(50)) {
    leave_out_some(state, dice);
  } else {
    for (int i = dice.between(1, 5); i > 0; --i) state.insert(state.begin(), any_event(dice)->id());
  }
  return true;
}

}  // namespace skerry::simulator
