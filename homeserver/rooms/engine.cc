#include "homeserver/rooms/engine.h"

#include <algorithm>

#include "homeserver/rooms/admit.h"
#include "net/log.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t rooms_in_memory = 512;
constexpr std::size_t remembered_rules = 100'000;

// A list with some more entries; the list itself when there are none.
template <class T>
std::shared_ptr<const std::vector<T>> joined_lists(std::shared_ptr<const std::vector<T>> list,
                                                   const std::vector<T>& more) {
  std::shared_ptr<std::vector<T>> longer;
  for (const auto& entry : more) {
    const auto& so_far = longer ? *longer : *list;
    if (std::find(so_far.begin(), so_far.end(), entry) != so_far.end()) continue;
    if (!longer) longer = std::make_shared<std::vector<T>>(*list);
    longer->push_back(entry);
  }
  if (longer) return longer;
  return list;
}

}  // namespace

Engine::Engine(PipelineContext pipeline_context)
    : context(std::move(pipeline_context)), store(context.database.rooms()), turns_(context.turns) {}

void Engine::post(const RoomId& room, std::function<void()> turn, const std::function<void(Error)>& refused) {
  if (!turns_.post(room, std::move(turn))) {
    refused(Error{closed_ ? ErrorCode::cancelled : ErrorCode::limit_exceeded, "this server has too much to do"});
  }
}

Result<std::shared_ptr<Room>> Engine::open(const RoomId& id) {
  std::shared_ptr<Room> room;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = rooms_.find(id); found != rooms_.end()) {
      by_use_.splice(by_use_.begin(), by_use_, found->second.used);
      room = found->second.room;
    }
  }
  if (room && room->take_settled()) return room;
  if (room) forget(id);  // a commit failed: what is in memory was never stored
  auto loaded = Room::load(store, id, context.us);
  if (!loaded) return loaded;
  const std::lock_guard lock(mutex_);
  by_use_.push_front(id);
  rooms_.insert_or_assign(id, Entry{*loaded, by_use_.begin()});
  shrink();
  return loaded;
}

// REQUIRES: mutex_ is held. A room that a turn works on, or that has commits under way, is in use.
void Engine::shrink() {
  for (auto oldest = by_use_.end(); rooms_.size() > rooms_in_memory && oldest != by_use_.begin();) {
    --oldest;
    const auto found = rooms_.find(*oldest);
    if (found->second.room.use_count() > 1) continue;
    rooms_.erase(found);
    oldest = by_use_.erase(oldest);
  }
}

void Engine::forget(const RoomId& id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = rooms_.find(id); found != rooms_.end()) {
    by_use_.erase(found->second.used);
    rooms_.erase(found);
  }
}

const RoomRules* Engine::rules_of(const RoomId& room) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = rules_.find(room); found != rules_.end()) return found->second;
  }
  const auto info = store.room(room);
  if (!info || !info->has_value()) return nullptr;
  const RoomRules* rules = find_room_rules((*info)->version);
  if (rules == nullptr) return nullptr;
  const std::lock_guard lock(mutex_);
  if (rules_.size() >= remembered_rules) rules_.clear();
  rules_.emplace(room, rules);
  return rules;
}

