#include "tests/simulator/liar.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace skerry::simulator {

namespace {

constexpr std::size_t places_remembered = 10;

}  // namespace

// A point in the room's history, as the liar knows it.
struct Liar::Place {
  std::vector<EventId> heads;
  StateMap state;
  std::int64_t depth = 0;
};
struct Liar::Draft {
  UserId sender;
  std::string type;
  std::optional<std::string> state_key;
  Json content;
  std::vector<EventId> also_cites = {};
  std::optional<std::vector<EventId>> instead_of_heads = {};
  std::int64_t older_by_ms = 0;
};

Liar::Liar(Node& self, Network& network, RoomId room, const RoomRules& rules)
    : self_(self), network_(network), room_(std::move(room)), rules_(rules) {}

Liar::~Liar() = default;

std::optional<Liar::Place> Liar::here() const {
  const auto head = self_.store().head(room_);
  if (!head || !head->has_value()) return std::nullopt;
  return Place{(*head)->heads, **self_.store().state((*head)->current_state), (*head)->depth};
}

void Liar::remember_place() {
  if (!self_.is_up() || places_.size() >= places_remembered) return;
  if (auto place = here()) places_.push_back(std::move(*place));
}

Json Liar::citation(const EventId& id) const {
  const auto stored = self_.store().event(id);
  if (stored && stored->has_value()) return citation_of(rules_, *(*stored)->event);
  if (rules_.event_ids != RoomRules::EventIds::in_event) return id.str();
  return Json::array({id.str(), Json::object()});
}

Json Liar::make(const Place& place, const Draft& draft) {
  Json pdu{{"type", draft.type},
           {"sender", draft.sender.str()},
           {"content", draft.content},
           {"room_id", room_.str()},
           {"origin_server_ts", network_.schedule().now_ms() - draft.older_by_ms},
           {"depth", place.depth + 1},
           {"prev_events", Json::array()},
           {"auth_events", Json::array()}};
  if (draft.state_key) pdu["state_key"] = *draft.state_key;
  for (const auto& id : draft.instead_of_heads.value_or(place.heads)) pdu["prev_events"].push_back(citation(id));
  std::vector<EventId> cited = draft.also_cites;
  for (const auto& key : auth_event_keys(rules_, draft.type, draft.sender, draft.state_key, draft.content)) {
    const auto entry = place.state.find(key);
    // What it cites besides takes the place of what it should cite.
    const bool is_replaced = !draft.also_cites.empty() && key.type == "m.room.power_levels";
    if (entry != place.state.end() && !is_replaced) cited.push_back(entry->second);
  }
  for (const auto& id : cited) pdu["auth_events"].push_back(citation(id));
  if (rules_.event_ids == RoomRules::EventIds::in_event) {
    pdu["event_id"] = "$lie" + std::to_string(++made_) + ":" + self_.name().str();
  }
  static_cast<void>(hash_and_sign_event(rules_, pdu, self_.name(), signing_key(self_.name())));
  return pdu;
}

EventId Liar::id_of(const Json& pdu) const { return *event_id_of(rules_, pdu); }

void Liar::send(const std::vector<ServerName>& servers, const std::vector<Json>& pdus) {
  for (const auto& server : servers) {
    federation::FederationRequest request;
    request.destination = server;
    request.target = "/_matrix/federation/v1/send/lie" + std::to_string(++made_);
    request.body = dump(Json{{"pdus", pdus}});
    network_.send(self_.name(), std::move(request), [](Result<Json>, const federation::RemoteFailure&) {});
  }
}

std::vector<ServerName> Liar::others() const {
  std::vector<ServerName> names;
  for (const auto* node : network_.nodes()) {
    if (node->name() != self_.name()) names.push_back(node->name());
  }
  return names;
}

Liar::Draft Liar::message(const std::string& body) const {
  return {self_.user(0), "m.room.message", std::nullopt, {{"msgtype", "m.text"}, {"body", body}}};
}

