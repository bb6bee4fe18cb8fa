#include "homeserver/rooms/missing.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/history.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t waiting_per_room = 1'000;
constexpr int offers_per_event = 6;
constexpr int gap_rounds = 5;
constexpr std::size_t gap_events_per_round = 100;
constexpr std::size_t latest_per_round = 20;
constexpr std::size_t holes_filled = 10;
constexpr std::size_t other_servers = 2;  // asked after the origin

}  // namespace

MissingEvents::MissingEvents(std::shared_ptr<Engine> engine) : engine_(std::move(engine)) {}

bool MissingEvents::wait_with_others(const std::shared_ptr<Arrival>& arrival) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = queues_.find(arrival->event->room_id());
    if (found == queues_.end()) return false;
    const auto& by_id = found->second.by_id;
    if (const auto same = by_id.find(arrival->event->id()); same != by_id.end()) {
      same->second->told.insert(same->second->told.end(), arrival->told.begin(), arrival->told.end());
      return true;
    }
    const auto& prev = arrival->event->prev_events();
    if (std::none_of(prev.begin(), prev.end(), [&](const EventId& id) { return by_id.contains(id); })) return false;
  }
  wait(arrival);
  return true;
}

void MissingEvents::wait(const std::shared_ptr<Arrival>& arrival) {
  if (!enqueue(arrival)) return;
  const RoomId room = arrival->event->room_id();
  if (engine_->context.outbound.post([self = shared_from_this(), room] { self->run_errands(room); })) return;
  std::deque<std::shared_ptr<Arrival>> refused;
  {
    const std::lock_guard lock(mutex_);
    refused = std::move(queues_[room].waiting);
    queues_.erase(room);
  }
  for (const auto& waiting : refused) waiting->put_off("this server has too much to fetch");
}

// True when nobody runs errands for the room yet.
bool MissingEvents::enqueue(const std::shared_ptr<Arrival>& arrival) {
  const std::lock_guard lock(mutex_);
  auto& queue = queues_[arrival->event->room_id()];
  if (queue.waiting.size() >= waiting_per_room) {
    arrival->put_off("too many events of this room wait for others");
    return false;
  }
  const auto [same, is_new] = queue.by_id.emplace(arrival->event->id(), arrival);
  if (!is_new) {
    same->second->told.insert(same->second->told.end(), arrival->told.begin(), arrival->told.end());
    return false;
  }
  queue.waiting.push_back(arrival);
  return queue.waiting.size() == 1;
}

void MissingEvents::run_errands(const RoomId& room) {
  for (;;) {
    std::shared_ptr<Arrival> next;
    {
      const std::lock_guard lock(mutex_);
      next = queues_[room].waiting.front();
    }
    errand(next);
    const std::lock_guard lock(mutex_);
    auto& queue = queues_[room];
    queue.by_id.erase(next->event->id());
    queue.waiting.pop_front();
    if (queue.waiting.empty()) {
      queues_.erase(room);
      return;
    }
  }
}

void MissingEvents::errand(const std::shared_ptr<Arrival>& arrival) {
  const RoomId room = arrival->event->room_id();
  const RoomRules* rules = engine_->rules_of(room);
  auto joined = engine_->store.joined_servers(room);
  if (rules == nullptr) return arrival->answer(dropped("this server is not in the room"));
  if (!joined) return arrival->put_off(joined.error().text);
  std::vector<ServerName> servers{arrival->origin};
  for (auto& server : *joined) {
    if (servers.size() > other_servers) break;
    if (server != arrival->origin && server != engine_->context.us) servers.push_back(std::move(server));
  }
  Fetcher fetcher(*engine_, room, *rules, std::move(servers));
  const auto needs = offer_fetching(fetcher, arrival, false);
  if (!needs) return;
  if (needs->prev_events.empty()) return give_up(fetcher, arrival, "events that it cites could not be got");
  // What others here build on already is the past: it needs the state before it, not what lies between.
  const auto is_behind = engine_->in_turn<bool>(
      room, [&arrival](const std::shared_ptr<Room>& here) { return here->is_behind_others(arrival->event->id()); });
  if (is_behind && !*is_behind) fill_gap(fetcher, arrival, *needs);
  if (offer_fetching(fetcher, arrival, true)) give_up(fetcher, arrival, "events before it could not be got");
}

// A server that sends an event and then cannot be asked for what that needs is to send it again.
void MissingEvents::give_up(const Fetcher& fetcher, const std::shared_ptr<Arrival>& arrival, std::string reason) {
  fetcher.origin_was_silent() ? arrival->put_off(reason) : arrival->answer(dropped(std::move(reason)));
}

std::optional<Needs> MissingEvents::offer_fetching(Fetcher& fetcher, const std::shared_ptr<Arrival>& arrival,
                                                   bool state_as_last_resort) {
  std::optional<RoomState> state;
  std::optional<Needs> unmet;
  for (int i = 0; i < offers_per_event; ++i) {
    auto needs = engine_->in_turn<std::optional<Needs>>(
        fetcher.room(), [this, &arrival, &state](const std::shared_ptr<Room>& room) -> Result<std::optional<Needs>> {
          return offer(*engine_, room, arrival, state);
        });
    if (!needs) {
      arrival->put_off(needs.error().text);
      return std::nullopt;
    }
    if (!needs->has_value()) return std::nullopt;
    unmet = std::move(**needs);
    if (!unmet->auth_events.empty()) {
      if (!fetcher.fetch_auth_events(arrival->event->id(), unmet->auth_events)) {
        unmet->prev_events.clear();
        return unmet;
      }
      continue;
    }
    if (!state_as_last_resort || state) return unmet;
    auto fetched = fetcher.fetch_state_before(arrival->event->id());
    if (!fetched) return unmet;
    state = std::move(*fetched);
  }
  return unmet;
}

