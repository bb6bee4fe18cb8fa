#include "tests/homeserver/memory_rooms.h"

#include <algorithm>

namespace skerry::test {

using storage::EventCommit;
using storage::StoredEvent;
using storage::StreamPosition;

namespace {

std::string key_of_transaction(const storage::ClientTransaction& t) {
  return t.user.str() + '\n' + t.device + '\n' + t.path + '\n' + t.transaction_id;
}

}  // namespace

MemoryRooms::MemoryRooms() {
  states_[0] = std::make_shared<const StateMap>();
  writer_ = std::thread([this] { write(); });
}

MemoryRooms::~MemoryRooms() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    held_ = false;
  }
  changed_.notify_all();
  writer_.join();
}

void MemoryRooms::hold() {
  const std::lock_guard lock(mutex_);
  held_ = true;
}

void MemoryRooms::let_go() {
  const std::lock_guard lock(mutex_);
  held_ = false;
  changed_.notify_all();
}

void MemoryRooms::fail_next_job() {
  const std::lock_guard lock(mutex_);
  fail_next_ = true;
}

std::size_t MemoryRooms::queued() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

std::size_t MemoryRooms::states_made() const {
  const std::lock_guard lock(mutex_);
  return states_.size();
}

std::vector<MemoryRooms::Distributed> MemoryRooms::distributed() const {
  const std::lock_guard lock(mutex_);
  return distributed_;
}

void MemoryRooms::write() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopped_ || (!held_ && !jobs_.empty()); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    if (std::exchange(fail_next_, false)) job.poisoned = true;
    if (!job.poisoned) {
      for (const auto& commit : job.commits) apply(commit);
    }
    Result<StreamPosition> result = position_;
    if (job.poisoned) result = fail(ErrorCode::storage, "the disk is full");
    lock.unlock();
    job.done(std::move(result));
    lock.lock();
    if (!job.poisoned) continue;
    for (auto& later : jobs_) later.poisoned = later.poisoned || later.room == job.room;
  }
}

void MemoryRooms::apply(const EventCommit& commit) {
  const EventId id = commit.event->id();
  const auto known = events_.find(id);
  if (known != events_.end() && (commit.outlier || !known->second.outlier)) return;
  StoredEvent stored;
  stored.event = commit.event;
  stored.judgement = commit.judgement;
  stored.outlier = commit.outlier;
  if (!commit.outlier && !commit.backfilled) stored.position = ++position_;
  stored.topological = {commit.event->depth(), stored.position ? *stored.position : --backfilled_};
  stored.state_before = commit.state_before;
  stored.state_after = commit.state_after.value_or(commit.state_before);
  stored.redacted_by = commit.redacted_by;
  if (commit.transaction) {
    stored.transaction_id = commit.transaction->transaction_id;
    stored.transaction_device = commit.transaction->device;
    transactions_[key_of_transaction(*commit.transaction)] = id;
  }
  events_[id] = std::move(stored);
  const RoomRules* rules = find_room_rules(commit.room_version);
  const EventId redacts = commit.event->redacts(*rules);
  if (commit.judgement.verdict == Verdict::accepted && !commit.outlier && !redacts.empty()) {
    redactions_[redacts].push_back(id);
  }
  if (commit.redacts && events_.contains(*commit.redacts)) events_[*commit.redacts].redacted_by = id;
  std::set<ServerName> owed = servers_of(commit.event->room_id());  // the servers that this event takes out included
  apply_to_room(commit);
  owed.merge(servers_of(commit.event->room_id()));
  if (commit.distribute) distributed_.push_back({commit.event, std::move(owed)});
}

std::set<ServerName> MemoryRooms::servers_of(const RoomId& room) const {
  std::set<ServerName> servers;
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return servers;
  for (const auto& [user, member] : found->second.members) {
    if (member.membership == "join") servers.insert(user.server());
  }
  return servers;
}

