#include "tests/support/room_builder.h"

#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace skerry::test {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return *std::move(result);
}

}  // namespace

SigningKey key_of(const ServerName& name) {
  const Sha256 seed = sha256(name.str());
  return SigningKey::from_seed(must(KeyId::parse("ed25519:test")),
                               {reinterpret_cast<const char*>(seed.data()), seed.size()});
}

KeyLookup all_keys() {
  return [](const ServerName& name, const KeyId&) {
    return KnownKey{key_of(name).public_key(), std::numeric_limits<std::int64_t>::max()};
  };
}

UserId user(std::string_view id) { return must(UserId::parse(id)); }
ServerName server(std::string_view name) { return must(ServerName::parse(name)); }
EventId event_id(std::string_view id) { return must(EventId::parse(id)); }

RoomBuilder::RoomBuilder(std::string_view version, UserId creator)
    : rules_(*find_room_rules(version)), creator_(std::move(creator)), create_(make_create()) {}

RoomBuilder::RoomBuilder(std::string_view version, EventPtr create)
    : rules_(*find_room_rules(version)), creator_(create->sender()), create_(std::move(create)) {
  put(create_);
}

EventPtr RoomBuilder::make_create() {
  Json event{{"type", "m.room.create"},       {"state_key", ""},
             {"sender", creator_.str()},      {"content", {{"room_version", rules_.version}}},
             {"origin_server_ts", clock_ms_}, {"depth", 1},
             {"prev_events", Json::array()},  {"auth_events", Json::array()}};
  if (!rules_.room_id_is_create_hash) event["room_id"] = "!room:" + creator_.server().str();
  if (rules_.create_has_creator) event["content"]["creator"] = creator_.str();
  name(event);
  must(hash_and_sign_event(rules_, event, creator_.server(), key_of(creator_.server())).map([] { return 0; }));
  EventPtr created = must(Event::make(rules_, std::move(event)));
  put(created);
  return created;
}

void RoomBuilder::name(Json& event) {
  if (rules_.event_ids != RoomRules::EventIds::in_event) return;
  const std::string home = user(event["sender"].get<std::string>()).server().str();
  event["event_id"] = "$" + std::to_string(++named_) + ":" + home;
}

Json RoomBuilder::citation(const EventId& id) const {
  const EventPtr event = find(id);
  if (event != nullptr) return citation_of(rules_, *event);
  if (rules_.event_ids != RoomRules::EventIds::in_event) return id.str();
  return Json::array({id.str(), Json::object()});
}

RoomBuilder::Tip RoomBuilder::at_create() const {
  return {{create_->id()}, {{{"m.room.create", ""}, create_->id()}}, create_->depth()};
}

RoomBuilder::Tip RoomBuilder::created(std::string_view join_rule) {
  Tip tip = at_create();
  join(tip, creator_);
  const Json users = rules_.creators_are_privileged ? Json::object() : Json{{creator_.str(), 100}};
  state(tip, creator_, "m.room.power_levels", dump({{"users", users}}));
  state(tip, creator_, "m.room.join_rules", dump({{"join_rule", join_rule}}));
  return tip;
}

Json RoomBuilder::pdu(const Tip& tip, const Draft& draft) {
  clock_ms_ += 1000;
  const Json content = Json::parse(draft.content);
  Json event{{"type", draft.type},
             {"sender", draft.sender.str()},
             {"content", content},
             {"room_id", room_id().str()},
             {"origin_server_ts", draft.origin_server_ts_ms != 0 ? draft.origin_server_ts_ms : clock_ms_},
             {"depth", tip.depth + 1},
             {"prev_events", Json::array()},
             {"auth_events", Json::array()}};
  if (draft.state_key) event["state_key"] = *draft.state_key;
  for (const EventId& head : tip.heads) event["prev_events"].push_back(citation(head));
  for (const StateKey& key : auth_event_keys(rules_, draft.type, draft.sender, draft.state_key, content)) {
    if (const auto entry = tip.state.find(key); entry != tip.state.end()) {
      event["auth_events"].push_back(citation(entry->second));
    }
  }
  name(event);
  for (const auto& [member, value] : draft.extra) event[member] = Json::parse(value);
  const ServerName home = draft.sender.server();
  must(hash_and_sign_event(rules_, event, home, key_of(home)).map([] { return 0; }));
  return event;
}

