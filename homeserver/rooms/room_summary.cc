#include "homeserver/rooms/room_summary.h"

#include <algorithm>
#include <tuple>

#include <nlohmann/json.hpp>

#include "core/room_rules.h"
#include "homeserver/rooms/restricted.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t order_bytes = 50;
constexpr std::size_t text_bytes = 65'536;  // of one member of another server's summary

// A string of a state event's content, or "".
std::string state_string(const RoomReader& reader, const RoomId& room, const char* type, const char* member) {
  auto event = reader.state_event(room, type, "");
  if (!event || !*event) return "";
  const std::string* value = find_string((*event)->content(), member);
  return value == nullptr ? "" : *value;
}

// The rooms that restricted join rules name.
std::vector<RoomId> allowed_rooms(const Json& join_rules) {
  std::vector<RoomId> rooms;
  const Json* allow = find_array(join_rules, "allow");
  if (allow == nullptr) return rooms;
  for (const Json& condition : *allow) {
    if (!condition.is_object() || rooms.size() >= max_conditions) continue;
    const std::string* type = find_string(condition, "type");
    const std::string* id = find_string(condition, "room_id");
    if (type == nullptr || id == nullptr || *type != "m.room_membership") continue;
    if (auto room = RoomId::parse(*id)) rooms.push_back(std::move(*room));
  }
  return rooms;
}

struct Door {
  bool open = false;  // to anyone
  std::vector<RoomId> allowed;
};

Result<Door> door_of(const RoomReader& reader, const RoomId& room) {
  auto rules = reader.rules(room);
  if (!rules) return tl::make_unexpected(rules.error());
  auto event = reader.state_event(room, "m.room.join_rules", "");
  if (!event) return tl::make_unexpected(event.error());
  Door door;
  door.open = state_string(reader, room, "m.room.history_visibility", "history_visibility") == "world_readable";
  const std::string* rule = *event ? find_string((*event)->content(), "join_rule") : nullptr;
  if (rule == nullptr) return door;
  const bool knock_restricted = *rule == "knock_restricted" && (*rules)->knock_restricted;
  if (*rule == "public" || (*rule == "knock" && (*rules)->knocking) || knock_restricted) door.open = true;
  if (knock_restricted || (*rule == "restricted" && (*rules)->restricted_joins))
    door.allowed = allowed_rooms((*event)->content());
  return door;
}

}  // namespace

Result<Json> public_rooms_chunk(storage::RoomStore& store, const RoomReader& reader, const RoomId& room) {
  auto members = store.members(room);
  if (!members) return tl::make_unexpected(members.error());
  const auto joined =
      std::count_if(members->begin(), members->end(), [](const auto& m) { return m.membership == "join"; });
  const std::string join_rule = state_string(reader, room, "m.room.join_rules", "join_rule");
  Json entry = {{"room_id", room.str()},
                {"num_joined_members", joined},
                {"world_readable",
                 state_string(reader, room, "m.room.history_visibility", "history_visibility") == "world_readable"},
                {"guest_can_join", state_string(reader, room, "m.room.guest_access", "guest_access") == "can_join"},
                {"join_rule", join_rule.empty() ? "invite" : join_rule}};
  const std::pair<const char*, std::string> optional[] = {
      {"name", state_string(reader, room, "m.room.name", "name")},
      {"topic", state_string(reader, room, "m.room.topic", "topic")},
      {"canonical_alias", state_string(reader, room, "m.room.canonical_alias", "alias")},
      {"avatar_url", state_string(reader, room, "m.room.avatar", "url")},
      {"room_type", state_string(reader, room, "m.room.create", "type")}};
  for (const auto& [key, value] : optional) {
    if (!value.empty()) entry[key] = value;
  }
  return entry;
}

Result<Json> room_summary(storage::RoomStore& store, const RoomReader& reader, const RoomId& room) {
  auto info = reader.room(room);
  if (!info) return tl::make_unexpected(info.error());
  auto entry = public_rooms_chunk(store, reader, room);
  if (!entry) return entry;
  (*entry)["room_version"] = info->version;
  if (std::string algorithm = state_string(reader, room, "m.room.encryption", "algorithm"); !algorithm.empty())
    (*entry)["encryption"] = std::move(algorithm);
  auto door = door_of(reader, room);
  if (!door) return tl::make_unexpected(door.error());
  for (const RoomId& allowed : door->allowed) (*entry)["allowed_room_ids"].push_back(allowed.str());
  return entry;
}

Result<bool> is_public(const RoomReader& reader, const RoomId& room) {
  auto event = reader.state_event(room, "m.room.join_rules", "");
  if (!event) return tl::make_unexpected(event.error());
  const std::string* rule = *event ? find_string((*event)->content(), "join_rule") : nullptr;
  if (rule != nullptr && *rule == "public") return true;
  return state_string(reader, room, "m.room.history_visibility", "history_visibility") == "world_readable";
}

Result<bool> may_preview(storage::RoomStore& store, const RoomReader& reader, const RoomId& room, const UserId& user) {
  auto membership = reader.membership(room, user);
  if (!membership) return tl::make_unexpected(membership.error());
  if (*membership == "join" || *membership == "invite") return true;
  if (*membership == "ban") return false;
  auto door = door_of(reader, room);
  if (!door) return tl::make_unexpected(door.error());
  if (door->open) return true;
  for (const RoomId& allowed : door->allowed) {
    auto there = store.membership(allowed, user);
    if (!there) return tl::make_unexpected(there.error());
    if (*there && (*there)->membership == "join") return true;
  }
  return false;
}

