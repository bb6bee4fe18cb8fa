#include "homeserver/rooms/upgrade.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/authorization_rules.h"
#include "core/limits.h"
#include "homeserver/rooms/build.h"
#include "homeserver/rooms/new_room.h"

namespace skerry::homeserver {

namespace {

using UpgradeDone = Once<Result<RoomId>>;

// Each is an event more in one commit.
constexpr std::size_t most_bans_moved = 2'000;
constexpr std::size_t most_space_children_moved = 1'000;

// 3. 'The recommended state events to transfer', without power levels and join rules, which need a look.
constexpr const char* moved_as_they_are[] = {
    "m.room.server_acl",   "m.room.encryption",        "m.room.name", "m.room.avatar", "m.room.topic",
    "m.room.guest_access", "m.room.history_visibility"};

// The closing of the old room: what its members need to write or invite at least.
constexpr std::int64_t least_level_to_write = 50;

std::int64_t canonical(std::int64_t level) { return std::clamp(level, -limits::max_depth, limits::max_depth); }

// What goes into the new room, from the old one's current state. In the old room's turn.
class Transfer {
 public:
  Transfer(Engine& engine, Room& old, const RoomRules& rules, const RoomUpgrade& upgrade)
      : engine_(engine), old_(old), rules_(rules), upgrade_(upgrade) {}

  // 2. `tombstone` is empty when its id is not known yet.
  Json create_content(const EventId& tombstone) {
    Json content = {{"predecessor", {{"room_id", old_.id.str()}}}};
    if (!tombstone.empty()) content["predecessor"]["event_id"] = tombstone.str();
    if (const std::string* type = find_string(old_.create->content(), "type")) content["type"] = *type;
    // A room that was closed to other servers stays so.
    if (const Json* federate = find_member(old_.create->content(), "m.federate")) content["m.federate"] = *federate;
    if (rules_.creators_are_privileged && !upgrade_.additional_creators.empty()) {
      Json& list = content["additional_creators"] = Json::array();
      for (const UserId& user : upgrade_.additional_creators) list.push_back(user.str());
    }
    return content;
  }

  // Power levels come last: until then the creator may do everything, whatever they were in the old room.
  Result<std::vector<EventDraft>> drafts() {
    add("m.room.member", upgrade_.user.str(), upgrade_.join_content_json);
    for (const char* type : moved_as_they_are) move(type, "");
    add_join_rules();
    if (auto added = add_canonical_alias(); !added) return tl::make_unexpected(added.error());
    add_space_children();
    if (auto added = add_bans(); !added) return tl::make_unexpected(added.error());
    add_power_levels();
    if (auto trouble = old_.take_trouble()) return tl::make_unexpected(*trouble);
    return std::move(drafts_);
  }

 private:
  EventPtr in_old(std::string_view type, std::string_view state_key) {
    return old_.state_event(old_.current, type, state_key);
  }

  void add(std::string type, std::string state_key, std::string content_json) {
    EventDraft draft;
    draft.sender = upgrade_.user;
    draft.type = std::move(type);
    draft.state_key = std::move(state_key);
    draft.content_json = std::move(content_json);
    drafts_.push_back(std::move(draft));
  }

  // As it is; what the new version could not hold stays behind.
  void move(const std::string& type, const std::string& state_key) {
    const EventPtr event = in_old(type, state_key);
    if (event == nullptr || event->content().empty()) return;
    std::string content = dump(event->content());
    if (parse_content(content)) add(type, state_key, std::move(content));
  }

  // A rule that the new version does not know lets nobody in: then it is by invitation.
  void add_join_rules() {
    const EventPtr event = in_old("m.room.join_rules", "");
    const std::string* rule = event == nullptr ? nullptr : find_string(event->content(), "join_rule");
    if (rule == nullptr) return;
    const bool is_known = (*rule != "knock" || rules_.knocking) && (*rule != "restricted" || rules_.restricted_joins) &&
                          (*rule != "knock_restricted" || rules_.knock_restricted);
    if (is_known) return move("m.room.join_rules", "");
    add("m.room.join_rules", "", dump({{"join_rule", "invite"}}));
  }

  // 4. Of the aliases that are told as the room's, those that move.
  Result<void> add_canonical_alias() {
    const EventPtr event = in_old("m.room.canonical_alias", "");
    if (event == nullptr) return {};
    const auto aliases = engine_.store.aliases(old_.id);
    if (!aliases) return tl::make_unexpected(aliases.error());
    const auto moves = [&](const Json& text) {
      return text.is_string() && std::any_of(aliases->begin(), aliases->end(),
                                             [&](const auto& entry) { return text == entry.alias.str(); });
    };
    Json content = Json::object();
    if (const Json* alias = find_member(event->content(), "alias"); alias != nullptr && moves(*alias)) {
      content["alias"] = *alias;
    }
    if (const Json* others = find_member(event->content(), "alt_aliases"); others != nullptr && others->is_array()) {
      Json kept = Json::array();
      std::copy_if(others->begin(), others->end(), std::back_inserter(kept), moves);
      if (!kept.empty()) content["alt_aliases"] = std::move(kept);
    }
    if (!content.empty()) add("m.room.canonical_alias", "", dump(content));
    return {};
  }

