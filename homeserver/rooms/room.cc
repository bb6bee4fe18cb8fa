#include "homeserver/rooms/room.h"

#include <algorithm>
#include <limits>

#include "core/state_forks.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t cached_events = 1'024;
constexpr std::size_t remembered_resolutions = 8;
constexpr std::size_t compared_forks = 4;
constexpr std::size_t near_enough = 4;  // changes

std::string transaction_key(const storage::ClientTransaction& transaction) {
  std::string key;
  for (const auto* part :
       {&transaction.user.str(), &transaction.device, &transaction.path, &transaction.transaction_id}) {
    key.append(*part).push_back('\0');
  }
  return key;
}

}  // namespace

void Residents::add(const UserId& user, const ServerName& us) {
  const ServerName server = user.server();
  if (++servers_[server] == 1) server_list_ = nullptr;
  if (server == us && local_users_.insert(user).second) local_list_ = nullptr;
}

void Residents::remove(const UserId& user, const ServerName& us) {
  const ServerName server = user.server();
  const auto found = servers_.find(server);
  if (found != servers_.end() && --found->second <= 0) {
    servers_.erase(found);
    server_list_ = nullptr;
  }
  if (server == us && local_users_.erase(user) > 0) local_list_ = nullptr;
}

std::shared_ptr<const std::vector<UserId>> Residents::local_users() const {
  if (!local_list_) {
    local_list_ = std::make_shared<const std::vector<UserId>>(local_users_.begin(), local_users_.end());
  }
  return local_list_;
}

std::shared_ptr<const std::vector<ServerName>> Residents::other_servers(const ServerName& us) const {
  if (!server_list_) {
    auto list = std::make_shared<std::vector<ServerName>>();
    list->reserve(servers_.size());
    for (const auto& [server, users] : servers_) {
      if (server != us) list->push_back(server);
    }
    server_list_ = std::move(list);
  }
  return server_list_;
}

Room::Room(storage::RoomStore& store, RoomId room_id, std::string room_version, const RoomRules& room_rules)
    : id(std::move(room_id)), version(std::move(room_version)), rules(room_rules), store_(store) {}

Result<std::shared_ptr<Room>> Room::load(storage::RoomStore& store, const RoomId& id, const ServerName& us) {
  const auto info = store.room(id);
  if (!info) return tl::make_unexpected(info.error());
  const auto head = store.head(id);
  if (!head) return tl::make_unexpected(head.error());
  if (!info->has_value() || !head->has_value()) return fail(ErrorCode::not_found, "this server knows no such room");
  const RoomRules* rules = find_room_rules((*info)->version);
  if (rules == nullptr) {
    return fail(ErrorCode::unsupported_room_version, "room version " + (*info)->version + " is not known here");
  }
  auto room = std::make_shared<Room>(store, id, (*info)->version, *rules);
  room->create = room->event((*info)->create_event);
  auto current = room->state((*head)->current_state);
  if (!current) return tl::make_unexpected(current.error());
  room->current = std::move(*current);
  for (const auto& head_id : (*head)->heads) {
    auto placed = room->placed(head_id);
    if (!placed) return tl::make_unexpected(placed.error());
    if (!placed->has_value()) return fail(ErrorCode::storage, "a head of room " + id.str() + " is not stored");
    room->heads.push_back(Head{head_id, (*placed)->event->depth(), (*placed)->after});
  }
  const auto members = store.members(id);
  if (!members) return tl::make_unexpected(members.error());
  for (const auto& member : *members) {
    if (member.membership == "join") room->residents.add(member.user, us);
  }
  if (auto trouble = room->take_trouble()) return tl::make_unexpected(*trouble);
  if (!room->create) return fail(ErrorCode::storage, "room " + id.str() + " has no create event");
  return room;
}

const Room::Cached* Room::find(const EventId& event_id) {
  if (const auto found = cache_.find(event_id); found != cache_.end()) return &found->second;
  auto stored = store_.event(event_id);
  if (!stored) {
    trouble_ = stored.error();
    return nullptr;
  }
  if (!stored->has_value()) return nullptr;
  cache((*stored)->event, (*stored)->judgement.verdict == Verdict::rejected);
  return &cache_.at(event_id);
}

EventPtr Room::event(const EventId& event_id) {
  if (const auto flying = in_flight_.find(event_id); flying != in_flight_.end()) return flying->second.event;
  const Cached* found = find(event_id);
  return found == nullptr ? nullptr : found->event;
}

