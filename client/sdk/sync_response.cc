#include "client/sdk/sync_response.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace skerry::client {
namespace {

std::vector<RoomEvent> events_in(const Json& parent, std::string_view section) {
  std::vector<RoomEvent> out;
  const Json* object = find_object(parent, section);
  const Json* events = object ? find_array(*object, "events") : nullptr;
  if (!events) return out;
  for (const Json& event : *events) {
    if (auto parsed = parse_room_event(event)) out.push_back(std::move(*parsed));
  }
  return out;
}

std::optional<int> count_at(const Json* object, std::string_view key) {
  const Json* value = object ? find_member(*object, key) : nullptr;
  if (!value || !value->is_number_integer()) return std::nullopt;
  return static_cast<int>(std::clamp<std::int64_t>(value->get<std::int64_t>(), 0, 1'000'000));
}

std::optional<std::vector<std::string>> strings_at(const Json* object, std::string_view key) {
  const Json* array = object ? find_array(*object, key) : nullptr;
  if (!array) return std::nullopt;
  std::vector<std::string> out;
  for (const Json& value : *array) {
    if (value.is_string()) out.push_back(value.get<std::string>());
  }
  return out;
}

std::optional<std::vector<std::string>> typing_in(const Json& entry) {
  const Json* ephemeral = find_object(entry, "ephemeral");
  const Json* events = ephemeral ? find_array(*ephemeral, "events") : nullptr;
  std::optional<std::vector<std::string>> out;
  if (!events) return out;
  for (const Json& event : *events) {
    const std::string* type = find_string(event, "type");
    if (type && *type == "m.typing") out = strings_at(find_object(event, "content"), "user_ids");
  }
  return out;
}

// Calls `use(room_id, entry)` for each room of one section.
template <class Use>
void each_room(const Json& answer, std::string_view section, Use use) {
  const Json* rooms = find_object(answer, "rooms");
  const Json* entries = rooms ? find_object(*rooms, section) : nullptr;
  if (!entries) return;
  for (const auto& [room_id, entry] : entries->items()) {
    if (entry.is_object()) use(room_id, entry);
  }
}

}  // namespace

JoinedRoomUpdate parse_joined_room(const std::string& room_id, const Json& entry) {
  JoinedRoomUpdate out;
  out.room_id = room_id;
  out.state = events_in(entry, "state");
  out.timeline = events_in(entry, "timeline");
  if (const Json* timeline = find_object(entry, "timeline")) {
    if (const auto* limited = find_member(*timeline, "limited"))
      out.limited = limited->is_boolean() && limited->get<bool>();
    if (const auto* token = find_string(*timeline, "prev_batch")) out.prev_batch = *token;
  }
  const Json* summary = find_object(entry, "summary");
  out.heroes = strings_at(summary, "m.heroes");
  out.joined_count = count_at(summary, "m.joined_member_count");
  out.invited_count = count_at(summary, "m.invited_member_count");
  const Json* unread = find_object(entry, "unread_notifications");
  out.notification_count = count_at(unread, "notification_count");
  out.highlight_count = count_at(unread, "highlight_count");
  out.typing = typing_in(entry);
  return out;
}

std::optional<SyncResponse> parse_sync_response(const Json& answer) {
  const std::string* next = find_string(answer, "next_batch");
  if (!next || next->empty()) return std::nullopt;
  SyncResponse out;
  out.next_batch = *next;
  each_room(answer, "join",
            [&out](const std::string& id, const Json& entry) { out.joined.push_back(parse_joined_room(id, entry)); });
  each_room(answer, "invite", [&out](const std::string& id, const Json& entry) {
    out.invited.push_back({id, events_in(entry, "invite_state")});
  });
  each_room(answer, "knock", [&out](const std::string& id, const Json& entry) {
    out.knocked.push_back({id, events_in(entry, "knock_state")});
  });
  each_room(answer, "leave", [&out](const std::string& id, const Json& entry) {
    out.left.push_back({id, events_in(entry, "timeline")});
  });
  return out;
}

}  // namespace skerry::client
