#include "homeserver/sync/notices.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/relations.h"

namespace skerry::homeserver {

namespace {

constexpr int max_hops = 3 + 1;                  // over three parents, the first of which the event names itself
constexpr std::size_t events_looked_at = 5'000;  // for one page, over all rooms

bool mentions_user(const Json& content, const UserId& user) {
  const Json* mentions = find_object(content, "m.mentions");
  if (mentions == nullptr) return false;
  const Json* users = find_array(*mentions, "user_ids");
  return users != nullptr && std::any_of(users->begin(), users->end(),
                                         [&](const Json& entry) { return entry.is_string() && entry == user.str(); });
}

// .m.rule.is_room_mention: honoured when the sender may notify the room.
bool room_mentioned(const RoomReader& reader, const Event& event) {
  const Json* mentions = find_object(event.content(), "m.mentions");
  if (mentions == nullptr) return false;
  const Json* room = find_member(*mentions, "room");
  if (room == nullptr || *room != true) return false;
  std::int64_t needed = 50;
  if (auto levels = reader.state_event(event.room_id(), "m.room.power_levels", ""); levels && *levels) {
    if (const Json* notifications = find_object((*levels)->content(), "notifications")) {
      if (const Json* level = find_member(*notifications, "room"); level != nullptr && level->is_number_integer()) {
        needed = level->get<std::int64_t>();
      }
    }
  }
  auto power = reader.power(event.room_id(), event.sender());
  return power && *power >= needed;
}

}  // namespace

Notice notice_of(const RoomReader& reader, const UserId& user, const Event& event) {
  if (event.sender() == user) return Notice::none;
  if (const auto relation = relation_of(event); relation && relation->type == "m.replace")
    return Notice::none;  // .m.rule.suppress_edits
  const std::string* kind = find_string(event.content(), "msgtype");
  if (event.type() == "m.room.message" && kind != nullptr && *kind == "m.notice") return Notice::none;
  if (mentions_user(event.content(), user)) return Notice::highlight;  // .m.rule.is_user_mention
  if (room_mentioned(reader, event)) return Notice::highlight;
  if (event.is_state("m.room.tombstone", "")) return Notice::highlight;
  if (event.type() == "m.room.message" || event.type() == "m.room.encrypted") return Notice::notify;
  return Notice::none;
}

Result<EventId> thread_of(storage::RoomStore& store, const Event& event) {
  auto relation = relation_of(event);
  for (int hop = 0; relation && hop < max_hops; ++hop) {
    if (relation->type == "m.thread") return relation->parent;
    auto parent = store.event(relation->parent);
    if (!parent) return tl::make_unexpected(parent.error());
    if (!*parent || (*parent)->event->room_id() != event.room_id()) break;
    relation = relation_of(*(*parent)->event);
  }
  return EventId();
}

bool ReadTo::covers(storage::StreamPosition position, const EventId& thread) const {
  if (position <= everywhere) return true;
  if (thread.empty()) return position <= main;
  const auto found = threads.find(thread);
  return found != threads.end() && position <= found->second;
}

Result<ReadTo> read_to(storage::Database& database, const UserId& user, const RoomId& room) {
  auto receipts = database.stream().receipts_of(room, user);
  if (!receipts) return tl::make_unexpected(receipts.error());
  ReadTo read;
  for (const storage::Receipt& receipt : *receipts) {
    if (receipt.type != "m.read" && receipt.type != "m.read.private") continue;
    auto event = database.rooms().event(receipt.event);
    if (!event) return tl::make_unexpected(event.error());
    if (!*event || !(*event)->position) continue;
    storage::StreamPosition* position = nullptr;
    if (receipt.thread_id.empty()) {
      position = &read.everywhere;
    } else if (receipt.thread_id == "main") {
      position = &read.main;
    } else if (const auto root = EventId::parse(receipt.thread_id)) {
      position = &read.threads[*root];
    }
    if (position != nullptr) *position = std::max(*position, *(*event)->position);
  }
  return read;
}

namespace {

// One room's part of a page, and up to where it is complete.
struct RoomNotices {
  std::vector<NoticedEvent> events;
  storage::StreamPosition complete_from = 0;
};

Result<RoomNotices> notices_of_room(storage::Database& database, const RoomReader& reader, const UserId& user,
                                    const RoomId& room, storage::StreamPosition to, std::size_t events,
                                    bool only_highlights) {
  RoomNotices found;
  auto page = database.rooms().live_events(room, 0, to, events, true);
  if (!page) return tl::make_unexpected(page.error());
  if (page->limited && !page->events.empty()) found.complete_from = page->events.front().position.value_or(0);
  auto read = read_to(database, user, room);
  if (!read) return tl::make_unexpected(read.error());
  for (storage::StoredEvent& stored : page->events) {
    const Notice notice = stored.redacted_by ? Notice::none : notice_of(reader, user, *stored.event);
    if (notice == Notice::none || (only_highlights && notice != Notice::highlight)) continue;
    auto visible = reader.may_see(user, stored);
    if (!visible) return tl::make_unexpected(visible.error());
    if (!*visible) continue;
    auto thread = thread_of(database.rooms(), *stored.event);
    if (!thread) return tl::make_unexpected(thread.error());
    const bool was_read = read->covers(stored.position.value_or(0), *thread);
    found.events.push_back({std::move(stored), notice == Notice::highlight, was_read});
  }
  return found;
}

}  // namespace

Result<NoticesPage> notices(storage::Database& database, const RoomReader& reader, const UserId& user,
                            storage::StreamPosition to, std::size_t limit, bool only_highlights) {
  auto memberships = database.rooms().memberships_of(user);
  if (!memberships) return tl::make_unexpected(memberships.error());
  std::erase_if(*memberships, [](const storage::Membership& membership) { return membership.membership != "join"; });
  NoticesPage page;
  if (memberships->empty() || limit == 0) return page;
  const std::size_t share = std::max<std::size_t>(events_looked_at / memberships->size(), 1);
  storage::StreamPosition complete_from = 0;
  for (const storage::Membership& membership : *memberships) {
    auto found = notices_of_room(database, reader, user, membership.room, to, share, only_highlights);
    if (!found) return tl::make_unexpected(found.error());
    complete_from = std::max(complete_from, found->complete_from);
    page.events.insert(page.events.end(), std::make_move_iterator(found->events.begin()),
                       std::make_move_iterator(found->events.end()));
  }
  // Below that, rooms with much going on may have more than was looked at.
  std::erase_if(page.events, [&](const NoticedEvent& noticed) { return *noticed.event.position < complete_from; });
  std::sort(page.events.begin(), page.events.end(),
            [](const NoticedEvent& a, const NoticedEvent& b) { return *a.event.position > *b.event.position; });
  if (complete_from > 0) page.next = complete_from - 1;
  if (page.events.size() > limit) {
    page.events.erase(page.events.begin() + static_cast<std::ptrdiff_t>(limit), page.events.end());
    page.next = *page.events.back().event.position - 1;
  }
  return page;
}

}  // namespace skerry::homeserver