EventPtr RoomBuilder::make(const Tip& tip, const Draft& draft) {
  EventPtr event = must(Event::make(rules_, pdu(tip, draft)));
  put(event);
  return event;
}

EventPtr RoomBuilder::add(Tip& tip, const Draft& draft) {
  EventPtr event = make(tip, draft);
  tip.heads = {event->id()};
  tip.depth = event->depth();
  if (event->is_state()) tip.state[{event->type(), *event->state_key()}] = event->id();
  return event;
}

void RoomBuilder::put(const EventPtr& event) {
  if (!events_.emplace(event->id(), event).second || !event->is_state()) return;
  for (const EventId& cited : event->auth_events()) cited_by_[cited].push_back(event->id());
}

EventPtr RoomBuilder::member(Tip& tip, const UserId& sender, const UserId& target, std::string_view membership) {
  return add(tip, {sender, "m.room.member", target.str(), dump({{"membership", membership}}), 0, {}});
}

EventPtr RoomBuilder::message(Tip& tip, const UserId& sender, std::string_view body) {
  return add(tip, {sender, "m.room.message", std::nullopt, dump({{"msgtype", "m.text"}, {"body", body}}), 0, {}});
}

EventPtr RoomBuilder::state(Tip& tip, const UserId& sender, std::string_view type, std::string_view content,
                            std::string_view state_key) {
  return add(tip, {sender, std::string(type), std::string(state_key), std::string(content), 0, {}});
}

RoomBuilder::Tip RoomBuilder::merge(const std::vector<Tip>& forks) {
  Tip merged;
  std::vector<StatePtr> states;
  for (const Tip& fork : forks) {
    merged.heads.insert(merged.heads.end(), fork.heads.begin(), fork.heads.end());
    merged.depth = std::max(merged.depth, fork.depth);
    states.push_back(std::make_shared<const StateMap>(fork.state));
  }
  merged.state = std::get<StateMap>(resolve_state(rules_, states, lookup(), is_rejected()));
  return merged;
}

CitingLookup RoomBuilder::index() const {
  return [this](const EventId& cited, std::int64_t from) {
    constexpr std::int64_t page_size = 3;
    CitingPage page;
    const auto found = cited_by_.find(cited);
    if (found == cited_by_.end()) return page;
    const auto& all = found->second;
    std::int64_t at = from == 0 ? static_cast<std::int64_t>(all.size()) : from;
    for (std::int64_t left = page_size; left > 0 && at > 0; --left) {
      const EventId& id = all[static_cast<std::size_t>(--at)];
      if (!rejected_.contains(id)) page.events.push_back(id);
    }
    page.next = at;
    return page;
  };
}

AuthVerdict RoomBuilder::authorize_at(const Tip& tip, const EventPtr& event) const {
  const EventPtr create = event->type() == "m.room.create" ? nullptr : create_;
  return authorize(rules_, *event, create, [&](std::string_view type, std::string_view state_key) {
    return in_state(tip.state, type, state_key);
  });
}

std::string RoomBuilder::refusing_rule(const Tip& tip, const EventPtr& event) const {
  const AuthVerdict verdict = authorize_at(tip, event);
  if (std::holds_alternative<Allowed>(verdict)) return "";
  const auto* refused = std::get_if<Refused>(&verdict);
  return refused == nullptr ? "missing" : refused->rule;
}

EventPtr RoomBuilder::find(const EventId& id) const {
  const auto entry = events_.find(id);
  return entry == events_.end() ? nullptr : entry->second;
}

EventLookup RoomBuilder::lookup() const {
  return [this](const EventId& id) { return find(id); };
}

std::function<bool(const EventId&)> RoomBuilder::is_rejected() const {
  return [this](const EventId& id) { return rejected_.contains(id); };
}

EventPtr RoomBuilder::in_state(const StateMap& state, std::string_view type, std::string_view state_key) const {
  const auto entry = state.find({std::string(type), std::string(state_key)});
  return entry == state.end() ? nullptr : find(entry->second);
}

}  // namespace skerry::test
