#include "homeserver/rooms/history.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/admit.h"

namespace skerry::homeserver {

namespace {

constexpr int placing_attempts = 4;
constexpr int states_per_stretch = 10;  // places whose state has to be asked for
constexpr std::size_t extremities_asked = 20;
constexpr std::size_t servers_asked = 4;
constexpr std::size_t max_backfill = 500;  // events in one answer

// Places one event in the turn, or says what that needs. History is judged by its own past only (steps 4 and 5).
Result<std::optional<Needs>> place(Engine& engine, const std::shared_ptr<Room>& room, const EventPtr& event,
                                   const std::optional<RoomState>& state, bool was_missed,
                                   std::optional<Answer<storage::StreamPosition>>& last_commit) {
  const auto known = room->judgement(event->id());
  if (!known) return tl::make_unexpected(known.error());
  if (known->has_value()) return std::optional<Needs>();
  auto outcome = admit(*room, event, state, JudgedBy::past);
  if (!outcome) return tl::make_unexpected(outcome.error());
  if (auto* needs = std::get_if<Needs>(&*outcome)) return std::optional(std::move(*needs));
  auto& admission = std::get<Admission>(*outcome);
  if (!admission.before) return std::optional(Needs{{}, event->prev_events()});
  Result<RoomState> after = *admission.before;
  if (admission.judgement.verdict == Verdict::accepted) after = room->state_after(*admission.before, *event);
  if (!after) return tl::make_unexpected(after.error());
  CommitOptions options;
  options.standing = was_missed && room->was_one_of_us_in(*admission.before) ? Standing::late : Standing::history;
  Placed placed{event, std::move(admission.judgement), std::move(*admission.before), std::move(*after)};
  engine.commit(room, std::move(placed), std::move(options), last_commit.emplace().giver());
  return std::optional<Needs>();
}

// True when the event has a place.
bool fetch_and_place(Engine& engine, Fetcher& fetcher, const EventPtr& event, bool was_missed, int& states_left,
                     std::optional<Answer<storage::StreamPosition>>& last_commit) {
  std::optional<RoomState> state;
  for (int attempt = 0; attempt < placing_attempts; ++attempt) {
    auto needs = engine.in_turn<std::optional<Needs>>(fetcher.room(), [&](const std::shared_ptr<Room>& room) {
      return place(engine, room, event, state, was_missed, last_commit);
    });
    if (!needs) return false;
    if (!needs->has_value()) return true;
    const auto& needed = **needs;
    if (!needed.auth_events.empty()) {
      if (!fetcher.fetch_auth_events(event->id(), needed.auth_events)) return false;
      continue;
    }
    if (states_left-- <= 0) return false;
    auto fetched = fetcher.fetch_state_before(event->id());
    if (!fetched) return false;
    state = std::move(*fetched);
  }
  return false;
}

}  // namespace

std::vector<EventPtr> connected(const std::vector<EventId>& wanted, const std::vector<EventPtr>& events) {
  std::unordered_map<EventId, EventPtr> by_id;
  for (const auto& event : events) by_id.emplace(event->id(), event);
  std::vector<EventId> open = wanted;
  std::vector<EventPtr> found;
  while (!open.empty()) {
    const auto taken = by_id.extract(open.back());
    open.pop_back();
    if (taken.empty()) continue;
    open.insert(open.end(), taken.mapped()->prev_events().begin(), taken.mapped()->prev_events().end());
    found.push_back(taken.mapped());
  }
  return found;
}

std::size_t place_history(Engine& engine, Fetcher& fetcher, std::vector<EventPtr> events, bool was_missed) {
  int states_left = states_per_stretch;
  std::size_t placed = 0;
  std::optional<Answer<storage::StreamPosition>> last_commit;
  for (const auto& event : in_room_order(std::move(events))) {
    if (fetch_and_place(engine, fetcher, event, was_missed, states_left, last_commit)) ++placed;
  }
  // Commits are written in order: with the last one, all can be read.
  if (last_commit) (void)last_commit->wait();
  return placed;
}

Result<bool> Backfiller::backfill(Engine& engine, const RoomId& room, std::size_t limit) {
  {
    std::unique_lock lock(mutex_);
    if (!under_way_.insert(room).second) {
      ended_.wait(lock, [&] { return !under_way_.contains(room); });
      return true;  // another caller brought something, or found nothing: the store tells
    }
  }
  auto result = ask_servers(engine, room, std::clamp<std::size_t>(limit, 1, max_backfill));
  const std::lock_guard lock(mutex_);
  under_way_.erase(room);
  ended_.notify_all();
  return result;
}

Result<bool> Backfiller::ask_servers(Engine& engine, const RoomId& room, std::size_t limit) {
  const auto extremities = engine.store.backward_extremities(room, extremities_asked);
  if (!extremities) return tl::make_unexpected(extremities.error());
  if (extremities->empty()) return false;
  const RoomRules* rules = engine.rules_of(room);
  if (rules == nullptr) return fail(ErrorCode::not_found, "this server knows no room " + room.str());
  auto servers = engine.store.joined_servers(room);
  if (!servers) return tl::make_unexpected(servers.error());
  std::erase(*servers, engine.context.us);
  if (servers->size() > servers_asked) servers->resize(servers_asked);
  for (std::size_t i = 0; i < servers->size(); ++i) {
    // The server that gave the events is asked first for what they need.
    std::vector<ServerName> order = *servers;
    std::rotate(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(i), order.end());
    Fetcher fetcher(engine, room, *rules, order);
    if (!fetcher.may_ask()) break;
    auto pdus = engine.context.remote.backfill(order.front(), room, *extremities, limit);
    if (!pdus) continue;
    if (pdus->size() > max_backfill) pdus->resize(max_backfill);
    auto events = connected(*extremities, fetcher.verified(std::move(*pdus)));
    if (place_history(engine, fetcher, std::move(events), false) > 0) return true;
  }
  return false;
}

}  // namespace skerry::homeserver
