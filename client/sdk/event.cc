#include "client/sdk/event.h"

#include <nlohmann/json.hpp>

namespace skerry::client {
namespace {

std::string string_at(const Json& object, std::string_view key) {
  const std::string* text = find_string(object, key);
  return text ? *text : std::string();
}

}  // namespace

const Json& RoomEvent::content() const {
  static const Json empty = Json::object();
  const Json* content = find_object(*json, "content");
  return content ? *content : empty;
}

std::string RoomEvent::text(std::string_view key) const { return string_at(content(), key); }

std::optional<RoomEvent> parse_room_event(const Json& event) {
  const std::string* type = find_string(event, "type");
  const std::string* sender = find_string(event, "sender");
  if (!type || !sender) return std::nullopt;
  RoomEvent out;
  out.type = *type;
  out.sender = *sender;
  out.event_id = string_at(event, "event_id");
  if (const auto* key = find_string(event, "state_key")) out.state_key = *key;
  if (const auto* time = find_member(event, "origin_server_ts"); time && time->is_number_integer()) {
    out.origin_server_ts = time->get<std::int64_t>();
  }
  out.json = std::make_shared<const Json>(event);
  if (const auto* extra = find_object(event, "unsigned")) {
    out.transaction_id = string_at(*extra, "transaction_id");
    out.redacted = find_object(*extra, "redacted_because") != nullptr;
  }
  // Room version 11 moved `redacts` into the content; servers give either or both to clients.
  out.redacts = string_at(event, "redacts");
  if (out.redacts.empty()) out.redacts = out.text("redacts");
  return out;
}

Relation relation_of(const RoomEvent& event) {
  Relation out;
  const Json* relates = find_object(event.content(), "m.relates_to");
  if (!relates) return out;
  out.type = string_at(*relates, "rel_type");
  out.event_id = string_at(*relates, "event_id");
  out.key = string_at(*relates, "key");
  if (const auto* reply = find_object(*relates, "m.in_reply_to")) out.reply_to = string_at(*reply, "event_id");
  return out;
}

}  // namespace skerry::client
