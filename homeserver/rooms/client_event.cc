// An event as clients see it ('Room event format').
#include <nlohmann/json.hpp>

#include "homeserver/rooms/reader.h"

namespace skerry::homeserver {

namespace {

// Null when this server does not know the room or its version.
const RoomRules* rules_of(storage::RoomStore& store, const Event& event) {
  const auto info = store.room(event.room_id());
  return info && info->has_value() ? find_room_rules((*info)->version) : nullptr;
}

// What redaction leaves of the content.
Json redacted_content(storage::RoomStore& store, const Event& event) {
  const RoomRules* rules = rules_of(store, event);
  if (rules == nullptr) return Json::object();
  const Json pdu = redact(*rules, event.pdu());
  const Json* content = find_object(pdu, "content");
  return content == nullptr ? Json::object() : *content;
}

std::optional<storage::StoredEvent> event_of_state(storage::RoomStore& store, storage::StateId state,
                                                   const StateKey& key) {
  const auto id = store.state_event(state, key);
  if (!id || !id->has_value()) return std::nullopt;
  auto event = store.event(**id);
  return event ? std::move(*event) : std::nullopt;
}

// The members that do not depend on who reads.
Json bare_event(const storage::StoredEvent& stored, storage::RoomStore& store, std::int64_t now_ms) {
  const Event& event = *stored.event;
  Json json = {{"event_id", event.id().str()},
               {"type", event.type()},
               {"sender", event.sender().str()},
               {"origin_server_ts", event.origin_server_ts_ms()},
               {"content", stored.redacted_by ? redacted_content(store, event) : event.content()},
               {"unsigned", Json{{"age", now_ms - event.origin_server_ts_ms()}}}};
  if (event.state_key()) json["state_key"] = *event.state_key();
  if (event.type() == "m.room.redaction" && !stored.redacted_by) {
    const RoomRules* rules = rules_of(store, event);
    const EventId target = rules == nullptr ? EventId() : event.redacts(*rules);
    if (!target.empty()) {
      // Clients of either side of room version 11 look for it in one of two places.
      json["redacts"] = target.str();
      json["content"]["redacts"] = target.str();
    }
  }
  return json;
}

// unsigned.prev_content, where the reader (null: who may see all) may see the event replaced, and
// unsigned.replaces_state.
void add_previous(const storage::StoredEvent& stored, storage::RoomStore& store, const UserId* reader, Json& about) {
  const Event& event = *stored.event;
  const auto previous = event_of_state(store, stored.state_before, StateKey{event.type(), *event.state_key()});
  if (!previous || previous->event->id() == event.id()) return;
  about["replaces_state"] = previous->event->id().str();
  if (reader != nullptr) {
    const auto may_see = user_may_see(store, *reader, *previous);
    if (!may_see || !*may_see) return;
  }
  about["prev_content"] =
      previous->redacted_by ? redacted_content(store, *previous->event) : previous->event->content();
}

// The reader's membership at the event, its own change included.
std::string membership_at(const storage::StoredEvent& stored, storage::RoomStore& store, const UserId& reader) {
  if (stored.event->is_state("m.room.member", reader.str())) return std::string(stored.event->membership());
  const auto member = event_of_state(store, stored.state_before, StateKey{"m.room.member", reader.str()});
  return member ? std::string(member->event->membership()) : "leave";
}

void add_redaction(const storage::StoredEvent& stored, storage::RoomStore& store, std::int64_t now_ms, Json& about) {
  if (!stored.redacted_by) return;
  const auto redaction = store.event(*stored.redacted_by);
  if (redaction && redaction->has_value()) about["redacted_because"] = bare_event(**redaction, store, now_ms);
}

}  // namespace

Json appservice_event(const storage::StoredEvent& stored, storage::RoomStore& store, std::int64_t now_ms) {
  Json json = bare_event(stored, store, now_ms);
  json["room_id"] = stored.event->room_id().str();
  Json& about = json["unsigned"];
  add_redaction(stored, store, now_ms, about);
  if (stored.event->is_state() && !stored.outlier) add_previous(stored, store, nullptr, about);
  return json;
}

Json client_event(const storage::StoredEvent& stored, storage::RoomStore& store, std::int64_t now_ms,
                  const UserId& reader, const std::string& reader_device, bool with_room_id) {
  const Event& event = *stored.event;
  Json json = bare_event(stored, store, now_ms);
  if (with_room_id) json["room_id"] = event.room_id().str();
  Json& about = json["unsigned"];
  const bool is_own = event.sender() == reader && !stored.transaction_id.empty();
  if (is_own && stored.transaction_device == reader_device) about["transaction_id"] = stored.transaction_id;
  add_redaction(stored, store, now_ms, about);
  if (stored.outlier) return json;  // nothing is known of its place
  if (event.is_state()) add_previous(stored, store, &reader, about);
  about["membership"] = membership_at(stored, store, reader);
  return json;
}

}  // namespace skerry::homeserver
