// An event as clients see it, read leniently: it comes from a server that checked it, or did not.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"

namespace skerry::client {

struct RoomEvent {
  std::string event_id;  // empty in stripped state
  std::string type;
  std::string sender;
  std::optional<std::string> state_key;
  std::int64_t origin_server_ts = 0;  // Unix time, milliseconds; what the sender's server claims
  std::string transaction_id;         // of our own events: what we sent them with
  std::string redacts;                // m.room.redaction: its target
  bool redacted = false;              // its content is gone
  std::shared_ptr<const Json> json;   // the whole event; never null

  const Json& content() const;  // an object, empty when the event has none
  // A string in the content, or empty.
  std::string text(std::string_view key) const;
};

// Nothing when type or sender is missing.
std::optional<RoomEvent> parse_room_event(const Json& event);

// How an event relates to another (client-server API, 'Forming relationships between events').
struct Relation {
  std::string type;      // "m.replace", "m.annotation", "m.thread"
  std::string event_id;  // its target
  std::string key;       // of an annotation
  std::string reply_to;  // m.in_reply_to, with or without a type
};
Relation relation_of(const RoomEvent& event);

}  // namespace skerry::client
