#include "homeserver/rooms/fetch.h"

#include <algorithm>
#include <deque>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/admit.h"
#include "homeserver/rooms/verify.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t max_requests = 200;    // of one errand
constexpr std::size_t max_events = 100'000;  // of one errand, verified or not
constexpr std::chrono::seconds max_time{120};
constexpr std::size_t single_events = 50;  // more absent events of a state than that: the whole state is asked for
constexpr int citation_rounds = 10;

const std::vector<EventId>& auth_of(const Event& event) { return event.auth_events(); }
const std::vector<EventId>& prev_of(const Event& event) { return event.prev_events(); }

// Kahn's algorithm; among those that may come next the one of least depth, then of least id.
template <class Parents>
std::vector<EventPtr> sorted(std::vector<EventPtr> events, const Parents& parents) {
  std::unordered_map<EventId, EventPtr> by_id;
  for (auto& event : events) by_id.emplace(event->id(), event);
  std::unordered_map<EventId, std::size_t> waits_for;
  std::unordered_map<EventId, std::vector<EventPtr>> children;
  const auto earlier = [](const EventPtr& a, const EventPtr& b) {
    return std::pair(a->depth(), std::cref(a->id())) < std::pair(b->depth(), std::cref(b->id()));
  };
  std::set<EventPtr, decltype(earlier)> ready(earlier);
  for (const auto& [id, event] : by_id) {
    const std::set<EventId> distinct(parents(*event).begin(), parents(*event).end());
    for (const auto& parent : distinct) {
      if (!by_id.contains(parent)) continue;
      ++waits_for[id];
      children[parent].push_back(event);
    }
    if (waits_for[id] == 0) ready.insert(event);
  }
  std::vector<EventPtr> order;
  while (!ready.empty()) {
    EventPtr next = ready.extract(ready.begin()).value();
    for (const auto& child : children[next->id()]) {
      if (--waits_for[child->id()] == 0) ready.insert(child);
    }
    order.push_back(std::move(next));
  }
  return order;  // without cycles, which may be claimed where ids are no hashes, and what lies behind them
}

}  // namespace

std::vector<EventPtr> in_auth_order(std::vector<EventPtr> events) { return sorted(std::move(events), auth_of); }
std::vector<EventPtr> in_room_order(std::vector<EventPtr> events) { return sorted(std::move(events), prev_of); }

std::vector<std::pair<EventPtr, Judgement>> judge_outliers(const RoomRules& rules, const EventPtr& create,
                                                           std::vector<EventPtr> events, const KnownEvents& known) {
  std::vector<std::pair<EventPtr, Judgement>> judged;
  std::unordered_map<EventId, std::size_t> places;
  const EventLookup lookup = [&](const EventId& id) -> EventPtr {
    const auto place = places.find(id);
    return place == places.end() ? known.event(id) : judged[place->second].first;
  };
  const auto rejected = [&](const EventId& id) {
    const auto place = places.find(id);
    return place == places.end() ? known.rejected(id) : judged[place->second].second.verdict == Verdict::rejected;
  };
  for (auto& event : in_auth_order(std::move(events))) {
    auto outcome = judge_by_auth_events(rules, *event, create, lookup, rejected);
    if (!outcome || std::holds_alternative<Needs>(*outcome)) continue;
    places.emplace(event->id(), judged.size());
    judged.emplace_back(std::move(event), std::get<Judgement>(std::move(*outcome)));
  }
  return judged;
}

Fetcher::Fetcher(Engine& engine, RoomId room, const RoomRules& rules, std::vector<ServerName> servers)
    : engine_(engine),
      room_(std::move(room)),
      rules_(rules),
      servers_(std::move(servers)),
      deadline_(std::chrono::steady_clock::now() + max_time) {}

bool Fetcher::exhausted() const {
  return requests_ >= max_requests || events_ >= max_events || std::chrono::steady_clock::now() >= deadline_;
}

bool Fetcher::may_ask() {
  if (exhausted()) return false;
  ++requests_;
  return true;
}

void Fetcher::note_failure(const ServerName& server, const Error& error) {
  const bool no_answer = error.code == ErrorCode::unreachable || error.code == ErrorCode::timeout;
  if (no_answer && server == servers_.front()) origin_was_silent_ = true;
}

std::vector<EventPtr> Fetcher::verified(std::vector<Json> pdus) {
  if (pdus.size() > max_events - std::min(events_, max_events)) pdus.resize(max_events - std::min(events_, max_events));
  events_ += pdus.size();
  return verify_all(engine_.context.remote, rules_, room_, pdus, servers_);
}

EventPtr Fetcher::event(const EventId& id) {
  for (const auto& server : servers_) {
    if (!may_ask()) return nullptr;
    auto pdu = engine_.context.remote.event(server, id);
    note_answer(server, pdu);
    if (!pdu) continue;
    std::vector<Json> one;
    one.push_back(std::move(*pdu));
    auto events = verified(std::move(one));
    if (!events.empty() && events.front()->id() == id) return events.front();
  }
  return nullptr;
}

