#include "core/event.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace skerry {

struct Event::Fields {
  EventId id;
  RoomId room_id;
  UserId sender;
  std::string type;
  std::optional<std::string> state_key;
  Json content;
  std::int64_t origin_server_ts_ms = 0;
  std::int64_t depth = 0;
  std::vector<EventId> prev_events;
  std::vector<EventId> auth_events;
  EventId redacts_top_level;
  EventId redacts_in_content;
  std::string canonical_text;

  // Takes everything but id and canonical_text out of the PDU, whose content moves here. REQUIRES: id is set. False
  // when the PDU has not the shape of an event.
  bool read(Json& pdu);

 private:
  bool read_room_id(const Json& pdu);
  void read_redacts(const Json& pdu);
};

namespace {

// The event id that an entry of prev_events or auth_events cites: the entry itself, or its first element (versions 1
// and 2). Empty when there is none.
EventId cited_id(const Json& entry) {
  const bool is_pair = entry.is_array() && !entry.empty();
  const Json& id = is_pair ? entry.front() : entry;
  return id.is_string() ? EventId::parse(id.get_ref<const std::string&>()).value_or(EventId{}) : EventId{};
}

// False when the member is not an array of citations.
bool read_event_ids(const Json& pdu, std::string_view name, std::vector<EventId>& into) {
  const Json* ids = find_array(pdu, name);
  if (ids == nullptr) return false;
  into.reserve(ids->size());
  for (const Json& entry : *ids) {
    EventId id = cited_id(entry);
    if (id.empty()) return false;
    into.push_back(std::move(id));
  }
  return true;
}

void keep_first_of_each(std::vector<EventId>& ids) {
  auto end = ids.begin();
  for (auto& id : ids) {
    if (std::find(ids.begin(), end, id) != end) continue;
    if (&*end != &id) *end = std::move(id);
    ++end;
  }
  ids.erase(end, ids.end());
}

bool read_integer(const Json& pdu, std::string_view name, std::int64_t& into) {
  const Json* member = find_member(pdu, name);
  if (member == nullptr || !member->is_number_integer()) return false;
  into = member->get<std::int64_t>();
  return true;
}

EventId event_id_at(const Json& object, std::string_view name) {
  const std::string* text = find_string(object, name);
  return text == nullptr ? EventId{} : EventId::parse(*text).value_or(EventId{});
}

}  // namespace

bool Event::Fields::read(Json& pdu) {
  const std::string* sender_text = find_string(pdu, "sender");
  const std::string* type_text = find_string(pdu, "type");
  if (sender_text == nullptr || type_text == nullptr || find_object(pdu, "content") == nullptr) return false;
  auto sender_id = UserId::parse(*sender_text);
  if (!sender_id) return false;
  sender = *std::move(sender_id);
  type = *type_text;
  if (const std::string* key = find_string(pdu, "state_key")) state_key = *key;
  if (!read_integer(pdu, "origin_server_ts", origin_server_ts_ms) || !read_integer(pdu, "depth", depth) ||
      !read_event_ids(pdu, "prev_events", prev_events) || !read_event_ids(pdu, "auth_events", auth_events) ||
      !read_room_id(pdu)) {
    return false;
  }
  keep_first_of_each(prev_events);
  if (type == "m.room.redaction") read_redacts(pdu);
  content = std::move(pdu["content"]);
  return true;
}

// A create event without room_id names its room itself: `!` and its own hash (version 12).
bool Event::Fields::read_room_id(const Json& pdu) {
  const std::string* text = find_string(pdu, "room_id");
  const bool is_own_hash = text == nullptr && type == "m.room.create";
  if (text == nullptr && !is_own_hash) return false;
  auto parsed = RoomId::parse(is_own_hash ? "!" + id.str().substr(1) : *text);
  if (!parsed) return false;
  room_id = *std::move(parsed);
  return true;
}

void Event::Fields::read_redacts(const Json& pdu) {
  redacts_top_level = event_id_at(pdu, "redacts");
  redacts_in_content = event_id_at(*find_object(pdu, "content"), "redacts");
}

Event::Event() : fields_(std::make_unique<Fields>()) {}
Event::~Event() = default;

Result<EventPtr> Event::make(const RoomRules& rules, Json pdu) {
  auto id = event_id_of(rules, pdu);
  if (!id) return tl::make_unexpected(id.error());
  auto text = canonical_json_without(pdu, {"unsigned"}, rules.numbers);
  if (!text) return tl::make_unexpected(text.error());
  std::shared_ptr<Event> event(new Event);
  event->fields_->id = *std::move(id);
  event->fields_->canonical_text = *std::move(text);
  if (!event->fields_->read(pdu)) return fail(ErrorCode::bad_json, "not an event");
  return event;
}

Result<EventPtr> Event::from_stored(EventId id, std::string canonical_text) {
  auto pdu = parse_stored(canonical_text);
  if (!pdu) return tl::make_unexpected(pdu.error());
  std::shared_ptr<Event> event(new Event);
  event->fields_->id = std::move(id);
  event->fields_->canonical_text = std::move(canonical_text);
  if (!event->fields_->read(*pdu)) return fail(ErrorCode::internal, "stored text is not an event");
  return event;
}

const EventId& Event::id() const { return fields_->id; }
const RoomId& Event::room_id() const { return fields_->room_id; }
const UserId& Event::sender() const { return fields_->sender; }
const std::string& Event::type() const { return fields_->type; }
const std::optional<std::string>& Event::state_key() const { return fields_->state_key; }
bool Event::is_state(std::string_view type, std::string_view key) const {
  return fields_->type == type && fields_->state_key == key;
}
const Json& Event::content() const { return fields_->content; }
std::int64_t Event::origin_server_ts_ms() const { return fields_->origin_server_ts_ms; }
std::int64_t Event::depth() const { return fields_->depth; }
const std::vector<EventId>& Event::prev_events() const { return fields_->prev_events; }
const std::vector<EventId>& Event::auth_events() const { return fields_->auth_events; }

const EventId& Event::redacts(const RoomRules& rules) const {
  return rules.redacts_in_content ? fields_->redacts_in_content : fields_->redacts_top_level;
}

std::string_view Event::membership() const {
  if (fields_->type != "m.room.member") return {};
  const std::string* membership = find_string(fields_->content, "membership");
  return membership == nullptr ? std::string_view{} : *membership;
}

const std::string& Event::canonical_text() const { return fields_->canonical_text; }

// The text was made by canonical_json or came from this server's database: it parses.
Json Event::pdu() const { return parse_stored(fields_->canonical_text).value(); }

}  // namespace skerry
