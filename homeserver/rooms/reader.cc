#include "homeserver/rooms/reader.h"

#include <array>

#include <nlohmann/json.hpp>

namespace skerry::homeserver {

namespace {

Error unknown_room(const RoomId& room) {
  return Error{ErrorCode::not_found, "this server knows no room " + room.str()};
}

Result<EventPtr> stored_event(storage::RoomStore& store, const EventId& id) {
  auto stored = store.event(id);
  if (!stored) return tl::make_unexpected(stored.error());
  if (!stored->has_value()) return EventPtr();
  return (*stored)->event;
}

// 'Stripped state': the four members that clients see of it.
Json stripped(const Event& event) {
  return Json{{"type", event.type()},
              {"state_key", event.state_key().value_or("")},
              {"sender", event.sender().str()},
              {"content", event.content()}};
}

}  // namespace

RoomReader::RoomReader(storage::Database& database, ServerName us) : database_(database), us_(std::move(us)) {}

Result<storage::RoomInfo> RoomReader::room(const RoomId& id) const {
  auto info = database_.rooms().room(id);
  if (!info) return tl::make_unexpected(info.error());
  if (!info->has_value()) return tl::make_unexpected(unknown_room(id));
  return std::move(**info);
}

Result<const RoomRules*> RoomReader::rules(const RoomId& id) const {
  const auto info = room(id);
  if (!info) return tl::make_unexpected(info.error());
  const RoomRules* rules = find_room_rules(info->version);
  if (rules == nullptr) return fail(ErrorCode::not_found, "room version " + info->version + " is not known here");
  return rules;
}

Result<StatePtr> RoomReader::current_state(const RoomId& id) const {
  const auto head = database_.rooms().head(id);
  if (!head) return tl::make_unexpected(head.error());
  if (!head->has_value()) return tl::make_unexpected(unknown_room(id));
  return database_.rooms().state((*head)->current_state);
}

Result<EventPtr> RoomReader::state_event(const RoomId& id, std::string_view type, std::string_view key) const {
  const auto head = database_.rooms().head(id);
  if (!head) return tl::make_unexpected(head.error());
  if (!head->has_value()) return tl::make_unexpected(unknown_room(id));
  return state_event_at((*head)->current_state, type, key);
}

Result<EventPtr> RoomReader::state_event_at(storage::StateId state, std::string_view type, std::string_view key) const {
  const auto id = database_.rooms().state_event(state, StateKey{std::string(type), std::string(key)});
  if (!id) return tl::make_unexpected(id.error());
  if (!id->has_value()) return EventPtr();
  return stored_event(database_.rooms(), **id);
}

Result<std::string> RoomReader::membership(const RoomId& id, const UserId& user) const {
  auto membership = database_.rooms().membership(id, user);
  if (!membership) return tl::make_unexpected(membership.error());
  return membership->has_value() ? std::move((*membership)->membership) : std::string();
}

Result<bool> RoomReader::server_in_room(const RoomId& id, const ServerName& server) const {
  if (server == us_) {
    const auto users = database_.rooms().joined_local_users(id);
    if (!users) return tl::make_unexpected(users.error());
    return !users->empty();
  }
  const auto servers = database_.rooms().joined_servers(id);
  if (!servers) return tl::make_unexpected(servers.error());
  return std::find(servers->begin(), servers->end(), server) != servers->end();
}

Result<bool> RoomReader::acl_allows(const RoomId& id, const ServerName& server) const {
  const auto acl = state_event(id, "m.room.server_acl", "");
  if (!acl) return tl::make_unexpected(acl.error());
  return *acl == nullptr || server_acl_allows((*acl)->content(), server);
}

Result<std::int64_t> RoomReader::power(const RoomId& id, const UserId& user) const {
  const auto info = room(id);
  if (!info) return tl::make_unexpected(info.error());
  const auto room_rules = rules(id);
  if (!room_rules) return tl::make_unexpected(room_rules.error());
  const auto create = stored_event(database_.rooms(), info->create_event);
  if (!create) return tl::make_unexpected(create.error());
  const auto power_levels = state_event(id, "m.room.power_levels", "");
  if (!power_levels) return tl::make_unexpected(power_levels.error());
  return power_of_user(**room_rules, user, *create, *power_levels);
}

Result<Json> RoomReader::stripped_state(const RoomId& id, bool as_pdus) const {
  static constexpr std::array<std::string_view, 7> types = {
      "m.room.create",          "m.room.name",      "m.room.avatar", "m.room.topic", "m.room.join_rules",
      "m.room.canonical_alias", "m.room.encryption"};
  Json list = Json::array();
  for (const auto type : types) {
    const auto event = state_event(id, type, "");
    if (!event) return tl::make_unexpected(event.error());
    if (*event) list.push_back(as_pdus ? (*event)->pdu() : stripped(**event));
  }
  return list;
}

Result<bool> RoomReader::may_see(const UserId& user, const storage::StoredEvent& event) const {
  return user_may_see(database_.rooms(), user, event);
}

Result<Json> RoomReader::federation_pdu(const storage::StoredEvent& event) const {
  if (!event.redacted_by) return event.event->pdu();
  const auto room_rules = rules(event.event->room_id());
  if (!room_rules) return tl::make_unexpected(room_rules.error());
  return redact(**room_rules, event.event->pdu());
}

}  // namespace skerry::homeserver
