#include "homeserver/inspect/event_files.h"

#include <fstream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "core/json.h"

namespace skerry::homeserver::inspect {

namespace {

Result<Json> read_array(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return fail(ErrorCode::invalid_param, "cannot read " + file);
  auto json = parse_untrusted(text.str(), JsonNumbers::any);
  if (!json) return fail(ErrorCode::invalid_param, file + ": " + json.error().text);
  if (!json->is_array()) return fail(ErrorCode::invalid_param, file + " is no JSON array");
  return json;
}

// Ids as they are in versions from 3 on. Room versions 1 and 2: [id, hashes].
void simplify_ids(Json& pdu, const char* name) {
  Json& ids = pdu[name];
  if (ids.is_null()) ids = Json::array();
  if (!ids.is_array()) return;
  for (Json& id : ids) {
    if (id.is_array() && !id.empty()) id = Json(id.front());
  }
}

Result<EventPtr> event_of(Json pdu) {
  if (!pdu.is_object()) return fail(ErrorCode::invalid_param, "is no object");
  const std::string* text = find_string(pdu, "event_id");
  if (text == nullptr) return fail(ErrorCode::invalid_param, "has no event_id");
  auto id = EventId::parse(*text);
  if (!id) return fail(ErrorCode::invalid_param, "has an event_id that is none: " + *text);
  pdu.erase("event_id");
  pdu.erase("unsigned");
  simplify_ids(pdu, "prev_events");
  simplify_ids(pdu, "auth_events");
  pdu.emplace("depth", 0);
  pdu.emplace("origin_server_ts", 0);
  pdu.emplace("content", Json::object());
  auto event = Event::from_stored(*id, dump(pdu));
  if (!event)
    return fail(ErrorCode::invalid_param, id->str() + " is no event: it needs room_id, sender, type, content");
  return event;
}

}  // namespace

Result<EventsById> read_events(const std::vector<std::string>& files) {
  EventsById events;
  for (const std::string& file : files) {
    auto array = read_array(file);
    if (!array) return tl::make_unexpected(array.error());
    for (std::size_t i = 0; i < array->size(); ++i) {
      auto event = event_of(std::move((*array)[i]));
      if (!event) {
        return fail(ErrorCode::invalid_param, file + ", entry " + std::to_string(i + 1) + ": " + event.error().text);
      }
      const auto [known, is_new] = events.emplace((*event)->id(), *event);
      if (!is_new && known->second->canonical_text() != (*event)->canonical_text()) {
        return fail(ErrorCode::invalid_param, file + ": there are two different events " + (*event)->id().str());
      }
    }
  }
  return events;
}

Result<StatePtr> read_state(const std::string& file, const EventsById& events) {
  const auto ids = read_array(file);
  if (!ids) return tl::make_unexpected(ids.error());
  auto state = std::make_shared<StateMap>();
  for (const Json& entry : *ids) {
    const auto id =
        entry.is_string() ? EventId::parse(entry.get_ref<const std::string&>()) : Result<EventId>(EventId());
    if (!id || id->empty()) return fail(ErrorCode::invalid_param, file + ": " + dump(entry) + " is no event id");
    const auto event = events.find(*id);
    if (event == events.end()) return fail(ErrorCode::invalid_param, file + ": there is no event " + id->str());
    if (!event->second->is_state())
      return fail(ErrorCode::invalid_param, file + ": " + id->str() + " is no state event");
    const StateKey key{event->second->type(), *event->second->state_key()};
    if (const auto [known, is_new] = state->emplace(key, *id); !is_new && known->second != *id) {
      return fail(ErrorCode::invalid_param, file + ": two events for " + key.type + " '" + key.state_key +
                                                "': " + known->second.str() + " and " + id->str());
    }
  }
  return StatePtr(state);
}

Result<void> check_auth_events_are_there(const EventsById& events) {
  for (const auto& [id, event] : events) {
    for (const EventId& cited : event->auth_events()) {
      if (!events.contains(cited)) {
        return fail(ErrorCode::invalid_param,
                    "the auth event " + cited.str() + ", which " + id.str() + " cites, is absent");
      }
    }
  }
  return {};
}

}  // namespace skerry::homeserver::inspect