Liar::Draft Liar::levels(const Place& place, const UserId& whom, int level) const {
  Json content = Json::object();
  if (const auto entry = place.state.find({"m.room.power_levels", ""}); entry != place.state.end()) {
    const auto stored = self_.store().event(entry->second);
    if (stored && stored->has_value()) content = (*stored)->event->content();
  }
  content["users"][whom.str()] = level;
  return {self_.user(0), "m.room.power_levels", "", std::move(content)};
}

// Each of two servers is told another story of the same moment; the liar itself believes both.
bool Liar::equivocate(const Place& place, Dice& dice) {
  Draft one = message("one");
  Draft other = message("other");
  if (dice.percent(50)) {
    one = {self_.user(0), "m.room.topic", "", {{"topic", "one " + std::to_string(made_)}}};
    other = {self_.user(0), "m.room.topic", "", {{"topic", "other " + std::to_string(made_)}}};
  }
  const Json first = make(place, one);
  const Json second = make(place, other);
  const auto servers = others();
  for (std::size_t i = 0; i < servers.size(); ++i) send({servers[i]}, {i % 2 == 0 ? first : second});
  if (dice.percent(70)) self_.receive(self_.name(), first);
  if (dice.percent(70)) self_.receive(self_.name(), second);
  return true;
}

bool Liar::cite_rejected(const Place& place) {
  const Json usurped = make(place, levels(place, self_.user(0), 100));
  self_.receive(self_.name(), usurped);
  Draft resting = message("by my new power");
  resting.also_cites = {id_of(usurped)};
  Draft ban{self_.user(0), "m.room.name", "", {{"name", "mine"}}, {id_of(usurped)}};
  send(others(), {usurped, make(place, resting), make(place, ban)});
  return true;
}

// From a place where its sender still could.
bool Liar::backdate(Dice& dice, const UserId& victim) {
  if (places_.empty()) return false;
  const Place& place = dice.one_of(places_);
  Draft draft = message("long ago");
  switch (dice.below(5)) {
    case 0:
      draft = {self_.user(0), "m.room.topic", "", {{"topic", "long ago"}}};
      break;
    case 1:
      draft = {self_.user(0), "m.room.member", self_.user(0).str(), {{"membership", "join"}}};
      break;
    case 2:
      draft = {self_.user(0), "m.room.member", victim.str(), {{"membership", "ban"}}};
      break;
    case 3:
      draft = levels(place, victim, 50);
      break;
    default:
      break;
  }
  draft.older_by_ms = dice.below(1'000'000);
  const Json pdu = make(place, draft);
  std::vector<ServerName> servers = others();
  if (dice.percent(50)) servers.resize(1);
  send(servers, {pdu});
  if (dice.percent(50)) self_.receive(self_.name(), pdu);
  return true;
}

bool Liar::tamper(const Place& place, Dice& dice) {
  const Json honest = make(place, message("what was signed"));
  Json tampered = honest;
  tampered["content"]["body"] = "what was not";
  for (const auto& server : others()) send({server}, {dice.percent(50) ? honest : tampered});
  self_.receive(self_.name(), honest);
  return true;
}

bool Liar::tell(const Action& action, const UserId& victim, Dice& dice) {
  const auto place = here();
  if (!place) return false;
  switch (action.deed) {
    case Deed::forge: {
      Draft draft = message("said somebody else");
      draft.sender = victim;
      send(others(), {make(*place, draft)});
      return true;
    }
    case Deed::equivocate:
      return equivocate(*place, dice);
    case Deed::cite_rejected:
      return cite_rejected(*place);
    case Deed::backdate:
      return backdate(dice, victim);
    case Deed::tamper:
      return tamper(*place, dice);
    case Deed::usurp:
      send(others(), {make(*place, levels(*place, self_.user(action.user), 100))});
      return true;
    case Deed::unjust_ban:
      send(others(), {make(*place, {self_.user(1), "m.room.member", victim.str(), {{"membership", "ban"}}})});
      return true;
    case Deed::from_nowhere: {
      Draft draft = message("after what nobody saw");
      const Json unseen = make(*place, message("unseen"));
      draft.instead_of_heads = {id_of(unseen)};
      send(others(), {make(*place, draft)});
      return true;
    }
    default:
      return false;
  }
}

}  // namespace skerry::simulator
