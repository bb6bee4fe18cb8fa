#include "homeserver/sync/sync_builder.h"

#include <algorithm>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "homeserver/sync/room_sync.h"
#include "homeserver/sync/tokens.h"
#include "storage/people_store.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t rooms_asked_singly = 200;  // more are asked for together, with all the user's others

struct AccountData {
  Json global = Json::array();
  std::map<RoomId, Json> rooms;
};

Result<AccountData> account_data(storage::AccountStore& store, const SyncRequest& request,
                                 storage::StreamPosition now) {
  auto entries = store.account_data_since(request.user, request.since.value_or(0), now);
  if (!entries) return tl::make_unexpected(entries.error());
  AccountData result;
  for (const storage::AccountDataEntry& entry : *entries) {
    auto content = parse_stored(entry.content_json);
    if (!content) return tl::make_unexpected(content.error());
    // Deleted data stands as {}: told to a client that knew it, not to one that starts.
    if (!request.since && content->empty()) continue;
    Json event = {{"type", entry.type}, {"content", std::move(*content)}};
    if (!entry.room) {
      if (request.filter.account_data.wants_type(entry.type)) result.global.push_back(std::move(event));
      continue;
    }
    const EventFilter& filter = request.filter.room_account_data;
    if (!filter.wants_type(entry.type) || !filter.wants_room(entry.room->str())) continue;
    auto& list = result.rooms.try_emplace(*entry.room, Json::array()).first->second;
    list.push_back(std::move(event));
  }
  return result;
}

// Of a room of which at most its end can be shown. Some clients (matrix-nio) fail where a list is not there.
Json left_entry(Json events) {
  return {{"timeline", {{"events", std::move(events)}, {"limited", false}}}, {"state", {{"events", Json::array()}}}};
}

// One entry of rooms.invite or rooms.knock, from the state that came with it.
Json stripped_entry(const char* member, Json events) { return Json{{member, {{"events", std::move(events)}}}}; }

// The event by which another server's user turned this one down, as clients see it in a timeline.
Json turning_down(const storage::StrippedInvite& ended) {
  const RoomRules* rules = find_room_rules(ended.room_version);
  auto pdu =
      ended.event_json.empty() || rules == nullptr ? fail(ErrorCode::not_found, "") : parse_stored(ended.event_json);
  const auto id = pdu ? event_id_of(*rules, *pdu) : fail(ErrorCode::not_found, "");
  Json events = Json::array();
  if (!id) return events;
  Json event = {{"event_id", id->str()}};
  for (const char* member : {"type", "sender", "state_key", "origin_server_ts", "content"}) {
    event[member] = std::move((*pdu)[member]);
  }
  events.push_back(std::move(event));
  return events;
}

// The room's stripped state, and the membership event that tells who invited. 'Stripped state'.
Result<Json> stripped_events(RoomReader& reader, storage::RoomStore& store, const storage::Membership& membership) {
  auto events = reader.stripped_state(membership.room, false);
  if (!events) return events;
  auto stored = store.event(membership.event);
  if (!stored) return tl::make_unexpected(stored.error());
  if (*stored) {
    const Event& event = *(*stored)->event;
    events->push_back({{"type", event.type()},
                       {"state_key", event.state_key().value_or("")},
                       {"sender", event.sender().str()},
                       {"content", event.content()}});
  }
  return events;
}

struct Rooms {
  Json join = Json::object();
  Json invite = Json::object();
  Json knock = Json::object();
  Json leave = Json::object();

  bool empty() const { return join.empty() && invite.empty() && knock.empty() && leave.empty(); }
  Json json() && {
    Json result = Json::object();
    if (!join.empty()) result["join"] = std::move(join);
    if (!invite.empty()) result["invite"] = std::move(invite);
    if (!knock.empty()) result["knock"] = std::move(knock);
    if (!leave.empty()) result["leave"] = std::move(leave);
    return result;
  }
};

