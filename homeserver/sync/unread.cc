#include "homeserver/sync/unread.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "homeserver/sync/notices.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t max_entries = 20'000;
constexpr std::size_t max_counted_events = 1'000;

bool has_redaction(const std::vector<storage::StoredEvent>& events) {
  return std::any_of(events.begin(), events.end(),
                     [](const storage::StoredEvent& stored) { return stored.event->type() == "m.room.redaction"; });
}

}  // namespace

struct UnreadCounter::Impl {
  struct Entry {
    storage::StreamPosition counted_to = 0;
    UnreadCounts counts;
  };

  Impl(storage::Database& opened, RoomReader& room_reader) : database(opened), reader(room_reader) {}

  using Key = std::pair<UserId, RoomId>;

  storage::Database& database;
  RoomReader& reader;
  std::mutex mutex;
  std::map<Key, Entry> entries;
  std::map<Key, int> moving;  // receipts that are being written
  std::uint64_t moved = 0;    // receipts that were: a count that began before one is not kept

  void end_move(const Key& key) {
    std::scoped_lock lock(mutex);
    ++moved;
    const auto found = moving.find(key);
    if (--found->second == 0) moving.erase(found);
  }

  // Counts one event, which came after all those that were counted.
  Result<void> add(const UserId& user, const storage::StoredEvent& stored, const ReadTo& read, UnreadCounts& counts) {
    const Notice notice = stored.redacted_by ? Notice::none : notice_of(reader, user, *stored.event);
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
    began_at = impl_->moved;
    if (auto found = impl_->entries.find(key); found != impl_->entries.end()) entry = found->second;
  }
  if (entry && entry->counted_to >= now) return entry->counts;
  const auto events_since = [&](storage::StreamPosition since) {
    return impl_->database.rooms().live_events(room, since, now, max_counted_events, true);
  };
  Result<storage::RoomStore::Page> page;
  if (entry) {
    page = events_since(entry->counted_to);
    // Something that was counted may be taken back: all is counted anew.
    if (page && has_redaction(page->events)) entry.reset();
  }
  // What is kept was counted up to the newest event then; no receipt came since, and none of before covers new events.
  ReadTo read;
  if (!entry) {
    auto found = read_to(impl_->database, user, room);
    if (!found) return tl::make_unexpected(found.error());
    read = std::move(*found);
    entry = Impl::Entry{read.everywhere, {}};
    if (entry->counted_to >= now) return entry->counts;
    page = events_since(entry->counted_to);
  }
  if (!page) return tl::make_unexpected(page.error());
  for (const storage::StoredEvent& stored : page->events) {
    if (auto added = impl_->add(user, stored, read, entry->counts); !added) return tl::make_unexpected(added.error());
  }
  entry->counted_to = now;
  std::scoped_lock lock(impl_->mutex);
  if (impl_->entries.size() >= max_entries) impl_->entries.clear();
  if (impl_->moved == began_at && !impl_->moving.contains(key)) impl_->entries[key] = *entry;
  return entry->counts;
}

std::shared_ptr<void> UnreadCounter::moving_receipt(const UserId& user, const RoomId& room) {
  const Impl::Key key(user, room);
  std::scoped_lock lock(impl_->mutex);
  ++impl_->moving[key];
  impl_->entries.erase(key);
  return {static_cast<void*>(nullptr), [impl = impl_, key](void*) { impl->end_move(key); }};
}

UnreadCount UnreadCounts::all() const {
  UnreadCount sum = main;
  for (const auto& [root, count] : threads) {
    sum.notifications += count.notifications;
    sum.highlights += count.highlights;
  }
  return sum;
}

}  // namespace skerry::homeserver
