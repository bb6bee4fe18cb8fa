#include "homeserver/rooms/install.h"

#include <algorithm>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/admit.h"
#include "homeserver/rooms/fetch.h"
#include "homeserver/rooms/remote.h"
#include "homeserver/rooms/verify.h"

namespace skerry::homeserver {

namespace {

using InstallDone = Once<Result<EventId>>;

// What was verified and authorized of another server's room.
struct Checked {
  RoomId id;
  std::string version;
  const RoomRules* rules = nullptr;
  EventPtr create;
  EventPtr join;
  std::vector<std::pair<EventPtr, Judgement>> events;  // state and auth chain, in auth order
  StateMap state;                                      // before the join
};

Result<EventPtr> verify_join(Engine& engine, const RoomRules& rules, const RemoteRoom& remote) {
  if (!remote.join_pdu) return fail(ErrorCode::bad_json, "there is no join event");
  const auto room = room_id_of(*remote.join_pdu);
  if (!room) return tl::make_unexpected(room.error());
  std::vector<Json> pdus{*remote.join_pdu};
  auto verified = verify_all(engine.context.remote, rules, *room, pdus, remote.via);
  if (verified.empty()) return fail(ErrorCode::bad_signature, "the join is not validly signed by all who must sign it");
  const Event& join = *verified.front();
  if (join.membership() != "join" || join.sender().server() != engine.context.us) {
    return fail(ErrorCode::bad_json, "not a join of a user of this server");
  }
  return std::move(verified.front());
}

// The create event that the room's id and version demand.
Result<EventPtr> find_create(const RoomRules& rules, const std::vector<EventPtr>& events) {
  for (const auto& event : events) {
    if (!event->is_state("m.room.create", "")) continue;
    const std::string* version = find_string(event->content(), "room_version");
    if ((version == nullptr ? unnamed_room_version : std::string_view(*version)) != rules.version) {
      return fail(ErrorCode::bad_json, "the room was created in another version than was said");
    }
    return event;
  }
  return fail(ErrorCode::bad_json, "the room has no create event");
}

Result<Checked> check(Engine& engine, const RemoteRoom& remote) {
  Checked checked;
  checked.version = remote.version;
  checked.rules = find_room_rules(remote.version);
  if (checked.rules == nullptr) {
    return fail(ErrorCode::incompatible_room_version, "room version " + remote.version + " is not known here");
  }
  auto join = verify_join(engine, *checked.rules, remote);
  if (!join) return tl::make_unexpected(join.error());
  checked.join = std::move(*join);
  checked.id = checked.join->room_id();

  auto state = verify_all(engine.context.remote, *checked.rules, checked.id, remote.state_pdus, remote.via);
  auto all = verify_all(engine.context.remote, *checked.rules, checked.id, remote.auth_chain_pdus, remote.via);
  all.insert(all.end(), state.begin(), state.end());
  auto create = find_create(*checked.rules, all);
  if (!create) return tl::make_unexpected(create.error());
  checked.create = std::move(*create);

  const KnownEvents nothing_else{[](const EventId&) { return EventPtr(); }, [](const EventId&) { return false; }};
  checked.events = judge_outliers(*checked.rules, checked.create, std::move(all), nothing_else);
  std::unordered_map<EventId, bool> accepted;
  for (const auto& [event, judgement] : checked.events) {
    accepted.emplace(event->id(), judgement.verdict == Verdict::accepted);
  }
  for (const auto& event : state) {
    const auto known = accepted.find(event->id());
    if (!event->is_state() || known == accepted.end() || !known->second) continue;
    checked.state.emplace(StateKey{event->type(), *event->state_key()}, event->id());
  }
  if (!checked.state.contains(StateKey{"m.room.create", ""})) {
    return fail(ErrorCode::bad_json, "the room's state has no create event");
  }
  return checked;
}

// 4. and 5. for the join itself.
Result<void> authorize_join(const Checked& checked) {
  std::unordered_map<EventId, EventPtr> by_id;
  for (const auto& [event, judgement] : checked.events) {
    if (judgement.verdict == Verdict::accepted) by_id.emplace(event->id(), event);
  }
  const auto find = [&by_id](const EventId& id) -> EventPtr {
    const auto found = by_id.find(id);
    return found == by_id.end() ? nullptr : found->second;
  };
  const auto by_auth_events =
      judge_by_auth_events(*checked.rules, *checked.join, checked.create, find, [](const EventId&) { return false; });
  if (!by_auth_events) return tl::make_unexpected(by_auth_events.error());
  if (std::holds_alternative<Needs>(*by_auth_events)) {
    return fail(ErrorCode::bad_json, "the join cites events that were not given or are not authorized");
  }
  const auto& judgement = std::get<Judgement>(*by_auth_events);
  if (judgement.verdict == Verdict::rejected) return fail(ErrorCode::forbidden, judgement.reason);
  const auto verdict = authorize(*checked.rules, *checked.join, checked.create,
                                 [&](std::string_view type, std::string_view state_key) -> EventPtr {
                                   const auto entry = checked.state.find({std::string(type), std::string(state_key)});
                                   return entry == checked.state.end() ? nullptr : find(entry->second);
                                 });
  if (const auto* refused = std::get_if<Refused>(&verdict)) return fail(ErrorCode::forbidden, refused->reason);
  if (!std::holds_alternative<Allowed>(verdict)) return fail(ErrorCode::bad_json, "the state lacks an event");
  return {};
}

Result<std::vector<storage::EventCommit>> outlier_commits(Engine& engine, const Checked& checked) {
  std::vector<EventId> ids;
  for (const auto& [event, judgement] : checked.events) ids.push_back(event->id());
  const auto absent = engine.store.absent(ids);
  if (!absent) return tl::make_unexpected(absent.error());
  const std::set<EventId> wanted(absent->begin(), absent->end());
  std::vector<storage::EventCommit> commits;
  for (const auto& [event, judgement] : checked.events) {
    if (!wanted.contains(event->id())) continue;
    storage::EventCommit commit;
    commit.event = event;
    commit.room_version = checked.version;
    commit.judgement = judgement;
    commit.outlier = true;
    commits.push_back(std::move(commit));
  }
  return commits;
}

// The join, before which the room's state is what the other server gave, whatever was known of the room before.
Result<storage::EventCommit> join_commit(Engine& engine, const Checked& checked, const StatePtr& current) {
  const StateKey key{"m.room.member", *checked.join->state_key()};
  const auto before = engine.store.store_state(checked.id, checked.state);
  if (!before) return tl::make_unexpected(before.error());
  const auto after = engine.store.make_state(checked.id, *before, {{key, checked.join->id()}});
  if (!after) return tl::make_unexpected(after.error());
  StateMap next = checked.state;
  next[key] = checked.join->id();
  storage::EventCommit commit;
  commit.event = checked.join;
  commit.room_version = checked.version;
  commit.state_before = *before;
  commit.state_after = *after;
  commit.heads = {checked.join->id()};
  commit.current_state = *after;
  commit.current_state_delta = difference(*current, next);
  return commit;
}

Result<StatePtr> known_state(Engine& engine, const RoomId& room) {
  const auto head = engine.store.head(room);
  if (!head) return tl::make_unexpected(head.error());
  if (!head->has_value() || (*head)->current_state == 0) return std::make_shared<const StateMap>();
  return engine.store.state((*head)->current_state);
}

void commit_install(const std::shared_ptr<Engine>& engine, const std::shared_ptr<Checked>& checked,
                    const InstallDone& done) {
  const auto current = known_state(*engine, checked->id);
  if (!current) return done(tl::make_unexpected(current.error()));
  auto commits = outlier_commits(*engine, *checked);
  if (!commits) return done(tl::make_unexpected(commits.error()));
  auto join = join_commit(*engine, *checked, *current);
  if (!join) return done(tl::make_unexpected(join.error()));
  commits->push_back(std::move(*join));
  engine->store.commit_all(std::move(*commits), [engine, checked, done](Result<storage::StreamPosition> position) {
    if (!position) return done(tl::make_unexpected(position.error()));
    // A turn may have read the room meanwhile, as it was before.
    engine->post(
        checked->id,
        [engine, checked, done, position = *position] {
          engine->forget(checked->id);
          engine->context.notify(position, {checked->join->sender()}, checked->id);
          done(checked->join->id());
        },
        [done](const Error& error) { done(tl::make_unexpected(error)); });
  });
}

}  // namespace

void install_joined_room(const std::shared_ptr<Engine>& engine, const std::shared_ptr<MissingEvents>& missing,
                         const RemoteRoom& remote, std::function<void(Result<EventId>)> done) {
  const InstallDone answer = once<EventId>(std::move(done));
  auto outcome = check(*engine, remote);
  if (!outcome) return answer(tl::make_unexpected(outcome.error()));
  const auto checked = std::make_shared<Checked>(std::move(*outcome));
  if (auto allowed = authorize_join(*checked); !allowed) return answer(tl::make_unexpected(allowed.error()));
  const ServerName from = remote.via.empty() ? checked->join->sender().server() : remote.via.front();
  engine->post(
      checked->id,
      [engine, missing, checked, from, answer] {
        const auto room = engine->open(checked->id);
        if (!room || !(*room)->residents.anyone_here()) return commit_install(engine, checked, answer);
        // Somebody of this server is in the room by now: the join is an event like others.
        const Once<RemoteOutcome> told(
            [answer](const RemoteOutcome& became) {
              const bool accepted = became.judgement.verdict == Verdict::accepted;
              answer(accepted ? Result<EventId>(became.event) : fail(ErrorCode::forbidden, became.judgement.reason));
            },
            RemoteOutcome{checked->join->id(), dropped("the server is shutting down")});
        hand_in(engine, missing, std::make_shared<Arrival>(Arrival{checked->join, from, {told}}));
      },
      [answer](const Error& error) { answer(tl::make_unexpected(error)); });
}

}  // namespace skerry::homeserver