  // A space without its rooms would be of no use. Those without `via` were taken out of it.
  void add_space_children() {
    const std::string* type = find_string(old_.create->content(), "type");
    if (type == nullptr || *type != "m.space") return;
    std::size_t left = most_space_children_moved;
    const StatePtr state = old_.current.map();
    for (auto entry = state->lower_bound({"m.space.child", ""});
         entry != state->end() && entry->first.type == "m.space.child" && left > 0; ++entry) {
      const EventPtr child = old_.event(entry->second);
      const Json* via = child == nullptr ? nullptr : find_member(child->content(), "via");
      if (via == nullptr || !via->is_array() || via->empty()) continue;
      move("m.space.child", entry->first.state_key);
      --left;
    }
  }

  // Who was banned may not come back by the upgrade.
  Result<void> add_bans() {
    const auto members = engine_.store.members(old_.id);
    if (!members) return tl::make_unexpected(members.error());
    std::size_t left = most_bans_moved;
    for (const auto& member : *members) {
      if (left == 0) break;
      if (member.membership != "ban" || member.user == upgrade_.user) continue;
      const EventPtr event = in_old("m.room.member", member.user.str());
      if (event == nullptr || event->membership() != "ban") continue;
      Json content = {{"membership", "ban"}};
      if (const std::string* reason = find_string(event->content(), "reason")) content["reason"] = *reason;
      add("m.room.member", member.user.str(), dump(content));
      --left;
    }
    return {};
  }

  void add_power_levels() {
    const EventPtr event = in_old("m.room.power_levels", "");
    if (event == nullptr) return;
    Json content = Json::object();
    for (const auto& [key, value] : event->content().items()) {
      if (const auto level = auth::power_level(old_.rules, value)) {
        content[key] = canonical(*level);
      } else if (value.is_object()) {
        content[key] = levels_in(value);
      }
    }
    Json users = content.contains("users") ? content["users"] : Json::object();
    for (auto user = users.begin(); user != users.end();) user = UserId::parse(user.key()) ? ++user : users.erase(user);
    // Creators' power was infinite and stood nowhere, or is and may not.
    if (old_.rules.creators_are_privileged) {
      for (const UserId& creator : room_creators(old_.rules, *old_.create)) users[creator.str()] = creators_level;
    }
    if (rules_.creators_are_privileged) {
      users.erase(upgrade_.user.str());
      for (const UserId& creator : upgrade_.additional_creators) users.erase(creator.str());
    }
    content["users"] = std::move(users);
    add("m.room.power_levels", "", dump(content));
  }

  Json levels_in(const Json& table) const {
    Json levels = Json::object();
    for (const auto& [key, value] : table.items()) {
      if (const auto level = auth::power_level(old_.rules, value)) levels[key] = canonical(*level);
    }
    return levels;
  }

  static constexpr std::int64_t creators_level = 100;