bool Room::rejected(const EventId& event_id) {
  if (const auto flying = in_flight_.find(event_id); flying != in_flight_.end()) {
    return flying->second.judgement.verdict == Verdict::rejected;
  }
  const Cached* found = find(event_id);
  return found != nullptr && found->rejected;
}

CitingPage Room::citing(const EventId& event_id, std::int64_t from) {
  auto page = store_.citing(event_id, from);
  if (!page) {
    trouble_ = page.error();
    return {};
  }
  if (from != 0) return std::move(*page);
  const auto flying = citing_in_flight_.find(event_id);
  if (flying != citing_in_flight_.end()) {
    page->events.insert(page->events.begin(), flying->second.begin(), flying->second.end());
  }
  return std::move(*page);
}

void Room::cache(EventPtr event, bool was_rejected) {
  if (cache_.size() >= cached_events) cache_.clear();
  const EventId key = event->id();
  cache_.insert_or_assign(key, Cached{std::move(event), was_rejected});
}

EventPtr Room::state_event(const RoomState& state, std::string_view type, std::string_view state_key) {
  const EventId* found = state.find(type, state_key);
  return found == nullptr ? nullptr : event(*found);
}

std::string_view Room::membership(const RoomState& state, const UserId& user) {
  const EventPtr member = state_event(state, "m.room.member", user.str());
  return member ? member->membership() : std::string_view();
}

bool Room::was_one_of_us_in(const RoomState& state) {
  // Long stretches of history share one state.
  if (presence_.in == state.id() && presence_.now == current.id()) return presence_.here;
  const auto& users = *residents.local_users();
  presence_.here = std::any_of(users.begin(), users.end(), [&](const UserId& user) {
    const EventId* then = state.find("m.room.member", user.str());
    if (then == nullptr) return false;
    const EventId* now = current.find("m.room.member", user.str());
    return (now != nullptr && *now == *then) || membership(state, user) == "join";
  });
  presence_.in = state.id();
  presence_.now = current.id();
  return presence_.here;
}

Result<RoomState> Room::state(storage::StateId state_id) {
  if (state_id == 0) return RoomState();
  if (state_id == current.id()) return current;
  for (const auto& head : heads) {
    if (head.after.id() == state_id) return head.after;
  }
  auto map = store_.state(state_id);
  if (!map) return tl::make_unexpected(map.error());
  RoomState state(state_id, std::move(*map));
  return current.id() == 0 ? state : state.beside(current);
}

// As placed(), without the state before it: that may be another one to read.
Result<std::optional<RoomState>> Room::state_behind(const EventId& event_id) {
  if (const auto flying = in_flight_.find(event_id); flying != in_flight_.end()) {
    return std::optional(flying->second.after);
  }
  auto stored = store_.event(event_id);
  if (!stored) return tl::make_unexpected(stored.error());
  if (!stored->has_value() || (*stored)->outlier || (*stored)->event->room_id() != id)
    return std::optional<RoomState>();
  auto after = state((*stored)->state_after);
  if (!after) return tl::make_unexpected(after.error());
  return std::optional(std::move(*after));
}

Result<std::optional<Placed>> Room::placed(const EventId& event_id) {
  if (const auto flying = in_flight_.find(event_id); flying != in_flight_.end()) return std::optional(flying->second);
  auto stored = store_.event(event_id);
  if (!stored) return tl::make_unexpected(stored.error());
  if (!stored->has_value() || (*stored)->outlier || (*stored)->event->room_id() != id) return std::optional<Placed>();
  auto before = state((*stored)->state_before);
  if (!before) return tl::make_unexpected(before.error());
  auto after = (*stored)->state_after == before->id() ? before : state((*stored)->state_after);
  if (!after) return tl::make_unexpected(after.error());
  return std::optional(Placed{(*stored)->event, (*stored)->judgement, std::move(*before), std::move(*after)});
}

Result<std::optional<Judgement>> Room::judgement(const EventId& event_id) {
  if (const auto flying = in_flight_.find(event_id); flying != in_flight_.end()) {
    return std::optional(flying->second.judgement);
  }
  auto stored = store_.event(event_id);
  if (!stored) return tl::make_unexpected(stored.error());
  if (!stored->has_value() || (*stored)->outlier || (*stored)->event->room_id() != id)
    return std::optional<Judgement>();
  return std::optional((*stored)->judgement);
}