void MemoryRooms::apply_to_room(const EventCommit& commit) {
  const RoomId id = commit.event->room_id();
  const auto [entry, is_new] = rooms_.try_emplace(id);
  auto& stored = entry->second;
  if (is_new) {
    stored.info.room = id;
    stored.info.version = commit.room_version;
  }
  if (commit.event->is_state("m.room.create", "")) stored.info.create_event = commit.event->id();
  if (!commit.heads) return;
  stored.head.heads = *commit.heads;
  stored.head.current_state = commit.current_state.value_or(commit.state_after.value_or(0));
  stored.head.depth = 0;
  for (const auto& head : *commit.heads)
    stored.head.depth = std::max(stored.head.depth, events_.at(head).event->depth());
  for (const auto& [key, event] : commit.current_state_delta) {
    stored.changes.push_back({position_, {key, event}});
    if (key.type != "m.room.member") continue;
    const auto user = UserId::parse(key.state_key);
    if (!user) continue;
    if (event.empty()) {
      stored.members.erase(*user);
      continue;
    }
    const auto membership = std::string(events_.at(event).event->membership());
    stored.members[*user] = storage::Membership{id, *user, membership, event, position_, false};
  }
}

void MemoryRooms::commit(EventCommit commit, storage::Committed done) {
  std::vector<EventCommit> commits;
  commits.push_back(std::move(commit));
  commit_all(std::move(commits), std::move(done));
}

void MemoryRooms::commit_all(std::vector<EventCommit> commits, storage::Committed done) {
  const std::lock_guard lock(mutex_);
  const RoomId room = commits.front().event->room_id();
  jobs_.push_back(Job{room, std::move(commits), std::move(done), false});
  changed_.notify_all();
}

Result<storage::StateId> MemoryRooms::make_state(const RoomId&, storage::StateId base,
                                                 const std::vector<std::pair<StateKey, EventId>>& changes) {
  const std::lock_guard lock(mutex_);
  auto state = std::make_shared<StateMap>(*states_.at(base));
  for (const auto& [key, event] : changes) {
    if (event.empty()) {
      state->erase(key);
    } else {
      (*state)[key] = event;
    }
  }
  states_[++last_state_] = std::move(state);
  return last_state_;
}

Result<storage::StateId> MemoryRooms::store_state(const RoomId&, const StateMap& state) {
  const std::lock_guard lock(mutex_);
  states_[++last_state_] = std::make_shared<const StateMap>(state);
  return last_state_;
}

Result<StreamPosition> MemoryRooms::save_stripped_invite(storage::StrippedInvite invite) {
  const std::lock_guard lock(mutex_);
  invite.position = ++position_;
  const std::pair key(invite.user, invite.room);
  invites_[key] = std::move(invite);
  return position_;
}

Result<StreamPosition> MemoryRooms::remove_stripped_invite(const RoomId& room, const UserId& user) {
  const std::lock_guard lock(mutex_);
  invites_.erase({user, room});
  return ++position_;
}

Result<StreamPosition> MemoryRooms::forget(const RoomId& room, const UserId& user) {
  const std::lock_guard lock(mutex_);
  rooms_.at(room).members.at(user).forgotten = true;
  return ++position_;
}

Result<void> MemoryRooms::set_published(const RoomId& room, bool published) {
  const std::lock_guard lock(mutex_);
  rooms_.at(room).info.published = published;
  return {};
}

Result<void> MemoryRooms::add_alias(const RoomAlias& alias, const RoomId& room, const UserId& creator) {
  const std::lock_guard lock(mutex_);
  if (aliases_.contains(alias)) return fail(ErrorCode::room_in_use, "taken");
  aliases_[alias] = Alias{alias, creator};
  alias_rooms_[alias] = room;
  return {};
}

Result<void> MemoryRooms::remove_alias(const RoomAlias& alias) {
  const std::lock_guard lock(mutex_);
  alias_rooms_.erase(alias);
  if (aliases_.erase(alias) == 0) return fail(ErrorCode::not_found, "no such alias");
  return {};
}

Result<std::optional<StoredEvent>> MemoryRooms::event(const EventId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = events_.find(id);
  return found == events_.end() ? std::optional<StoredEvent>() : std::optional(found->second);
}

Result<std::vector<StoredEvent>> MemoryRooms::events(const std::vector<EventId>& ids) {
  const std::lock_guard lock(mutex_);
  std::vector<StoredEvent> found;
  for (const auto& id : ids) {
    if (const auto known = events_.find(id); known != events_.end()) found.push_back(known->second);
  }
  return found;
}

Result<std::vector<EventId>> MemoryRooms::absent(const std::vector<EventId>& ids) {
  const std::lock_guard lock(mutex_);
  std::vector<EventId> missing;
  for (const auto& id : ids) {
    if (!events_.contains(id)) missing.push_back(id);
  }
  return missing;
}