bool Fetcher::fetch_auth_events(const EventId& event, const std::vector<EventId>& needed) {
  for (const auto& server : servers_) {
    if (!may_ask()) return false;
    auto pdus = engine_.context.remote.event_auth(server, room_, event);
    note_answer(server, pdus);
    if (!pdus) continue;
    if (!complete(needed, verified(std::move(*pdus)))) return false;
    const auto absent = engine_.store.absent(needed);
    if (!absent) return false;
    if (absent->empty()) return true;
  }
  // Nobody gave the chain: the events themselves may still be had.
  if (!complete(needed, {})) return false;
  const auto absent = engine_.store.absent(needed);
  return absent && absent->empty();
}

Result<void> Fetcher::complete(const std::vector<EventId>& wanted, std::vector<EventPtr> at_hand) {
  std::unordered_map<EventId, EventPtr> found;
  for (auto& event : at_hand) found.emplace(event->id(), event);
  std::unordered_map<EventId, EventPtr> chosen;  // what is wanted, and what that cites
  std::unordered_set<EventId> asked;
  std::vector<EventId> next = wanted;
  for (int round = 0; round < citation_rounds && !next.empty(); ++round) {
    const auto absent = engine_.store.absent(next);
    if (!absent) return tl::make_unexpected(absent.error());
    // What is at hand costs nothing: follow its citations to their end before the next question to the store.
    std::deque<EventId> open(absent->begin(), absent->end());
    next.clear();
    while (!open.empty()) {
      const EventId id = std::move(open.front());
      open.pop_front();
      if (chosen.contains(id)) continue;
      auto at = found.find(id);
      if (at == found.end() && round > 0 && asked.insert(id).second) {
        if (auto fetched = event(id)) at = found.emplace(id, std::move(fetched)).first;
      }
      if (at == found.end()) {
        if (!asked.contains(id)) next.push_back(id);
        continue;
      }
      chosen.emplace(id, at->second);
      for (const auto& cited : at->second->auth_events()) {
        if (chosen.contains(cited)) continue;
        if (found.contains(cited)) {
          open.push_back(cited);
        } else {
          next.push_back(cited);
        }
      }
    }
  }
  std::vector<EventPtr> events;
  for (auto& [id, event] : chosen) events.push_back(std::move(event));
  auto judged = engine_.in_turn<std::vector<std::pair<EventPtr, Judgement>>>(
      room_, [this, &events](const std::shared_ptr<Room>& room) -> Result<std::vector<std::pair<EventPtr, Judgement>>> {
        const KnownEvents known{[&room](const EventId& id) { return room->event(id); },
                                [&room](const EventId& id) { return room->rejected(id); }};
        auto judgements = judge_outliers(rules_, room->create, std::move(events), known);
        if (auto trouble = room->take_trouble()) return tl::make_unexpected(*trouble);
        return judgements;
      });
  if (!judged) return tl::make_unexpected(judged.error());
  return engine_.commit_outliers(room_, std::string(rules_.version), std::move(*judged));
}

Result<RoomState> Fetcher::fetch_state_before(const EventId& event) {
  for (const auto& server : servers_) {
    if (!may_ask()) break;
    auto ids = engine_.context.remote.state_ids(server, room_, event);
    note_answer(server, ids);
    if (!ids || ids->state.size() + ids->auth_chain.size() > max_events) continue;
    std::vector<EventId> all = ids->state;
    all.insert(all.end(), ids->auth_chain.begin(), ids->auth_chain.end());
    const auto absent = engine_.store.absent(all);
    if (!absent) return tl::make_unexpected(absent.error());
    std::vector<EventPtr> at_hand;
    if (absent->size() > single_events && may_ask()) {
      if (auto whole = engine_.context.remote.state(server, room_, event)) {
        std::move(whole->auth_chain.begin(), whole->auth_chain.end(), std::back_inserter(whole->state));
        at_hand = verified(std::move(whole->state));
      }
    }
    if (auto completed = complete(ids->state, std::move(at_hand)); !completed) {
      return tl::make_unexpected(completed.error());
    }
    // A state without what could not be got would be another state, and stay so.
    const auto still_absent = engine_.store.absent(ids->state);
    if (!still_absent) return tl::make_unexpected(still_absent.error());
    if (still_absent->empty()) return make_state(ids->state);
  }
  return fail(ErrorCode::not_found, "no server told the state of the room at an event");
}

// Of a list of state events; those that are rejected are left out.
Result<RoomState> Fetcher::make_state(const std::vector<EventId>& ids) {
  auto stored = engine_.store.events(ids);
  if (!stored) return tl::make_unexpected(stored.error());
  auto state = std::make_shared<StateMap>();
  for (const auto& known : *stored) {
    if (known.judgement.verdict == Verdict::rejected || known.event->room_id() != room_) continue;
    if (known.event->is_state())
      state->emplace(StateKey{known.event->type(), *known.event->state_key()}, known.event->id());
  }
  if (!state->contains(StateKey{"m.room.create", ""}))
    return fail(ErrorCode::not_found, "the state has no create event");
  return engine_.in_turn<RoomState>(room_, [this, state](const std::shared_ptr<Room>& room) -> Result<RoomState> {
    const auto changes = difference(*room->current.map(), *state);
    if (changes.empty()) return room->current;
    const auto id = changes.size() < state->size() / 2 ? engine_.store.make_state(room_, room->current.id(), changes)
                                                       : engine_.store.store_state(room_, *state);
    if (!id) return tl::make_unexpected(id.error());
    return RoomState(*id, state);
  });
}

}  // namespace skerry::homeserver