Result<bool> may_preview(storage::RoomStore& store, const RoomReader& reader, const RoomId& room,
                         const ServerName& server) {
  auto acl = reader.acl_allows(room, server);
  if (!acl || !*acl) return acl;
  auto door = door_of(reader, room);
  if (!door) return tl::make_unexpected(door.error());
  if (door->open) return true;
  auto members = store.members(room);
  if (!members) return tl::make_unexpected(members.error());
  if (std::any_of(members->begin(), members->end(), [&](const storage::Membership& member) {
        return member.user.server() == server && (member.membership == "join" || member.membership == "invite");
      })) {
    return true;
  }
  for (const RoomId& allowed : door->allowed) {
    auto is_in = reader.server_in_room(allowed, server);
    if (!is_in) return is_in;
    if (*is_in) return true;
  }
  return false;
}

std::optional<SpaceChild> SpaceChild::parse(const Json& event) {
  if (!event.is_object()) return std::nullopt;
  const std::string* type = find_string(event, "type");
  const std::string* key = find_string(event, "state_key");
  const std::string* sender = find_string(event, "sender");
  const Json* content = find_object(event, "content");
  const Json* ts = find_member(event, "origin_server_ts");
  const Json* via = content != nullptr ? find_array(*content, "via") : nullptr;
  if (type == nullptr || *type != "m.space.child" || key == nullptr || sender == nullptr || via == nullptr)
    return std::nullopt;
  auto room = RoomId::parse(*key);
  if (!room || ts == nullptr || !ts->is_number_integer()) return std::nullopt;
  SpaceChild child;
  child.room = std::move(*room);
  for (const Json& name : *via) {
    auto server = name.is_string() ? ServerName::parse(name.get<std::string>()) : fail(ErrorCode::invalid_param, "");
    if (server && child.via.size() < most_via) child.via.push_back(std::move(*server));
  }
  if (child.via.empty()) return std::nullopt;
  const Json* suggested = find_member(*content, "suggested");
  child.suggested = suggested != nullptr && *suggested == true;
  if (const std::string* order = find_string(*content, "order");
      order != nullptr && order->size() <= order_bytes &&
      std::all_of(order->begin(), order->end(), [](char c) { return c >= '\x20' && c <= '\x7E'; })) {
    child.order = *order;
  }
  child.ts_ms = ts->get<std::int64_t>();
  child.stripped = std::make_shared<const Json>(Json{{"type", *type},
                                                     {"state_key", *key},
                                                     {"sender", *sender},
                                                     {"content", *content},
                                                     {"origin_server_ts", child.ts_ms}});
  return child;
}

void sort_children(std::vector<SpaceChild>& children) {
  const auto key = [](const SpaceChild& child) {
    return std::tuple(child.order.empty(), std::string_view(child.order), child.ts_ms, child.room.str());
  };
  std::sort(children.begin(), children.end(),
            [&](const SpaceChild& a, const SpaceChild& b) { return key(a) < key(b); });
}

Result<std::vector<SpaceChild>> space_children(storage::RoomStore& store, const RoomReader& reader,
                                               const RoomId& room) {
  std::vector<SpaceChild> children;
  if (state_string(reader, room, "m.room.create", "type") != "m.space") return children;
  auto state = reader.current_state(room);
  if (!state) return tl::make_unexpected(state.error());
  std::vector<EventId> ids;
  for (auto entry = (*state)->lower_bound({"m.space.child", ""});
       entry != (*state)->end() && entry->first.type == "m.space.child" && ids.size() < SpaceChild::most; ++entry) {
    ids.push_back(entry->second);
  }
  auto events = store.events(ids);
  if (!events) return tl::make_unexpected(events.error());
  for (const storage::StoredEvent& stored : *events) {
    if (stored.redacted_by) continue;  // its via is gone
    if (auto child = SpaceChild::parse(stored.event->pdu())) children.push_back(std::move(*child));
  }
  sort_children(children);
  return children;
}

std::optional<Json> parse_summary(const Json& untrusted, const RoomId& room) {
  const std::string* id = untrusted.is_object() ? find_string(untrusted, "room_id") : nullptr;
  if (id == nullptr || *id != room.str()) return std::nullopt;
  Json summary = {
      {"room_id", room.str()}, {"num_joined_members", 0}, {"world_readable", false}, {"guest_can_join", false}};
  if (const Json* count = find_member(untrusted, "num_joined_members"); count != nullptr && count->is_number_unsigned())
    summary["num_joined_members"] = *count;
  for (const char* key : {"world_readable", "guest_can_join"}) {
    if (const Json* flag = find_member(untrusted, key); flag != nullptr && flag->is_boolean()) summary[key] = *flag;
  }
  for (const char* key :
       {"name", "topic", "canonical_alias", "avatar_url", "room_type", "join_rule", "encryption", "room_version"}) {
    if (const std::string* text = find_string(untrusted, key); text != nullptr && text->size() <= text_bytes)
      summary[key] = *text;
  }
  if (const Json* allowed = find_array(untrusted, "allowed_room_ids")) {
    for (const Json& entry : *allowed) {
      if (entry.is_string() && RoomId::parse(entry.get<std::string>()) &&
          summary["allowed_room_ids"].size() < max_conditions) {
        summary["allowed_room_ids"].push_back(entry);
      }
    }
  }
  return summary;
}

}  // namespace skerry::homeserver
