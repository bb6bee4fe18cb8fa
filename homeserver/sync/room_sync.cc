#include "homeserver/sync/room_sync.h"

#include <algorithm>
#include <map>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/aggregations.h"
#include "homeserver/sync/receipts.h"
#include "homeserver/sync/tokens.h"

namespace skerry::homeserver {

namespace {

constexpr int max_timeline_pages = 10;  // how far to look for events that a filter wants
constexpr int max_membership_changes = 100;
constexpr std::size_t heroes = 5;
const char* const member_type = "m.room.member";

Json count_json(const UnreadCount& count) {
  return {{"notification_count", count.notifications}, {"highlight_count", count.highlights}};
}

}  // namespace

RoomSync::RoomSync(storage::Database& database, RoomReader& reader, const Typing& typing, UnreadCounter& unread,
                   const SyncRequest& request, storage::StreamPosition now, std::int64_t now_ms, const RoomId& room)
    : database_(database),
      reader_(reader),
      typing_(typing),
      unread_(unread),
      request_(request),
      now_(now),
      now_ms_(now_ms),
      room_(room) {}

Result<Json> RoomSync::joined(const storage::Membership& membership, const Json& room_account_data, bool* worth) {
  auto continuing = was_joined_at_since(membership);
  if (!continuing) return tl::make_unexpected(continuing.error());
  const bool full = !*continuing || request_.full_state;
  const storage::StreamPosition from = *continuing ? *request_.since : 0;
  auto shown = timeline(from, now_);
  if (!shown) return tl::make_unexpected(shown.error());
  // A room that is new to the client may have history that this server has not seen: only its create event ends it.
  if (!*continuing) {
    shown->limited = shown->events.empty() || !shown->events.front().event->is_state("m.room.create", "");
  }
  auto at_end = reader_.current_state(room_);
  if (!at_end) return tl::make_unexpected(at_end.error());
  auto keys = request_.use_state_after ? state_at_end(from, now_, **at_end, full)
                                       : state_before_timeline(*shown, from, now_, **at_end, full);
  if (!keys) return tl::make_unexpected(keys.error());
  if (request_.filter.state.lazy_load_members) {
    if (full) drop_unneeded_members(*shown, *keys);
    add_lazy_members(*shown, **at_end, *keys);
  }
  std::size_t members_in_state = 0;
  auto state = state_events(*keys, &members_in_state);
  if (!state) return tl::make_unexpected(state.error());
  auto passing = ephemeral(*continuing ? from : 0);
  if (!passing) return tl::make_unexpected(passing.error());
  auto counts = unread_.count(request_.user, room_, now_);
  if (!counts) return tl::make_unexpected(counts.error());

  auto events = timeline_json(*shown);
  if (!events) return events;
  *worth = full || !shown->events.empty() || !state->empty() || !passing->empty() || !room_account_data.empty();
  Json entry = {
      {"timeline", std::move(*events)},
      {request_.use_state_after ? "state_after" : "state", {{"events", std::move(*state)}}},
      {"ephemeral", {{"events", std::move(*passing)}}},
      {"account_data", {{"events", room_account_data}}},
  };
  add_counts(*counts, entry);
  const bool members_changed =
      members_in_state > 0 || std::any_of(shown->events.begin(), shown->events.end(),
                                          [](const auto& stored) { return stored.event->type() == member_type; });
  if (full || members_changed) {
    auto about = summary();
    if (!about) return tl::make_unexpected(about.error());
    entry["summary"] = std::move(*about);
  }
  return entry;
}

Result<Json> RoomSync::left(const storage::Membership& membership, bool* worth) {
  const storage::StreamPosition from = request_.since.value_or(0);
  const storage::StreamPosition to = std::min(now_, membership.position);
  auto shown = timeline(from, to);
  if (!shown) return tl::make_unexpected(shown.error());
  auto leave = database_.rooms().event(membership.event);
  if (!leave) return tl::make_unexpected(leave.error());
  Keys keys;
  if (*leave && !(*leave)->outlier) {
    auto at_leave = database_.rooms().state((*leave)->state_after);
    if (!at_leave) return tl::make_unexpected(at_leave.error());
    const bool full = !request_.since || request_.full_state;
    auto wanted = request_.use_state_after ? state_at_end(from, to, **at_leave, full)
                                           : state_before_timeline(*shown, from, to, **at_leave, full);
    if (!wanted) return tl::make_unexpected(wanted.error());
    keys = std::move(*wanted);
    if (request_.filter.state.lazy_load_members) {
      if (full) drop_unneeded_members(*shown, keys);
      add_lazy_members(*shown, **at_leave, keys);
    }
  }
  std::size_t members = 0;
  auto state = state_events(keys, &members);
  if (!state) return tl::make_unexpected(state.error());
  auto events = timeline_json(*shown);
  if (!events) return events;
  *worth = true;
  return Json{{"timeline", std::move(*events)},
              {request_.use_state_after ? "state_after" : "state", {{"events", std::move(*state)}}},
              {"account_data", {{"events", Json::array()}}}};
}

// A client that was joined at `since` and is now, without having left between, gets changes only; any other a whole
// room.
Result<bool> RoomSync::was_joined_at_since(const storage::Membership& membership) {
  if (!request_.since) return false;
  if (membership.position <= *request_.since) return true;
  EventId id = membership.event;
  for (int step = 0; step < max_membership_changes; ++step) {
    auto stored = database_.rooms().event(id);
    if (!stored) return tl::make_unexpected(stored.error());
    if (!*stored || (*stored)->outlier || (*stored)->event->membership() != "join") return false;
    if ((*stored)->position.value_or(0) <= *request_.since) return true;
    auto before = database_.rooms().state_event((*stored)->state_before, {member_type, request_.user.str()});
    if (!before) return tl::make_unexpected(before.error());
    if (!*before) return false;
    id = **before;
  }
  return false;
}

Result<RoomSync::Timeline> RoomSync::timeline(storage::StreamPosition from, storage::StreamPosition to) {
  Timeline result;
  const EventFilter& filter = request_.filter.timeline;
  storage::StreamPosition end = to;
  for (int page_number = 0; page_number < max_timeline_pages; ++page_number) {
    const std::size_t wanted = filter.limit - result.events.size();
    auto page = database_.rooms().live_events(room_, from, end, wanted, true);
    if (!page) return tl::make_unexpected(page.error());
    result.limited = page->limited;
    std::vector<storage::StoredEvent> kept;
    for (storage::StoredEvent& stored : page->events) {
      if (!filter.wants(*stored.event)) continue;
      auto visible = reader_.may_see(request_.user, stored);
      if (!visible) return tl::make_unexpected(visible.error());
      if (*visible) kept.push_back(std::move(stored));
    }
    if (!page->events.empty()) {
      result.before = page->events.front().topological;
      end = page->events.front().position.value_or(1) - 1;
    }
    kept.insert(kept.end(), std::make_move_iterator(result.events.begin()),
                std::make_move_iterator(result.events.end()));
    result.events = std::move(kept);
    if (!page->limited || result.events.size() >= filter.limit) break;
  }
  return result;
}

Result<RoomSync::Keys> RoomSync::state_at_end(storage::StreamPosition from, storage::StreamPosition to,
                                              const StateMap& at_end, bool full) {
  if (full) return Keys(at_end.begin(), at_end.end());
  auto changes = database_.rooms().state_changes(room_, from, to);
  if (!changes) return tl::make_unexpected(changes.error());
  Keys keys;
  for (const auto& [key, event] : *changes) {
    if (!event.empty()) keys.emplace(key, event);
  }
  return keys;
}

Result<RoomSync::Keys> RoomSync::state_before_timeline(const Timeline& timeline, storage::StreamPosition from,
                                                       storage::StreamPosition to, const StateMap& at_end, bool full) {
  auto keys = state_at_end(from, to, at_end, full);
  if (!keys || timeline.events.empty()) return keys;
  // Keys that the timeline sets stand as they were before it; those that it never touches, as they are at its end.
  auto before = database_.rooms().state(timeline.events.front().state_before);
  if (!before) return tl::make_unexpected(before.error());
  for (const storage::StoredEvent& stored : timeline.events) {
    if (!stored.event->is_state()) continue;
    const StateKey key{stored.event->type(), *stored.event->state_key()};
    const auto earlier = (*before)->find(key);
    if (earlier == (*before)->end()) {
      keys->erase(key);
    } else if (full || timeline.limited) {
      (*keys)[key] = earlier->second;
    } else {
      keys->erase(key);
    }
  }
  return keys;
}

void RoomSync::drop_unneeded_members(const Timeline& timeline, Keys& keys) const {
  std::set<std::string_view> senders{request_.user.str()};
  for (const auto& stored : timeline.events) senders.insert(stored.event->sender().str());
  std::erase_if(keys, [&](const auto& entry) {
    return entry.first.type == member_type && !senders.contains(entry.first.state_key);
  });
}

void RoomSync::add_lazy_members(const Timeline& timeline, const StateMap& at_end, Keys& keys) const {
  std::set<std::string> in_timeline;
  for (const auto& stored : timeline.events) {
    if (stored.event->type() == member_type && stored.event->state_key())
      in_timeline.insert(*stored.event->state_key());
  }
  for (const auto& stored : timeline.events) {
    const std::string& sender = stored.event->sender().str();
    if (in_timeline.contains(sender)) continue;
    if (auto found = at_end.find({member_type, sender}); found != at_end.end())
      keys.emplace(found->first, found->second);
  }
}

Result<Json> RoomSync::state_events(const Keys& keys, std::size_t* members) {
  std::vector<EventId> ids;
  ids.reserve(keys.size());
  for (const auto& [key, id] : keys) ids.push_back(id);
  auto stored = database_.rooms().events(ids);
  if (!stored) return tl::make_unexpected(stored.error());
  Json events = Json::array();
  for (const storage::StoredEvent& entry : *stored) {
    if (!request_.filter.state.wants(*entry.event)) continue;
    if (entry.event->type() == member_type) ++*members;
    events.push_back(client_event(entry, database_.rooms(), now_ms_, request_.user, request_.device, false));
  }
  return events;
}

void RoomSync::add_counts(const UnreadCounts& counts, Json& entry) const {
  if (!request_.filter.timeline.unread_thread_notifications) {
    entry["unread_notifications"] = count_json(counts.all());
    return;
  }
  entry["unread_notifications"] = count_json(counts.main);
  for (const auto& [root, count] : counts.threads) entry["unread_thread_notifications"][root.str()] = count_json(count);
}

Result<Json> RoomSync::timeline_json(const Timeline& timeline) {
  Json events = Json::array();
  if (timeline.limited) {
    // The client has a gap and cannot add up for itself ('Aggregations of child events').
    auto shown = Aggregator(database_, now_ms_, request_.user, request_.device).show(timeline.events, false);
    if (!shown) return shown;
    events = std::move(*shown);
  } else {
    for (const auto& stored : timeline.events) {
      events.push_back(client_event(stored, database_.rooms(), now_ms_, request_.user, request_.device, false));
    }
  }
  Json result = {{"events", std::move(events)}, {"limited", timeline.limited}};
  if (timeline.before) {
    result["prev_batch"] = topological_token(*timeline.before);
  } else {
    result["prev_batch"] = stream_token(now_);
  }
  return result;
}

Result<Json> RoomSync::summary() {
  auto members = database_.rooms().members(room_);
  if (!members) return tl::make_unexpected(members.error());
  std::sort(members->begin(), members->end(), [](const auto& a, const auto& b) { return a.position < b.position; });
  int joined_count = 0, invited_count = 0;
  Json present = Json::array(), gone = Json::array();
  for (const storage::Membership& member : *members) {
    const bool here = member.membership == "join" || member.membership == "invite";
    joined_count += member.membership == "join";
    invited_count += member.membership == "invite";
    if (member.user == request_.user || member.membership == "knock") continue;
    Json& list = here ? present : gone;
    if (list.size() < heroes) list.push_back(member.user.str());
  }
  return Json{{"m.joined_member_count", joined_count},
              {"m.invited_member_count", invited_count},
              {"m.heroes", present.empty() ? std::move(gone) : std::move(present)}};
}

Result<Json> RoomSync::ephemeral(storage::StreamPosition from) {
  Json events = Json::array();
  const EventFilter& filter = request_.filter.ephemeral;
  if (filter.wants_type("m.typing") && filter.wants_room(room_.str())) {
    auto users = typing_.changed_since(room_, from);
    if (users && (from > 0 || !users->empty())) {
      Json ids = Json::array();
      for (const UserId& user : *users) ids.push_back(user.str());
      events.push_back({{"type", "m.typing"}, {"content", {{"user_ids", std::move(ids)}}}});
    }
  }
  if (!filter.wants_type("m.receipt") || !filter.wants_room(room_.str())) return events;
  auto receipts = database_.stream().receipts(room_, from, now_);
  if (!receipts) return tl::make_unexpected(receipts.error());
  std::erase_if(*receipts, [&](const storage::Receipt& receipt) {
    return receipt.type == "m.read.private" && receipt.user != request_.user;
  });
  for (Json& content : receipt_contents(*receipts)) {
    events.push_back({{"type", "m.receipt"}, {"content", std::move(content)}});
  }
  return events;
}

}  // namespace skerry::homeserver
