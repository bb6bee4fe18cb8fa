#include "homeserver/sync/unread.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <nlohmann/json.hpp>

namespace skerry::homeserver {

namespace {

constexpr std::size_t max_entries = 20'000;
constexpr std::size_t max_counted_events = 1'000;

enum class Notice { none, notify, highlight };

bool mentions_user(const Json& content, const UserId& user) {
  const Json* mentions = find_object(content, "m.mentions");
  if (mentions == nullptr) return false;
  const Json* users = find_array(*mentions, "user_ids");
  return users != nullptr && std::any_of(users->begin(), users->end(),
                                         [&](const Json& entry) { return entry.is_string() && entry == user.str(); });
}

}  // namespace

struct UnreadCounter::Impl {
  struct Entry {
    storage::StreamPosition counted_to = 0;
    UnreadCounts counts;
  };

  Impl(storage::Database& opened, RoomReader& room_reader) : database(opened), reader(room_reader) {}

  storage::Database& database;
  RoomReader& reader;
  std::mutex mutex;
  std::map<std::pair<UserId, RoomId>, Entry> entries;
  std::uint64_t forgotten = 0;  // calls of forget(): a count that began before one is not kept

  // Where the user has read to: the stream position of the event of the newest unthreaded or main-timeline receipt.
  Result<storage::StreamPosition> read_to(const UserId& user, const RoomId& room, storage::StreamPosition now) {
    auto receipts = database.stream().receipts(room, 0, now);
    if (!receipts) return tl::make_unexpected(receipts.error());
    storage::StreamPosition position = 0;
    for (const storage::Receipt& receipt : *receipts) {
      const bool own_thread = !receipt.thread_id.empty() && receipt.thread_id != "main";
      if (receipt.user != user || own_thread) continue;
      if (receipt.type != "m.read" && receipt.type != "m.read.private") continue;
      auto event = database.rooms().event(receipt.event);
      if (!event) return tl::make_unexpected(event.error());
      if (*event && (*event)->position) position = std::max(position, *(*event)->position);
    }
    return position;
  }

  // 'Predefined Rules', in their order of precedence.
  Notice judge(const UserId& user, const Event& event) const {
    if (event.sender() == user) return Notice::none;
    const std::string* relation = nullptr;
    if (const Json* relates = find_object(event.content(), "m.relates_to"))
      relation = find_string(*relates, "rel_type");
    if (relation != nullptr && *relation == "m.replace") return Notice::none;  // .m.rule.suppress_edits
    const std::string* kind = find_string(event.content(), "msgtype");
    if (event.type() == "m.room.message" && kind != nullptr && *kind == "m.notice") return Notice::none;
    if (mentions_user(event.content(), user)) return Notice::highlight;  // .m.rule.is_user_mention
    if (room_mentioned(event)) return Notice::highlight;
    if (event.is_state("m.room.tombstone", "")) return Notice::highlight;
    if (event.type() == "m.room.message" || event.type() == "m.room.encrypted") return Notice::notify;
    return Notice::none;
  }

  // .m.rule.is_room_mention: honoured when the sender may notify the room.
  bool room_mentioned(const Event& event) const {
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
};

UnreadCounter::UnreadCounter(storage::Database& database, RoomReader& reader)
    : impl_(std::make_shared<Impl>(database, reader)) {}

UnreadCounter::~UnreadCounter() = default;

Result<UnreadCounts> UnreadCounter::count(const UserId& user, const RoomId& room, storage::StreamPosition now) {
  const auto key = std::make_pair(user, room);
  std::optional<Impl::Entry> entry;
  std::uint64_t began_at = 0;
  {
    std::scoped_lock lock(impl_->mutex);
    began_at = impl_->forgotten;
    if (auto found = impl_->entries.find(key); found != impl_->entries.end()) entry = found->second;
  }
  if (!entry) {
    auto read = impl_->read_to(user, room, now);
    if (!read) return tl::make_unexpected(read.error());
    entry = Impl::Entry{*read, {}};
  }
  if (entry->counted_to >= now) return entry->counts;
  auto page = impl_->database.rooms().live_events(room, entry->counted_to, now, max_counted_events, true);
  if (!page) return tl::make_unexpected(page.error());
  for (const storage::StoredEvent& stored : page->events) {
    const Notice notice = stored.redacted_by ? Notice::none : impl_->judge(user, *stored.event);
    if (notice != Notice::none) ++entry->counts.notifications;
    if (notice == Notice::highlight) ++entry->counts.highlights;
    // Who sends something, or joins, has read up to there.
    if (stored.event->sender() == user) entry->counts = {};
  }
  entry->counted_to = now;
  std::scoped_lock lock(impl_->mutex);
  if (impl_->entries.size() >= max_entries) impl_->entries.clear();
  if (impl_->forgotten == began_at) impl_->entries[key] = *entry;
  return entry->counts;
}

void UnreadCounter::forget(const UserId& user, const RoomId& room) {
  std::scoped_lock lock(impl_->mutex);
  ++impl_->forgotten;
  impl_->entries.erase({user, room});
}

}  // namespace skerry::homeserver
