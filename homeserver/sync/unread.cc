#include "homeserver/sync/unread.h"

#include <algorithm>
#include <map>
#include <mutex>

#include <nlohmann/json.hpp>

#include "core/relations.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t max_entries = 20'000;
constexpr std::size_t max_counted_events = 1'000;
constexpr int max_hops = 3 + 1;  // over three parents, the first of which the event names itself

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

  // Where the user has read to: stream positions of the events of their newest receipts.
  struct ReadTo {
    storage::StreamPosition everywhere = 0;  // by receipts without a thread
    storage::StreamPosition main = 0;
    std::map<EventId, storage::StreamPosition> threads;

    bool covers(storage::StreamPosition position, const EventId& thread) const {
      if (position <= everywhere) return true;
      if (thread.empty()) return position <= main;
      const auto found = threads.find(thread);
      return found != threads.end() && position <= found->second;
    }
  };

  Result<ReadTo> read_to(const UserId& user, const RoomId& room, storage::StreamPosition now) {
    auto receipts = database.stream().receipts(room, 0, now);
    if (!receipts) return tl::make_unexpected(receipts.error());
    ReadTo read;
    for (const storage::Receipt& receipt : *receipts) {
      if (receipt.user != user || (receipt.type != "m.read" && receipt.type != "m.read.private")) continue;
      auto event = database.rooms().event(receipt.event);
      if (!event) return tl::make_unexpected(event.error());
      if (!*event || !(*event)->position) continue;
      const auto root = EventId::parse(receipt.thread_id);
      storage::StreamPosition& position = receipt.thread_id.empty()     ? read.everywhere
                                          : receipt.thread_id == "main" ? read.main
                                                                        : read.threads[root ? *root : EventId()];
      position = std::max(position, *(*event)->position);
    }
    return read;
  }

  // Counts one event, which came after all those that were counted.
  Result<void> add(const UserId& user, const storage::StoredEvent& stored, const ReadTo& read, UnreadCounts& counts) {
    const Notice notice = stored.redacted_by ? Notice::none : judge(user, *stored.event);
    const bool own = stored.event->sender() == user;
    if (notice == Notice::none && !own) return {};
    auto thread = thread_of(database.rooms(), *stored.event);
    if (!thread) return tl::make_unexpected(thread.error());
    if (own) {
      // Who sends something, or joins, has read up to there.
      if (thread->empty()) {
        counts.main = {};
      } else {
        counts.threads.erase(*thread);
      }
      return {};
    }
    if (read.covers(stored.position.value_or(0), *thread)) return {};
    UnreadCount& count = thread->empty() ? counts.main : counts.threads[*thread];
    ++count.notifications;
    if (notice == Notice::highlight) ++count.highlights;
    return {};
  }

  // 'Predefined Rules', in their order of precedence.
  Notice judge(const UserId& user, const Event& event) const {
    if (event.sender() == user) return Notice::none;
    if (const auto relation = relation_of(event); relation && relation->type == "m.replace")
      return Notice::none;  // .m.rule.suppress_edits
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
  // What is kept was counted up to the newest event then; no receipt came since, and none of before covers new events.
  Impl::ReadTo read;
  if (!entry) {
    auto found = impl_->read_to(user, room, now);
    if (!found) return tl::make_unexpected(found.error());
    read = std::move(*found);
    entry = Impl::Entry{read.everywhere, {}};
  }
  if (entry->counted_to >= now) return entry->counts;
  auto page = impl_->database.rooms().live_events(room, entry->counted_to, now, max_counted_events, true);
  if (!page) return tl::make_unexpected(page.error());
  for (const storage::StoredEvent& stored : page->events) {
    if (auto added = impl_->add(user, stored, read, entry->counts); !added) return tl::make_unexpected(added.error());
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

UnreadCount UnreadCounts::all() const {
  UnreadCount sum = main;
  for (const auto& [root, count] : threads) {
    sum.notifications += count.notifications;
    sum.highlights += count.highlights;
  }
  return sum;
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

}  // namespace skerry::homeserver
