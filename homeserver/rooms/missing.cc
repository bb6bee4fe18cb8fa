#include "homeserver/rooms/missing.h"

#include <algorithm>
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
  for (const auto& waiting : refused) waiting->answer(dropped("this server has too much to fetch"));
}

// True when nobody runs errands for the room yet.
bool MissingEvents::enqueue(const std::shared_ptr<Arrival>& arrival) {
  const std::lock_guard lock(mutex_);
  auto& queue = queues_[arrival->event->room_id()];
  if (queue.waiting.size() >= waiting_per_room) {
    arrival->answer(dropped("too many events of this room wait for others"));
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
  if (rules == nullptr || !joined) return arrival->answer(dropped("this server is not in the room"));
  std::vector<ServerName> servers{arrival->origin};
  for (auto& server : *joined) {
    if (servers.size() > other_servers) break;
    if (server != arrival->origin && server != engine_->context.us) servers.push_back(std::move(server));
  }
  Fetcher fetcher(*engine_, room, *rules, std::move(servers));
  const auto needs = offer_fetching(fetcher, arrival, false);
  if (!needs) return;
  if (needs->prev_events.empty()) return arrival->answer(dropped("events that it cites could not be got"));
  // What others here build on already is the past: it needs the state before it, not what lies between.
  const auto is_behind = engine_->in_turn<bool>(
      room, [&arrival](const std::shared_ptr<Room>& here) { return here->is_behind_others(arrival->event->id()); });
  if (is_behind && !*is_behind) fill_gap(fetcher, arrival, *needs);
  if (offer_fetching(fetcher, arrival, true)) arrival->answer(dropped("events before it could not be got"));
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
      arrival->answer(dropped(needs.error().text));
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

std::vector<EventId> MissingEvents::without_place(const RoomId& room_id, const std::vector<EventId>& ids) {
  auto missing = engine_->in_turn<std::vector<EventId>>(
      room_id, [&ids](const std::shared_ptr<Room>& room) -> Result<std::vector<EventId>> {
        std::vector<EventId> found;
        for (const auto& id : ids) {
          const auto known = room->judgement(id);
          if (!known) return tl::make_unexpected(known.error());
          if (!known->has_value()) found.push_back(id);
        }
        return found;
      });
  return missing ? std::move(*missing) : std::vector<EventId>();
}

// 'Backfilling and retrieving missing events': asks the origin for what lies between our heads and the event, until
// there is no gap or no progress; what is before that is placed as history, with its state; then all of it is offered,
// oldest first.
void MissingEvents::fill_gap(Fetcher& fetcher, const std::shared_ptr<Arrival>& arrival, const Needs& needs) {
  std::unordered_map<EventId, EventPtr> gap;
  std::vector<EventId> wanted = needs.prev_events;
  std::vector<EventId> latest{arrival->event->id()};
  for (int round = 0; round < gap_rounds && !wanted.empty() && fetcher.may_ask(); ++round) {
    const auto head = engine_->store.head(fetcher.room());
    if (!head || !head->has_value()) break;
    auto earliest = (*head)->heads;
    if (earliest.size() > latest_per_round) earliest.resize(latest_per_round);
    auto pdus = engine_->context.remote.get_missing_events(arrival->origin, fetcher.room(), earliest, latest,
                                                           gap_events_per_round, 0);
    if (!pdus) break;
    if (pdus->size() > gap_events_per_round) pdus->resize(gap_events_per_round);
    const auto brought = connected(wanted, fetcher.verified(std::move(*pdus)));
    const std::size_t before = gap.size();
    std::vector<EventId> named = wanted;
    for (const auto& event : brought) {
      gap.emplace(event->id(), event);
      named.insert(named.end(), event->prev_events().begin(), event->prev_events().end());
    }
    std::erase_if(named, [&gap](const EventId& id) { return gap.contains(id); });
    std::sort(named.begin(), named.end());
    named.erase(std::unique(named.begin(), named.end()), named.end());
    wanted = without_place(fetcher.room(), named);
    if (gap.size() == before) break;
    latest.clear();
    for (const auto& [id, event] : gap) {
      const auto& prev = event->prev_events();
      const bool open = std::any_of(prev.begin(), prev.end(), [&wanted](const EventId& parent) {
        return std::find(wanted.begin(), wanted.end(), parent) != wanted.end();
      });
      if (open && latest.size() < latest_per_round) latest.push_back(id);
    }
  }
  std::vector<EventPtr> before_gap;
  for (const auto& hole : wanted) {
    if (before_gap.size() >= holes_filled) break;
    if (auto event = fetcher.event(hole)) before_gap.push_back(std::move(event));
  }
  place_history(*engine_, fetcher, std::move(before_gap));
  std::vector<EventPtr> events;
  for (auto& [id, event] : gap) events.push_back(std::move(event));
  for (auto& event : in_room_order(std::move(events))) {
    const auto between = std::make_shared<Arrival>(Arrival{std::move(event), arrival->origin, {}});
    offer_fetching(fetcher, between, true);
  }
}

}  // namespace skerry::homeserver