  Engine& engine_;
  Room& old_;
  const RoomRules& rules_;
  const RoomUpgrade& upgrade_;
  std::vector<EventDraft> drafts_;
};

EventDraft draft_in(const Room& room, const UserId& sender, const std::string& type, const Json& content) {
  EventDraft draft;
  draft.room = room.id;
  draft.sender = sender;
  draft.type = type;
  draft.state_key = "";
  draft.content_json = dump(content);
  return draft;
}

// 5.
Result<Placed> build_tombstone(Engine& engine, Room& old, const UserId& user, const RoomId& replacement) {
  const Json content = {{"body", "This room has been replaced"}, {"replacement_room", replacement.str()}};
  return build_event(engine, old, draft_in(old, user, "m.room.tombstone", content));
}

// Both events that make an upgrade. The id of one of them is in the other: the tombstone's in the create event, where
// room ids are chosen; the create event's, as the room's id, in the tombstone where they are hashes.
struct Replacement {
  NewRoom made;
  Placed tombstone;
};

Result<Replacement> build_replacement(Engine& engine, Room& old, const RoomRules& rules, const RoomUpgrade& upgrade) {
  Transfer transfer(engine, old, rules, upgrade);
  const auto id = choose_room_id(engine.context, rules);
  // 1. Where the id is not known yet, to any room: whether it is allowed.
  auto tombstone = build_tombstone(engine, old, upgrade.user, id.value_or(old.id));
  if (!tombstone) return tl::make_unexpected(tombstone.error());
  auto drafts = transfer.drafts();
  if (!drafts) return tl::make_unexpected(drafts.error());
  const EventId known_id = id ? tombstone->event->id() : EventId();
  auto made = build_room(engine, rules, id, upgrade.user, dump(transfer.create_content(known_id)), std::move(*drafts));
  if (!made) return tl::make_unexpected(made.error());
  made->events.front().commit.replaces = old.id;
  if (!id) tombstone = build_tombstone(engine, old, upgrade.user, made->room->id);
  if (!tombstone) return tl::make_unexpected(tombstone.error());
  return Replacement{std::move(*made), std::move(*tombstone)};
}

// 6. 'Setting events_default and invite to the greater of 50 and users_default + 1.'
std::optional<Json> closing_levels(Room& old) {
  const EventPtr event = old.state_event(old.current, "m.room.power_levels", "");
  if (event == nullptr) return std::nullopt;
  const auto level = [&](std::string_view key) {
    return auth::find_level(old.rules, event->content(), key).value_or(0);
  };
  const std::int64_t least = std::max(least_level_to_write, canonical(level("users_default") + 1));
  Json content = event->content();
  for (const char* key : {"events_default", "invite"}) content[key] = std::max(canonical(level(key)), least);
  return content;
}

// An event that makes the old room neater, if its user may send it.
void add_if_allowed(Engine& engine, const std::shared_ptr<Room>& old, const EventDraft& draft,
                    std::vector<Engine::Prepared>& events) {
  auto placed = build_event(engine, *old, draft);
  if (!placed) return;
  CommitOptions options;
  options.distribute = true;
  if (auto prepared = engine.prepare(old, std::move(*placed), std::move(options))) {
    events.push_back(std::move(*prepared));
  }
}

void commit_together(const std::shared_ptr<Engine>& engine, const std::shared_ptr<Room>& old, const RoomId& made,
                     std::vector<Engine::Prepared> prepared, const UpgradeDone& done) {
  const auto events = std::make_shared<const std::vector<Engine::Prepared>>(std::move(prepared));
  std::vector<storage::EventCommit> commits;
  for (const auto& event : *events) commits.push_back(event.commit);
  const bool queued = old->unless_failed([&] {
    engine->store.commit_all(std::move(commits), [=](Result<storage::StreamPosition> position) {
      std::vector<EventId> ids;
      for (const auto& event : *events) {
        if (event.commit.event->room_id() == old->id) ids.push_back(event.commit.event->id());
      }
      old->settle(ids, position.has_value());
      if (!position) return done(tl::make_unexpected(position.error()));
      for (const auto& event : *events) engine->tell(*position, event);
      done(made);
    });
  });
  if (queued) return;
  engine->forget(old->id);
  done(fail(ErrorCode::storage, "an event before this one could not be stored"));
}

void upgrade_in_turn(const std::shared_ptr<Engine>& engine, const RoomRules& rules, const RoomUpgrade& upgrade,
                     const UpgradeDone& done) {
  const auto opened = engine->open(upgrade.room);
  if (!opened) return done(tl::make_unexpected(opened.error()));
  const auto& old = *opened;
  if (old->membership(old->current, upgrade.user) != "join") {
    return done(fail(ErrorCode::forbidden, "you are not in that room"));
  }
  auto replacement = build_replacement(*engine, *old, rules, upgrade);
  if (!replacement) return done(tl::make_unexpected(replacement.error()));
  const RoomId made = replacement->made.room->id;
  CommitOptions options;
  options.distribute = true;
  auto tombstone = engine->prepare(old, std::move(replacement->tombstone), std::move(options));
  if (!tombstone) return done(tl::make_unexpected(tombstone.error()));
  std::vector<Engine::Prepared> events;
  events.push_back(std::move(*tombstone));
  if (old->state_event(old->current, "m.room.canonical_alias", "") != nullptr) {
    add_if_allowed(*engine, old, draft_in(*old, upgrade.user, "m.room.canonical_alias", Json::object()), events);
  }
  if (const auto levels = closing_levels(*old)) {
    add_if_allowed(*engine, old, draft_in(*old, upgrade.user, "m.room.power_levels", *levels), events);
  }
  std::move(replacement->made.events.begin(), replacement->made.events.end(), std::back_inserter(events));
  commit_together(engine, old, made, std::move(events), done);
}

}  // namespace

void upgrade_room(const std::shared_ptr<Engine>& engine, RoomUpgrade upgrade,
                  std::function<void(Result<RoomId>)> done) {
  const UpgradeDone answer = once<RoomId>(std::move(done));
  const RoomRules* rules = find_room_rules(upgrade.version);
  if (rules == nullptr) {
    return answer(fail(ErrorCode::unsupported_room_version, "room version " + upgrade.version + " is not known here"));
  }
  const RoomId room = upgrade.room;
  engine->post(
      room, [engine, rules, upgrade = std::move(upgrade), answer] { upgrade_in_turn(engine, *rules, upgrade, answer); },
      [answer](const Error& error) { answer(tl::make_unexpected(error)); });
}

}  // namespace skerry::homeserver