Result<storage::RoomStore::Page> MemoryRooms::live_events(const RoomId& room, StreamPosition from, StreamPosition to,
                                                          std::size_t limit, bool newest) {
  const std::lock_guard lock(mutex_);
  Page page;
  for (const auto& [id, stored] : events_) {
    const bool shown = stored.position && stored.judgement.verdict == Verdict::accepted;
    if (shown && stored.event->room_id() == room && *stored.position > from && *stored.position <= to) {
      page.events.push_back(stored);
    }
  }
  std::sort(page.events.begin(), page.events.end(),
            [](const StoredEvent& a, const StoredEvent& b) { return *a.position < *b.position; });
  page.limited = page.events.size() > limit;
  if (page.limited && newest)
    page.events.erase(page.events.begin(), page.events.end() - static_cast<std::ptrdiff_t>(limit));
  if (page.limited && !newest) page.events.resize(limit);
  return page;
}

Result<std::vector<StoredEvent>> MemoryRooms::history(const RoomId& room, storage::TopologicalPosition from,
                                                      bool backwards, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  std::vector<StoredEvent> found;
  for (const auto& [id, stored] : events_) {
    if (stored.outlier || stored.judgement.verdict != Verdict::accepted || stored.event->room_id() != room) continue;
    if (backwards ? stored.topological < from : from < stored.topological) found.push_back(stored);
  }
  std::sort(found.begin(), found.end(), [&](const StoredEvent& a, const StoredEvent& b) {
    return backwards ? b.topological < a.topological : a.topological < b.topological;
  });
  if (found.size() > limit) found.resize(limit);
  return found;
}

Result<storage::TopologicalPosition> MemoryRooms::topological_at(const RoomId&, StreamPosition position) {
  return storage::TopologicalPosition{INT64_MAX, position};
}

Result<std::vector<EventId>> MemoryRooms::backward_extremities(const RoomId& room, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  std::set<EventId> found;
  for (const auto& [id, stored] : events_) {
    if (stored.outlier || stored.event->room_id() != room) continue;
    for (const auto& prev : stored.event->prev_events()) {
      const auto known = events_.find(prev);
      if (known == events_.end() || known->second.outlier) found.insert(prev);
    }
  }
  std::vector<EventId> list(found.begin(), found.end());
  if (list.size() > limit) list.resize(limit);
  return list;
}

Result<bool> MemoryRooms::has_children(const EventId& id) {
  const std::lock_guard lock(mutex_);
  return std::any_of(events_.begin(), events_.end(), [&id](const auto& entry) {
    const auto& prev = entry.second.event->prev_events();
    return !entry.second.outlier && std::find(prev.begin(), prev.end(), id) != prev.end();
  });
}

Result<std::optional<EventId>> MemoryRooms::transaction_event(const storage::ClientTransaction& transaction) {
  const std::lock_guard lock(mutex_);
  const auto found = transactions_.find(key_of_transaction(transaction));
  return found == transactions_.end() ? std::optional<EventId>() : std::optional(found->second);
}

Result<std::vector<EventId>> MemoryRooms::redactions_of(const EventId& target) {
  const std::lock_guard lock(mutex_);
  const auto found = redactions_.find(target);
  return found == redactions_.end() ? std::vector<EventId>() : found->second;
}

Result<StatePtr> MemoryRooms::state(storage::StateId id) {
  const std::lock_guard lock(mutex_);
  const auto found = states_.find(id);
  if (found == states_.end()) return fail(ErrorCode::storage, "no such state");
  return found->second;
}

Result<std::optional<EventId>> MemoryRooms::state_event(storage::StateId id, const StateKey& key) {
  const std::lock_guard lock(mutex_);
  const auto& map = *states_.at(id);
  const auto found = map.find(key);
  return found == map.end() ? std::optional<EventId>() : std::optional(found->second);
}

Result<std::vector<EventId>> MemoryRooms::auth_chain(const std::vector<EventId>& ids) {
  const std::lock_guard lock(mutex_);
  std::set<EventId> found;
  std::vector<EventId> open = ids;
  while (!open.empty()) {
    const auto known = events_.find(open.back());
    open.pop_back();
    if (known == events_.end()) continue;
    for (const auto& cited : known->second.event->auth_events()) {
      if (events_.contains(cited) && found.insert(cited).second) open.push_back(cited);
    }
  }
  for (const auto& id : ids) found.erase(id);
  return std::vector<EventId>(found.begin(), found.end());
}