// The user's memberships that a response may have to speak of. A client that goes on from `since` is not told of rooms
// in which nothing happened: what they cost must not grow with their number.
Result<std::vector<storage::Membership>> memberships_to_tell(storage::Database& database, const Typing& typing,
                                                             const SyncRequest& request, storage::StreamPosition now,
                                                             const AccountData& data) {
  const auto changed =
      request.since && !request.full_state ? database.stream().changed_rooms(*request.since, now) : std::nullopt;
  if (!changed || changed->size() > rooms_asked_singly) return database.rooms().memberships_of(request.user);
  std::set<RoomId> rooms(changed->begin(), changed->end());
  for (RoomId& room : typing.changed_rooms(*request.since)) rooms.insert(std::move(room));
  for (const auto& [room, events] : data.rooms) rooms.insert(room);
  std::vector<storage::Membership> list;
  for (const RoomId& room : rooms) {
    auto membership = database.rooms().membership(room, request.user);
    if (!membership) return tl::make_unexpected(membership.error());
    if (*membership) list.push_back(std::move(**membership));
  }
  return list;
}

// The `rooms` of one response, put together.
class RoomsBuilder {
 public:
  RoomsBuilder(storage::Database& database, RoomReader& reader, const SyncRequest& request, storage::StreamPosition now)
      : database_(database), reader_(reader), request_(request), now_(now) {}

  // `own_data` are the user's account data of the room that are new.
  Result<void> add(const storage::Membership& membership, RoomSync& sync, const Json& own_data) {
    const std::string id = membership.room.str();
    bool worth = false;
    if (membership.membership == "join") {
      auto entry = sync.joined(membership, own_data, &worth);
      if (!entry) return tl::make_unexpected(entry.error());
      if (!worth) return {};
      if (auto noted = note_met(membership, *entry); !noted) return noted;
      rooms.join[id] = std::move(*entry);
    } else if (membership.membership == "invite" || membership.membership == "knock") {
      if (!is_new(membership.position) && !request_.full_state) return {};
      auto state = stripped_events(reader_, database_.rooms(), membership);
      if (!state) return tl::make_unexpected(state.error());
      add_stripped(id, membership.membership, std::move(*state));
    } else if (!membership.forgotten && is_new(membership.position) &&
               (request_.since || request_.filter.include_leave)) {
      auto entry = sync.left(membership, &worth);
      if (!entry) return tl::make_unexpected(entry.error());
      if (worth) rooms.leave[id] = std::move(*entry);
    }
    return {};
  }

  Result<void> add(const storage::StrippedInvite& invite) {
    if (!request_.filter.room.wants_room(invite.room.str())) return {};
    if (!is_new(invite.position) && !request_.full_state) return {};
    auto known = database_.rooms().membership(invite.room, request_.user);
    if (!known) return tl::make_unexpected(known.error());
    // This server sees the room itself and knows better; that an invitation is over because it was accepted is no
    // leave.
    const bool over = invite.membership == "leave";
    if (*known && ((*known)->position > invite.position || (over && (*known)->membership != "leave"))) return {};
    const std::string id = invite.room.str();
    if (over) {
      if (request_.since) rooms.leave[id] = left_entry(turning_down(invite));
      return {};
    }
    auto events = parse_stored(invite.stripped_state_json);
    if (!events) return tl::make_unexpected(events.error());
    add_stripped(id, invite.membership, std::move(*events));
    return {};
  }

  Rooms rooms;
  std::set<UserId> met;  // in rooms that are not new to the client, but these users, or its own user, are