Result<bool> Room::is_behind_others(const EventId& event_id) const {
  if (parents_in_flight_.contains(event_id)) return true;
  return store_.is_backward_extremity(event_id);
}

Result<Room::StateOrNeeds> Room::state_before(const std::vector<EventId>& prev_events) {
  std::vector<RoomState> forks;
  Needs needs;
  for (const auto& prev : prev_events) {
    const auto head = std::find_if(heads.begin(), heads.end(), [&](const Head& known) { return known.id == prev; });
    if (head != heads.end()) {
      forks.push_back(head->after);
      continue;
    }
    auto known = state_behind(prev);
    if (!known) return tl::make_unexpected(known.error());
    if (known->has_value()) {
      forks.push_back(std::move(**known));
    } else {
      needs.prev_events.push_back(prev);
    }
  }
  if (!needs.prev_events.empty()) return StateOrNeeds(std::move(needs));
  return resolve(forks);
}

// REQUIRES: the forks are not all the same one. What was needed is known for being too much when `most_events` were
// looked at.
Result<Room::ResolutionOrNeeds> Room::resolution_of(const std::vector<RoomState>& forks, std::size_t most_events) {
  std::set<storage::StateId> ids;
  std::vector<StateFork> distinct;
  for (const auto& fork : forks) {
    if (ids.insert(fork.id()).second) distinct.push_back(fork.fork());
  }
  for (auto& known : resolutions_) {
    if (known.ids == ids) return ResolutionOrNeeds(&known);
  }
  std::size_t looked_at = 0;
  auto outcome = resolve_conflicts(
      rules, distinct, [&](const EventId& event_id) { return ++looked_at > most_events ? nullptr : event(event_id); },
      [this](const EventId& event_id) { return rejected(event_id); }, nullptr,
      [&](const EventId& event_id, std::int64_t from) {
        return ++looked_at > most_events ? CitingPage() : citing(event_id, from);
      });
  if (auto trouble = take_trouble()) return tl::make_unexpected(*trouble);
  if (looked_at > most_events) return ResolutionOrNeeds(Needs());
  if (auto* missing = std::get_if<Missing>(&outcome)) {
    Needs needs;
    needs.auth_events = std::move(missing->ids);
    return ResolutionOrNeeds(std::move(needs));
  }
  // The new state is told as its difference from the fork that is nearest to it, of a few.
  const RoomState* nearest = nullptr;
  StateChanges changes;
  for (std::size_t i = 0; i < std::min(forks.size(), compared_forks); ++i) {
    StateChanges from_fork;
    for (const auto& [key, event_id] : std::get<StateMap>(outcome)) {
      const EventId* there = forks[i].find(key.type, key.state_key);
      if (there == nullptr ? !event_id.empty() : *there != event_id) from_fork.emplace_back(key, event_id);
    }
    if (nearest != nullptr && from_fork.size() >= changes.size()) continue;
    nearest = &forks[i];
    changes = std::move(from_fork);
  }
  RoomState state = nearest->with(changes, nearest->id());
  // Forks out of the past are all far from it: then the room as it is now is nearer.
  if (changes.size() > near_enough) {
    auto from_now = difference(current, state);
    if (from_now.size() < changes.size()) {
      state = current.with(from_now, current.id());
      changes = std::move(from_now);
    }
  }
  resolutions_.push_front(Resolution{std::move(ids), std::move(state), std::move(changes)});
  if (resolutions_.size() > remembered_resolutions) resolutions_.pop_back();
  return ResolutionOrNeeds(&resolutions_.front());
}

Result<Room::StateOrNeeds> Room::resolve(const std::vector<RoomState>& forks) {
  if (forks.empty()) return StateOrNeeds(RoomState());
  const bool is_one =
      std::all_of(forks.begin(), forks.end(), [&](const RoomState& fork) { return fork.id() == forks.front().id(); });
  if (is_one) return StateOrNeeds(forks.front());
  auto found = resolution_of(forks, std::numeric_limits<std::size_t>::max());
  if (!found) return tl::make_unexpected(found.error());
  if (auto* needs = std::get_if<Needs>(&*found)) return StateOrNeeds(std::move(*needs));
  Resolution& resolution = *std::get<Resolution*>(*found);
  if (!resolution.unwritten.empty()) {
    const auto made = store_.make_state(id, resolution.state.id(), resolution.unwritten);
    if (!made) return tl::make_unexpected(made.error());
    resolution.state = resolution.state.with({}, *made);
    resolution.unwritten.clear();
  }
  return StateOrNeeds(resolution.state);
}

