#include "homeserver/sync/filter.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/limits.h"

namespace skerry::homeserver {

namespace {

// `*` stands for any sequence. Linear in text times number of stars, without recursion.
bool matches_wildcard(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool any_matches(const std::vector<std::string>& patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& p) { return matches_wildcard(p, text); });
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

Result<std::optional<std::vector<std::string>>> string_list(const Json& object, const char* key) {
  const Json* list = find_member(object, key);
  if (list == nullptr || list->is_null()) return std::nullopt;
  if (!list->is_array())
    return fail(ErrorCode::bad_json, std::string("filter: ") + key + " must be an array of strings");
  std::vector<std::string> strings;
  for (const Json& item : *list) {
    if (!item.is_string())
      return fail(ErrorCode::bad_json, std::string("filter: ") + key + " must be an array of strings");
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

Result<void> read_list(const Json& object, const char* key, std::optional<std::vector<std::string>>& into) {
  auto list = string_list(object, key);
  if (!list) return tl::make_unexpected(list.error());
  into = std::move(*list);
  return {};
}

Result<void> read_list(const Json& object, const char* key, std::vector<std::string>& into) {
  auto list = string_list(object, key);
  if (!list) return tl::make_unexpected(list.error());
  if (*list) into = std::move(**list);
  return {};
}

Result<bool> read_flag(const Json& object, const char* key) {
  const Json* flag = find_member(object, key);
  if (flag == nullptr || flag->is_null()) return false;
  if (!flag->is_boolean()) return fail(ErrorCode::bad_json, std::string("filter: ") + key + " must be true or false");
  return flag->get<bool>();
}

// The filter of a member that may be absent.
Result<EventFilter> member_filter(const Json& object, const char* key) {
  const Json* member = find_member(object, key);
  if (member == nullptr || member->is_null()) return EventFilter{};
  return parse_event_filter(*member);
}

}  // namespace

bool EventFilter::wants_type(std::string_view type) const {
  return !any_matches(not_types, type) && (!types || any_matches(*types, type));
}

bool EventFilter::wants_sender(std::string_view sender) const {
  return !contains(not_senders, sender) && (!senders || contains(*senders, sender));
}

bool EventFilter::wants_room(std::string_view room) const {
  return !contains(not_rooms, room) && (!rooms || contains(*rooms, room));
}

bool EventFilter::wants(const Event& event) const {
  if (!wants_type(event.type()) || !wants_sender(event.sender().str()) || !wants_room(event.room_id().str()))
    return false;
  return !contains_url || *contains_url == (find_string(event.content(), "url") != nullptr);
}

Result<EventFilter> parse_event_filter(const Json& filter) {
  if (!filter.is_object()) return fail(ErrorCode::bad_json, "a filter must be an object");
  EventFilter parsed;
  for (const auto& done :
       {read_list(filter, "types", parsed.types), read_list(filter, "not_types", parsed.not_types),
        read_list(filter, "senders", parsed.senders), read_list(filter, "not_senders", parsed.not_senders),
        read_list(filter, "rooms", parsed.rooms), read_list(filter, "not_rooms", parsed.not_rooms)}) {
    if (!done) return tl::make_unexpected(done.error());
  }
  if (const Json* limit = find_member(filter, "limit"); limit != nullptr && !limit->is_null()) {
    if (!limit->is_number_integer()) return fail(ErrorCode::bad_json, "filter: limit must be an integer");
    const auto wanted = limit->get<std::int64_t>();
    parsed.limit = static_cast<std::size_t>(std::clamp<std::int64_t>(wanted, 1, limits::page_events));
  }
  if (const Json* url = find_member(filter, "contains_url"); url != nullptr && !url->is_null()) {
    auto flag = read_flag(filter, "contains_url");
    if (!flag) return tl::make_unexpected(flag.error());
    parsed.contains_url = *flag;
  }
  auto lazy = read_flag(filter, "lazy_load_members");
  if (!lazy) return tl::make_unexpected(lazy.error());
  parsed.lazy_load_members = *lazy;
  auto threads = read_flag(filter, "unread_thread_notifications");
  if (!threads) return tl::make_unexpected(threads.error());
  parsed.unread_thread_notifications = *threads;
  return parsed;
}

Result<Filter> parse_filter(const Json& filter) {
  if (!filter.is_object()) return fail(ErrorCode::bad_json, "a filter must be an object");
  Filter parsed;
  auto account_data = member_filter(filter, "account_data");
  if (!account_data) return tl::make_unexpected(account_data.error());
  parsed.account_data = std::move(*account_data);
  auto presence = member_filter(filter, "presence");
  if (!presence) return tl::make_unexpected(presence.error());
  parsed.presence = std::move(*presence);
  const Json* room = find_member(filter, "room");
  if (room == nullptr || room->is_null()) return parsed;
  auto rooms = parse_event_filter(*room);
  if (!rooms) return tl::make_unexpected(rooms.error());
  parsed.room = std::move(*rooms);
  auto leave = read_flag(*room, "include_leave");
  if (!leave) return tl::make_unexpected(leave.error());
  parsed.include_leave = *leave;
  const std::pair<const char*, EventFilter*> members[] = {{"timeline", &parsed.timeline},
                                                          {"state", &parsed.state},
                                                          {"ephemeral", &parsed.ephemeral},
                                                          {"account_data", &parsed.room_account_data}};
  for (const auto& [key, into] : members) {
    auto member = member_filter(*room, key);
    if (!member) return tl::make_unexpected(member.error());
    *into = std::move(*member);
  }
  return parsed;
}

}  // namespace skerry::homeserver
