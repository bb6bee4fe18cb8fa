#include "homeserver/sync/sync_builder.h"

#include <map>

#include <nlohmann/json.hpp>

#include "homeserver/sync/room_sync.h"
#include "homeserver/sync/tokens.h"

namespace skerry::homeserver {

namespace {

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

// One entry of rooms.invite or rooms.knock, from the state that came with it.
Json stripped_entry(const char* member, Json events) { return Json{{member, {{"events", std::move(events)}}}}; }

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

}  // namespace

SyncBuilder::SyncBuilder(storage::Database& database, RoomReader& reader, const Typing& typing, UnreadCounter& unread)
    : database_(database), reader_(reader), typing_(typing), unread_(unread) {}

Result<Json> SyncBuilder::build(const SyncRequest& request, storage::StreamPosition now, std::int64_t now_ms,
                                bool* empty) {
  auto data = account_data(database_.accounts(), request, now);
  if (!data) return tl::make_unexpected(data.error());
  auto memberships = database_.rooms().memberships_of(request.user);
  if (!memberships) return tl::make_unexpected(memberships.error());
  auto stripped = database_.rooms().stripped_invites(request.user);
  if (!stripped) return tl::make_unexpected(stripped.error());

  Rooms rooms;
  const auto is_new = [&](storage::StreamPosition position) {
    return position <= now && (!request.since || position > *request.since);
  };
  std::map<RoomId, storage::StreamPosition> known;  // rooms of the list above, with the position of the membership
  for (const storage::Membership& membership : *memberships) {
    known[membership.room] = membership.position;
    if (!request.filter.room.wants_room(membership.room.str())) continue;
    const std::string id = membership.room.str();
    RoomSync room(database_, reader_, typing_, unread_, request, now, now_ms, membership.room);
    bool worth = false;
    if (membership.membership == "join") {
      auto& own_data = data->rooms.try_emplace(membership.room, Json::array()).first->second;
      auto entry = room.joined(membership, own_data, &worth);
      if (!entry) return tl::make_unexpected(entry.error());
      if (worth) rooms.join[id] = std::move(*entry);
    } else if (membership.membership == "invite" || membership.membership == "knock") {
      if (!is_new(membership.position) && !request.full_state) continue;
      auto state = stripped_events(reader_, database_.rooms(), membership);
      if (!state) return tl::make_unexpected(state.error());
      if (membership.membership == "invite") {
        rooms.invite[id] = stripped_entry("invite_state", std::move(*state));
      } else {
        rooms.knock[id] = stripped_entry("knock_state", std::move(*state));
      }
    } else if (!membership.forgotten && is_new(membership.position) &&
               (request.since || request.filter.include_leave)) {
      auto entry = room.left(membership, &worth);
      if (!entry) return tl::make_unexpected(entry.error());
      if (worth) rooms.leave[id] = std::move(*entry);
    }
  }
  for (const storage::StrippedInvite& invite : *stripped) {
    // This server sees the room itself and knows better.
    if (auto found = known.find(invite.room); found != known.end() && found->second > invite.position) continue;
    if (!request.filter.room.wants_room(invite.room.str())) continue;
    if (!is_new(invite.position) && !request.full_state) continue;
    const std::string id = invite.room.str();
    if (invite.membership == "leave") {
      if (request.since) rooms.leave[id] = Json{{"timeline", {{"events", Json::array()}, {"limited", false}}}};
      continue;
    }
    auto events = parse_stored(invite.stripped_state_json);
    if (!events) return tl::make_unexpected(events.error());
    if (invite.membership == "knock") {
      rooms.knock[id] = stripped_entry("knock_state", std::move(*events));
    } else {
      rooms.invite[id] = stripped_entry("invite_state", std::move(*events));
    }
  }
  *empty = rooms.empty() && data->global.empty();
  Json body = {{"next_batch", stream_token(now)}};
  if (!rooms.empty()) body["rooms"] = std::move(rooms).json();
  if (!data->global.empty()) body["account_data"] = {{"events", std::move(data->global)}};
  return body;
}

}  // namespace skerry::homeserver