// What an accepted event of the live stream does to heads, current state and residents. One that comes late is no head,
// but those that it names are none any more either.
Result<void> Engine::extend(const std::shared_ptr<Room>& room, const Placed& placed, Standing standing,
                            Prepared& prepared) {
  const Event& event = *placed.event;
  std::vector<Head> heads;
  for (const auto& head : room->heads) {
    const auto& prev = event.prev_events();
    if (std::find(prev.begin(), prev.end(), head.id) == prev.end()) heads.push_back(head);
  }
  if (standing == Standing::newest || heads.empty()) heads.push_back(Head{event.id(), event.depth(), placed.after});

  std::vector<RoomState> forks;
  for (const auto& head : heads) forks.push_back(head.after);
  auto resolved = room->resolve(forks);
  if (!resolved) return tl::make_unexpected(resolved.error());
  if (std::holds_alternative<Needs>(*resolved)) {
    return fail(ErrorCode::storage, "auth events of stored state are absent in room " + room->id.str());
  }
  const RoomState next = std::move(std::get<RoomState>(*resolved));

  auto& delta = prepared.commit.current_state_delta;
  if (next.id() == room->current.id()) {
    // nothing changed
  } else if (next.id() == placed.after.id() && room->current.id() == placed.before.id()) {
    delta.emplace_back(StateKey{event.type(), *event.state_key()}, event.id());
  } else {
    delta = difference(room->current, next);
  }
  const auto servers_before = room->residents.other_servers(context.us);
  std::vector<UserId> came;
  std::vector<UserId> went;
  std::vector<UserId> affected;
  std::vector<ServerName> told;  // that an invitation or a knock is over
  for (const auto& [key, id] : delta) {
    if (key.type != "m.room.member") continue;
    const auto user = UserId::parse(key.state_key);
    if (!user) continue;
    const std::string before(room->membership(room->current, *user));
    const bool was_joined = before == "join";
    const bool is_joined = room->membership(next, *user) == "join";
    if (was_joined && !is_joined) went.push_back(*user);
    if (!was_joined && is_joined) came.push_back(*user);
    if (user->server() == context.us) affected.push_back(*user);
    const bool is_end = !is_joined && (before == "invite" || before == "knock");
    const bool is_told = user->server() != context.us && event.sender().server() == context.us && id == event.id();
    if (is_end && is_told) told.push_back(user->server());
  }
  if (auto trouble = room->take_trouble()) return tl::make_unexpected(*trouble);

  // Nothing fails from here on.
  for (const auto& user : came) room->residents.add(user, context.us);
  for (const auto& user : went) room->residents.remove(user, context.us);
  prepared.concerned = joined_lists(room->residents.local_users(), affected);
  prepared.servers = joined_lists(room->residents.other_servers(context.us), *servers_before);
  prepared.servers = joined_lists(prepared.servers, told);
  prepared.commit.heads.emplace();
  for (const auto& head : heads) prepared.commit.heads->push_back(head.id);
  prepared.commit.current_state = next.id();
  // Heads that share the current state's base are what makes the next resolution cheap.
  const bool is_other_base = next.fork().base != room->current.fork().base;
  for (auto& head : heads) {
    if (is_other_base || head.id == event.id()) head.after = head.after.beside(next);
  }
  room->heads = std::move(heads);
  room->current = next;
  return {};
}

// Either side of a redaction may come first: the redaction looks for its event, and a new event for redactions of it.
void Engine::redact(Room& room, const Placed& placed, bool is_new, storage::EventCommit& commit) {
  const Event& event = *placed.event;
  if (const EventId& id = event.redacts(room.rules); !id.empty()) {
    const EventPtr target = room.event(id);
    const bool is_of_room = !target || target->room_id() == room.id;
    if (is_of_room && redaction_applies(room, event, target.get(), placed.before)) commit.redacts = id;
  }
  if (is_new) return;
  const auto redactions = store.redactions_of(event.id());
  if (!redactions) return;
  for (const auto& id : *redactions) {
    const auto redaction = room.placed(id);
    if (!redaction || !redaction->has_value()) continue;
    if (!redaction_applies(room, *(*redaction)->event, &event, (*redaction)->before)) continue;
    commit.redacted_by = id;
    return;
  }
}