 private:
  Result<void> note_met(const storage::Membership& membership, const Json& entry) {
    if (!request_.since) return {};
    if (is_new(membership.position)) {
      auto members = database_.rooms().members(membership.room);
      if (!members) return tl::make_unexpected(members.error());
      for (const storage::Membership& member : *members) {
        if (member.membership == "join") met.insert(member.user);
      }
      return {};
    }
    for (const char* part : {"state", "state_after", "timeline"}) {
      const Json* section = find_object(entry, part);
      const Json* events = section != nullptr ? find_array(*section, "events") : nullptr;
      if (events == nullptr) continue;
      for (const Json& event : *events) note_joined(event);
    }
    return {};
  }
  void note_joined(const Json& event) {
    const std::string* type = find_string(event, "type");
    const std::string* key = find_string(event, "state_key");
    const Json* content = find_object(event, "content");
    const std::string* membership = content != nullptr ? find_string(*content, "membership") : nullptr;
    if (type == nullptr || *type != "m.room.member" || key == nullptr || membership == nullptr) return;
    if (*membership != "join") return;
    if (auto user = UserId::parse(*key)) met.insert(std::move(*user));
  }
  bool is_new(storage::StreamPosition position) const {
    return position <= now_ && (!request_.since || position > *request_.since);
  }
  void add_stripped(const std::string& id, const std::string& membership, Json events) {
    if (membership == "knock") {
      rooms.knock[id] = stripped_entry("knock_state", std::move(events));
    } else {
      rooms.invite[id] = stripped_entry("invite_state", std::move(events));
    }
  }

  storage::Database& database_;
  RoomReader& reader_;
  const SyncRequest& request_;
  const storage::StreamPosition now_;
};

// Of users in a room with this one: those whose presence changed, and those who were met in this response. Costs what
// changed, not what rooms and members there are.
Result<Json> presence_events(storage::Database& database, const Presence& presence, const SyncRequest& request,
                             storage::StreamPosition now, std::int64_t now_ms, std::set<UserId> met) {
  Json events = Json::array();
  const EventFilter& filter = request.filter.presence;
  if (!filter.wants_type("m.presence")) return events;
  const std::vector<UserId> changed = request.since ? presence.changed(*request.since, now) : presence.present();
  if (!changed.empty()) {
    auto near = database.people().sharing_a_room(request.user, changed);
    if (!near) return tl::make_unexpected(near.error());
    met.insert(near->begin(), near->end());
    if (std::find(changed.begin(), changed.end(), request.user) != changed.end()) met.insert(request.user);
  }
  for (const auto& [user, status] : presence.known({met.begin(), met.end()})) {
    if (!filter.wants_sender(user.str())) continue;
    events.push_back({{"type", "m.presence"}, {"sender", user.str()}, {"content", status.content(now_ms)}});
  }
  return events;
}

}  // namespace

SyncBuilder::SyncBuilder(storage::Database& database, RoomReader& reader, const Typing& typing,
                         const Presence& presence, UnreadCounter& unread)
    : database_(database), reader_(reader), typing_(typing), presence_(presence), unread_(unread) {}

Result<Json> SyncBuilder::build(const SyncRequest& request, storage::StreamPosition now, std::int64_t now_ms,
                                bool* empty) {
  auto data = account_data(database_.accounts(), request, now);
  if (!data) return tl::make_unexpected(data.error());
  auto memberships = memberships_to_tell(database_, typing_, request, now, *data);
  if (!memberships) return tl::make_unexpected(memberships.error());
  auto stripped = database_.rooms().stripped_invites(request.user);
  if (!stripped) return tl::make_unexpected(stripped.error());

  RoomsBuilder builder(database_, reader_, request, now);
  for (const storage::Membership& membership : *memberships) {
    if (!request.filter.room.wants_room(membership.room.str())) continue;
    const Json& own_data = data->rooms.try_emplace(membership.room, Json::array()).first->second;
    RoomSync sync(database_, reader_, typing_, unread_, request, now, now_ms, membership.room);
    if (auto added = builder.add(membership, sync, own_data); !added) return tl::make_unexpected(added.error());
  }
  for (const storage::StrippedInvite& invite : *stripped) {
    if (auto added = builder.add(invite); !added) return tl::make_unexpected(added.error());
  }
  auto present = presence_events(database_, presence_, request, now, now_ms, std::move(builder.met));
  if (!present) return present;
  Rooms& rooms = builder.rooms;
  *empty = rooms.empty() && data->global.empty() && present->empty();
  Json body = {{"next_batch", stream_token(now)}};
  if (!rooms.empty()) body["rooms"] = std::move(rooms).json();
  if (!present->empty()) body["presence"] = {{"events", std::move(*present)}};
  if (!data->global.empty()) body["account_data"] = {{"events", std::move(data->global)}};
  return body;
}

}  // namespace skerry::homeserver