Result<std::optional<storage::RoomInfo>> MemoryRooms::room(const RoomId& room) {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  return found == rooms_.end() ? std::optional<storage::RoomInfo>() : std::optional(found->second.info);
}

Result<std::optional<storage::RoomHead>> MemoryRooms::head(const RoomId& room) {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  if (found == rooms_.end() || found->second.head.heads.empty()) return std::optional<storage::RoomHead>();
  return std::optional(found->second.head);
}

Result<std::vector<RoomId>> MemoryRooms::rooms() {
  const std::lock_guard lock(mutex_);
  std::vector<RoomId> list;
  for (const auto& [id, stored] : rooms_) list.push_back(id);
  return list;
}

Result<std::vector<RoomId>> MemoryRooms::published_rooms() {
  const std::lock_guard lock(mutex_);
  std::vector<RoomId> list;
  for (const auto& [id, stored] : rooms_) {
    if (stored.info.published) list.push_back(id);
  }
  return list;
}

Result<std::optional<RoomId>> MemoryRooms::resolve_alias(const RoomAlias& alias) {
  const std::lock_guard lock(mutex_);
  const auto found = alias_rooms_.find(alias);
  return found == alias_rooms_.end() ? std::optional<RoomId>() : std::optional(found->second);
}

Result<std::vector<storage::RoomStore::Alias>> MemoryRooms::aliases(const RoomId& room) {
  const std::lock_guard lock(mutex_);
  std::vector<Alias> list;
  for (const auto& [alias, entry] : aliases_) {
    if (alias_rooms_.at(alias) == room) list.push_back(entry);
  }
  return list;
}

Result<std::vector<storage::Membership>> MemoryRooms::memberships_of(const UserId& user) {
  const std::lock_guard lock(mutex_);
  std::vector<storage::Membership> list;
  for (const auto& [id, stored] : rooms_) {
    if (const auto found = stored.members.find(user); found != stored.members.end()) list.push_back(found->second);
  }
  return list;
}

Result<std::optional<storage::Membership>> MemoryRooms::membership(const RoomId& room, const UserId& user) {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return std::optional<storage::Membership>();
  const auto member = found->second.members.find(user);
  return member == found->second.members.end() ? std::optional<storage::Membership>() : std::optional(member->second);
}

Result<std::vector<storage::Membership>> MemoryRooms::members(const RoomId& room) {
  const std::lock_guard lock(mutex_);
  std::vector<storage::Membership> list;
  if (const auto found = rooms_.find(room); found != rooms_.end()) {
    for (const auto& [user, member] : found->second.members) list.push_back(member);
  }
  return list;
}

Result<std::vector<ServerName>> MemoryRooms::joined_servers(const RoomId& room) {
  std::set<ServerName> servers;
  const auto all = members(room);
  for (const auto& member : *all) {
    if (member.membership == "join") servers.insert(member.user.server());
  }
  return std::vector<ServerName>(servers.begin(), servers.end());
}

Result<std::vector<UserId>> MemoryRooms::joined_local_users(const RoomId& room) {
  std::vector<UserId> users;
  const auto all = members(room);
  for (const auto& member : *all) {
    if (member.membership == "join" && member.user.server() == us) users.push_back(member.user);
  }
  return users;
}

Result<std::vector<storage::StrippedInvite>> MemoryRooms::stripped_invites(const UserId& user) {
  const std::lock_guard lock(mutex_);
  std::vector<storage::StrippedInvite> list;
  for (const auto& [key, invite] : invites_) {
    if (key.first == user) list.push_back(invite);
  }
  return list;
}

Result<std::vector<std::pair<StateKey, EventId>>> MemoryRooms::state_changes(const RoomId& room, StreamPosition from,
                                                                             StreamPosition to) {
  const std::lock_guard lock(mutex_);
  std::map<StateKey, EventId> newest;
  if (const auto found = rooms_.find(room); found != rooms_.end()) {
    for (const auto& [position, change] : found->second.changes) {
      if (position > from && position <= to) newest[change.first] = change.second;
    }
  }
  return std::vector<std::pair<StateKey, EventId>>(newest.begin(), newest.end());
}

}  // namespace skerry::test