Result<Engine::Prepared> Engine::prepare(const std::shared_ptr<Room>& room, Placed placed, CommitOptions options) {
  Prepared prepared;
  auto& commit = prepared.commit;
  commit.event = placed.event;
  commit.room_version = room->version;
  commit.judgement = placed.judgement;
  commit.backfilled = options.standing == Standing::history;
  commit.state_before = placed.before.id();
  commit.state_after = placed.after.id();
  commit.distribute = options.distribute;
  prepared.concerned = std::make_shared<const std::vector<UserId>>();
  prepared.servers = std::make_shared<const std::vector<ServerName>>();
  room->remember(placed);
  if (options.transaction) room->remember_transaction(*options.transaction, placed.event->id());
  if (placed.judgement.verdict == Verdict::accepted) {
    const bool is_ours = placed.event->sender().server() == context.us;
    redact(*room, placed, is_ours && options.standing == Standing::newest, commit);
    if (options.standing != Standing::history) {
      if (auto extended = extend(room, placed, options.standing, prepared); !extended) {
        room->forget(placed.event->id());
        return tl::make_unexpected(extended.error());
      }
    }
  }
  commit.transaction = std::move(options.transaction);
  return prepared;
}

void Engine::tell(storage::StreamPosition position, const Prepared& prepared) {
  if (closed_) return;
  if (!prepared.concerned->empty()) {
    context.notify(position, *prepared.concerned, prepared.commit.event->room_id());
  }
  if (prepared.commit.distribute && !prepared.servers->empty()) context.wake_outbox(*prepared.servers);
}

void Engine::commit(const std::shared_ptr<Room>& room, Placed placed, CommitOptions options, CommitDone done) {
  auto made = prepare(room, std::move(placed), std::move(options));
  if (!made) {
    done(tl::make_unexpected(made.error()));
    return;
  }
  auto prepared = std::make_shared<Prepared>(std::move(*made));
  const bool queued = room->unless_failed([&] {
    store.commit(prepared->commit,
                 [self = shared_from_this(), room, prepared, done](Result<storage::StreamPosition> position) {
                   if (!position) log::error("rooms", "an event could not be stored: " + position.error().text);
                   room->settle({prepared->commit.event->id()}, position.has_value());
                   // The sender first: clients are confused when /sync shows them what they have no answer for yet.
                   done(position);
                   if (position) self->tell(*position, *prepared);
                 });
  });
  if (!queued) {
    forget(room->id);
    done(fail(ErrorCode::storage, "an event before this one could not be stored"));
  }
}

void Engine::commit_rejected(const std::shared_ptr<Room>& room, const EventPtr& event, const Judgement& judgement,
                             CommitDone done) {
  storage::EventCommit commit;
  commit.event = event;
  commit.room_version = room->version;
  commit.judgement = judgement;
  commit.outlier = true;
  const bool queued = room->unless_failed([&] {
    store.commit(std::move(commit), [room, done](Result<storage::StreamPosition> position) {
      room->settle({}, position.has_value());
      done(std::move(position));
    });
  });
  if (!queued) done(fail(ErrorCode::storage, "an event before this one could not be stored"));
}

Result<void> Engine::commit_outliers(const RoomId& room, const std::string& version,
                                     std::vector<std::pair<EventPtr, Judgement>> events) {
  std::vector<EventId> ids;
  for (const auto& [event, judgement] : events) ids.push_back(event->id());
  const auto absent = store.absent(ids);
  if (!absent) return tl::make_unexpected(absent.error());
  const std::set<EventId> wanted(absent->begin(), absent->end());
  std::vector<storage::EventCommit> commits;
  for (auto& [event, judgement] : events) {
    if (event->room_id() != room || !wanted.contains(event->id())) continue;
    storage::EventCommit commit;
    commit.event = std::move(event);
    commit.room_version = version;
    commit.judgement = std::move(judgement);
    commit.outlier = true;
    commits.push_back(std::move(commit));
  }
  if (commits.empty()) return {};
  Answer<storage::StreamPosition> answer;
  store.commit_all(std::move(commits),
                   [give = answer.giver()](Result<storage::StreamPosition> result) { give(std::move(result)); });
  auto committed = answer.wait();
  if (!committed) return tl::make_unexpected(committed.error());
  return {};
}

void Engine::close() {
  closed_ = true;
  turns_.close();
}

}  // namespace skerry::homeserver