// What lies between our heads and an event, as far as it is known.
struct MissingEvents::Gap {
  std::unordered_map<EventId, EventPtr> events;   // to be offered
  std::unordered_map<EventId, EventPtr> history;  // behind what is here already: to be placed, not offered
  std::vector<EventId> wanted;                    // named by the former, and still missing
};

// Takes over what leads from the wanted events to those that have a place here, and nothing behind these.
void MissingEvents::take_over(Fetcher& fetcher, Gap& gap, const std::vector<EventPtr>& brought) {
  std::unordered_map<EventId, EventPtr> by_id;
  std::set<EventId> named(gap.wanted.begin(), gap.wanted.end());
  for (const auto& event : brought) {
    by_id.emplace(event->id(), event);
    named.insert(event->prev_events().begin(), event->prev_events().end());
  }
  struct Known {
    std::unordered_set<EventId> placed;
    std::unordered_set<EventId> behind;
  };
  const auto standing =
      engine_->in_turn<Known>(fetcher.room(), [&named](const std::shared_ptr<Room>& room) -> Result<Known> {
        Known found;
        for (const auto& id : named) {
          const auto known = room->judgement(id);
          const auto behind = room->is_behind_others(id);
          if (!known || !behind) return tl::make_unexpected(known ? behind.error() : known.error());
          if (known->has_value()) found.placed.insert(id);
          if (*behind) found.behind.insert(id);
        }
        return found;
      });
  if (!standing) return;
  std::vector<EventId> open = std::exchange(gap.wanted, {});
  std::unordered_set<EventId> seen;
  while (!open.empty()) {
    const EventId id = std::move(open.back());
    open.pop_back();
    if (!seen.insert(id).second || standing->placed.contains(id) || gap.events.contains(id)) continue;
    const auto found = by_id.find(id);
    if (found == by_id.end()) {
      gap.wanted.push_back(id);
    } else if (standing->behind.contains(id)) {
      gap.history.emplace(id, found->second);
    } else {
      gap.events.emplace(id, found->second);
      const auto& prev = found->second->prev_events();
      open.insert(open.end(), prev.begin(), prev.end());
    }
  }
}

// The events of the gap whose prev_events are still missing.
std::vector<EventId> MissingEvents::edge_of(const Gap& gap) {
  std::vector<EventId> edge;
  for (const auto& [id, event] : gap.events) {
    const auto& prev = event->prev_events();
    const bool is_open = std::any_of(prev.begin(), prev.end(), [&gap](const EventId& parent) {
      return std::find(gap.wanted.begin(), gap.wanted.end(), parent) != gap.wanted.end();
    });
    if (is_open && edge.size() < latest_per_round) edge.push_back(id);
  }
  return edge;
}

// 'Backfilling and retrieving missing events': asks the origin for what lies between our heads and the event, and
// others when that brings nothing, until there is no gap or nobody brings more; what is before that is placed as
// history, with its state; then all of it is offered, oldest first.
void MissingEvents::fill_gap(Fetcher& fetcher, const std::shared_ptr<Arrival>& arrival, const Needs& needs) {
  Gap gap;
  gap.wanted = needs.prev_events;
  std::vector<EventId> latest{arrival->event->id()};
  auto server = fetcher.servers().begin();
  for (int round = 0; round < gap_rounds && !gap.wanted.empty() && fetcher.may_ask(); ++round) {
    const auto head = engine_->store.head(fetcher.room());
    if (!head || !head->has_value()) break;
    auto earliest = (*head)->heads;
    if (earliest.size() > latest_per_round) earliest.resize(latest_per_round);
    auto pdus =
        engine_->context.remote.get_missing_events(*server, fetcher.room(), earliest, latest, gap_events_per_round, 0);
    fetcher.note_answer(*server, pdus);
    const std::size_t before = gap.events.size();
    if (pdus) {
      if (pdus->size() > gap_events_per_round) pdus->resize(gap_events_per_round);
      take_over(fetcher, gap, fetcher.verified(std::move(*pdus)));
    }
    if (gap.events.size() > before) {
      latest = edge_of(gap);
    } else if (++server == fetcher.servers().end()) {
      break;
    }
  }
  std::vector<EventPtr> before_gap;
  for (auto& [id, event] : gap.history) before_gap.push_back(std::move(event));
  place_history(*engine_, fetcher, std::move(before_gap), true);
  // What the gap begins with, by the state before it. Nothing says that anything accepted builds on it.
  if (gap.wanted.size() > holes_filled) gap.wanted.resize(holes_filled);
  for (const auto& hole : gap.wanted) {
    auto event = fetcher.event(hole);
    if (event) offer_fetching(fetcher, std::make_shared<Arrival>(Arrival{std::move(event), arrival->origin, {}}), true);
  }
  std::vector<EventPtr> events;
  for (auto& [id, event] : gap.events) events.push_back(std::move(event));
  for (auto& event : in_room_order(std::move(events))) {
    const auto between = std::make_shared<Arrival>(Arrival{std::move(event), arrival->origin, {}});
    offer_fetching(fetcher, between, true);
  }
}

}  // namespace skerry::homeserver