Result<std::optional<RoomState>> Room::current_informed_by(const RoomState& state, std::size_t most_events) {
  if (state.id() == current.id()) return std::optional(current);
  auto found = resolution_of({current, state}, most_events);
  if (!found) return tl::make_unexpected(found.error());
  auto* resolution = std::get_if<Resolution*>(&*found);
  return resolution == nullptr ? std::optional<RoomState>() : std::optional((*resolution)->state);
}

Result<RoomState> Room::state_after(const RoomState& before, const Event& event) {
  if (!event.is_state()) return before;
  const StateKey key{event.type(), *event.state_key()};
  const auto made = store_.make_state(id, before.id(), {{key, event.id()}});
  if (!made) return tl::make_unexpected(made.error());
  return before.with({{key, event.id()}}, *made);
}

void Room::remember(Placed placed) {
  const EventId event_id = placed.event->id();
  if (placed.judgement.verdict == Verdict::accepted) {
    for (const auto& parent : placed.event->prev_events()) ++parents_in_flight_[parent];
  }
  if (placed.event->is_state()) {
    for (const auto& cited : placed.event->auth_events()) citing_in_flight_[cited].push_back(event_id);
  }
  in_flight_.insert_or_assign(event_id, std::move(placed));
}

void Room::forget(const EventId& event_id) {
  if (const auto flying = in_flight_.extract(event_id)) {
    if (flying.mapped().judgement.verdict == Verdict::accepted) {
      for (const auto& parent : flying.mapped().event->prev_events()) {
        const auto found = parents_in_flight_.find(parent);
        if (found != parents_in_flight_.end() && --found->second == 0) parents_in_flight_.erase(found);
      }
    }
    for (const auto& cited : flying.mapped().event->auth_events()) {
      const auto found = citing_in_flight_.find(cited);
      if (found == citing_in_flight_.end()) continue;
      std::erase(found->second, event_id);
      if (found->second.empty()) citing_in_flight_.erase(found);
    }
  }
  if (const auto transaction = transaction_of_.extract(event_id)) transactions_.erase(transaction.mapped());
}

std::optional<EventId> Room::transaction_in_flight(const storage::ClientTransaction& transaction) const {
  const auto found = transactions_.find(transaction_key(transaction));
  return found == transactions_.end() ? std::nullopt : std::optional(found->second);
}

void Room::remember_transaction(const storage::ClientTransaction& transaction, const EventId& event) {
  std::string key = transaction_key(transaction);
  transactions_.emplace(key, event);
  transaction_of_.emplace(event, std::move(key));
}

std::optional<Error> Room::take_trouble() { return std::exchange(trouble_, std::nullopt); }

bool Room::unless_failed(const std::function<void()>& queue_commit) {
  const std::lock_guard lock(settlement_);
  if (failed_) return false;
  queue_commit();
  return true;
}

void Room::settle(const std::vector<EventId>& events, bool committed) {
  std::vector<std::function<void(bool)>> told;
  {
    const std::lock_guard lock(settlement_);
    if (!committed) failed_ = true;
    for (const auto& event_id : events) {
      settled_.push_back(event_id);
      if (auto waiting = waiters_.extract(event_id)) {
        told.insert(told.end(), waiting.mapped().begin(), waiting.mapped().end());
      }
    }
  }
  for (const auto& tell : told) tell(committed);
}

bool Room::wait_for(const EventId& event_id, std::function<void(bool)> told) {
  if (!in_flight_.contains(event_id)) return false;
  bool committed = true;
  {
    const std::lock_guard lock(settlement_);
    if (!failed_ && std::find(settled_.begin(), settled_.end(), event_id) == settled_.end()) {
      waiters_[event_id].push_back(std::move(told));
      return true;
    }
    committed = !failed_;
  }
  told(committed);
  return true;
}

bool Room::take_settled() {
  std::vector<EventId> committed;
  {
    const std::lock_guard lock(settlement_);
    if (failed_) return false;
    committed.swap(settled_);
  }
  for (const auto& event_id : committed) {
    const auto flying = in_flight_.find(event_id);
    if (flying != in_flight_.end()) cache(flying->second.event, flying->second.judgement.verdict == Verdict::rejected);
    forget(event_id);
  }
  return true;
}

}  // namespace skerry::homeserver
