#include "homeserver/rooms/outside.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/arrival.h"
#include "homeserver/rooms/verify.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t max_state_events = 100;

}  // namespace

std::optional<Json> stripped(const Json& event) {
  if (!event.is_object()) return std::nullopt;
  const std::string* type = find_string(event, "type");
  const std::string* state_key = find_string(event, "state_key");
  const std::string* sender = find_string(event, "sender");
  const Json* content = find_object(event, "content");
  if (type == nullptr || state_key == nullptr || sender == nullptr || content == nullptr) return std::nullopt;
  return Json{{"type", *type}, {"state_key", *state_key}, {"sender", *sender}, {"content", *content}};
}

Json stripped_state_of(RemoteRooms& remote, const RoomRules& rules, const RoomId& room, std::vector<Json> entries,
                       const ServerName& from) {
  if (entries.size() > max_state_events) entries.resize(max_state_events);
  Json list = Json::array();
  std::vector<Json> pdus;
  for (auto& entry : entries) {
    const bool is_pdu = rules.room_id_is_create_hash || find_object(entry, "signatures") != nullptr;
    if (is_pdu) {
      pdus.push_back(std::move(entry));
    } else if (auto known = stripped(entry)) {
      list.push_back(std::move(*known));
    }
  }
  for (const auto& event : verify_all(remote, rules, room, pdus, {from})) {
    if (auto known = stripped(event->pdu())) list.push_back(std::move(*known));
  }
  return list;
}

std::optional<storage::StrippedInvite> stripped_invite(storage::RoomStore& store, const UserId& user,
                                                       const RoomId& room) {
  auto invites = store.stripped_invites(user);
  if (!invites) return std::nullopt;
  const auto found = std::find_if(invites->begin(), invites->end(), [&room](const storage::StrippedInvite& invite) {
    return invite.room == room && invite.membership != "leave";
  });
  return found == invites->end() ? std::nullopt : std::optional(std::move(*found));
}

std::optional<storage::StrippedInvite> turned_down(Engine& engine, const RoomId& room, const Json& pdu) {
  const std::string* type = find_string(pdu, "type");
  const std::string* sender = find_string(pdu, "sender");
  const std::string* state_key = find_string(pdu, "state_key");
  const Json* content = find_object(pdu, "content");
  const std::string* membership = content == nullptr ? nullptr : find_string(*content, "membership");
  if (type == nullptr || sender == nullptr || state_key == nullptr || membership == nullptr) return std::nullopt;
  if (*type != "m.room.member" || *sender == *state_key || (*membership != "leave" && *membership != "ban")) {
    return std::nullopt;
  }
  const auto user = UserId::parse(*state_key);
  if (!user || user->server() != engine.context.us) return std::nullopt;
  const auto joined = engine.store.joined_local_users(room);
  if (!joined || !joined->empty()) return std::nullopt;
  return stripped_invite(engine.store, *user, room);
}

RemoteOutcome turn_down(Engine& engine, storage::StrippedInvite standing, const Event& event) {
  const RoomRules* rules = find_room_rules(standing.room_version);
  const auto pdu = parse_stored(standing.event_json);
  const auto id = rules == nullptr || !pdu ? EventId() : event_id_of(*rules, *pdu).value_or(EventId());
  const auto& cited = event.auth_events();
  if (id.empty() || std::find(cited.begin(), cited.end(), id) == cited.end()) {
    return RemoteOutcome{event.id(), dropped("it does not answer what this server asked for in the room")};
  }
  const UserId user = standing.user;
  const RoomId room = standing.room;
  standing.membership = "leave";
  standing.event_json = event.canonical_text();
  standing.stripped_state_json = "[]";
  const auto position = engine.store.save_stripped_invite(std::move(standing));
  if (!position) return RemoteOutcome{event.id(), dropped(position.error().text), true};
  engine.context.notify(*position, {user}, room);
  return RemoteOutcome{event.id(), Judgement{}, false, true};
}

}  // namespace skerry::homeserver
