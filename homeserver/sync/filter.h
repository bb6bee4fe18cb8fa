// What a client wants to see of events. Client-server API, 'Filtering'.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"
#include "core/json.h"
#include "core/result.h"

namespace skerry::homeserver {

// An EventFilter or RoomEventFilter. Absent lists include everything; exclusions win.
struct EventFilter {
  std::optional<std::vector<std::string>> types;  // `*` matches any sequence
  std::vector<std::string> not_types;
  std::optional<std::vector<std::string>> senders;
  std::vector<std::string> not_senders;
  std::optional<std::vector<std::string>> rooms;
  std::vector<std::string> not_rooms;
  std::optional<bool> contains_url;
  std::size_t limit = 10;  // at most limits::page_events
  bool lazy_load_members = false;
  bool unread_thread_notifications = false;  // of /sync: counts by thread

  bool wants_type(std::string_view type) const;
  bool wants_sender(std::string_view sender) const;
  bool wants_room(std::string_view room) const;
  bool wants(const Event& event) const;  // type, sender, room and contains_url
};

struct Filter {
  EventFilter timeline;
  EventFilter state;
  EventFilter ephemeral;
  EventFilter room_account_data;
  EventFilter account_data;
  EventFilter presence;
  EventFilter room;  // only rooms and not_rooms are used
  bool include_leave = false;
};

// Unknown members are ignored. Errors: bad_json when a known member has the wrong type.
Result<Filter> parse_filter(const Json& filter);
Result<EventFilter> parse_event_filter(const Json& filter);

}  // namespace skerry::homeserver
