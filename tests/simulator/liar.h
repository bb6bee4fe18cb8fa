// What a server does that runs this program's room engine, and besides makes events which that would never make.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tests/simulator/node.h"
#include "tests/simulator/script.h"

namespace skerry::simulator {

class Liar {
 public:
  Liar(Node& self, Network& network, RoomId room, const RoomRules& rules);
  ~Liar();

  // A place in the room's history that it may come back to.
  void remember_place();
  // Tells a lie, if it knows how to at this moment. `victim` is the user that it is about.
  bool tell(const Action& action, const UserId& victim, Dice& dice);

 private:
  struct Place;
  struct Draft;
  std::optional<Place> here() const;
  Json make(const Place& place, const Draft& draft);
  Json citation(const EventId& id) const;
  EventId id_of(const Json& pdu) const;
  void send(const std::vector<ServerName>& servers, const std::vector<Json>& pdus);
  std::vector<ServerName> others() const;
  Draft message(const std::string& body) const;
  Draft levels(const Place& place, const UserId& whom, int level) const;

  bool equivocate(const Place& place, Dice& dice);
  bool cite_rejected(const Place& place);
  bool backdate(Dice& dice, const UserId& victim);
  bool tamper(const Place& place, Dice& dice);

  Node& self_;
  Network& network_;
  const RoomId room_;
  const RoomRules& rules_;
  std::vector<Place> places_;
  int made_ = 0;
};

}  // namespace skerry::simulator
