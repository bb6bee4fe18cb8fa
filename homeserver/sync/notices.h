// Which events a user is notified of, and which of them they have read. Client-server API, 'Receiving notifications',
// 'Threaded read receipts'.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "homeserver/rooms/reader.h"
#include "storage/database.h"

namespace skerry::homeserver {

enum class Notice { none, notify, highlight };

// By the predefined push rules, in their order of precedence.
Notice notice_of(const RoomReader& reader, const UserId& user, const Event& event);

// The root of the thread that an event is in, empty for the main timeline: it, or what it relates to over at most three
// hops, is an m.thread child of the root. Errors: storage.
Result<EventId> thread_of(storage::RoomStore& store, const Event& event);

// Where a user has read to in a room: stream positions of the events of their newest receipts.
struct ReadTo {
  storage::StreamPosition everywhere = 0;  // by receipts without a thread
  storage::StreamPosition main = 0;
  std::map<EventId, storage::StreamPosition> threads;  // by root

  bool covers(storage::StreamPosition position, const EventId& thread) const;
};
Result<ReadTo> read_to(storage::Database& database, const UserId& user, const RoomId& room);

struct NoticedEvent {
  storage::StoredEvent event;
  bool highlight = false;
  bool read = false;
};
struct NoticesPage {
  std::vector<NoticedEvent> events;             // the latest first
  std::optional<storage::StreamPosition> next;  // `to` of the next page; nothing when this was the last
};
// Of the rooms that the user is in, up to position `to`. A page may be shorter than `limit`, even empty, and not the
// last. Errors: storage.
Result<NoticesPage> notices(storage::Database& database, const RoomReader& reader, const UserId& user,
                            storage::StreamPosition to, std::size_t limit, bool only_highlights);

}  // namespace skerry::homeserver
