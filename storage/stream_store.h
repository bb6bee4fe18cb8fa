// The rest of the stream: positions for what lives in memory, and durable receipts.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "storage/types.h"

namespace skerry::storage {

struct Receipt {
  RoomId room;
  UserId user;
  std::string type;       // m.read, m.read.private, m.fully_read is account data
  std::string thread_id;  // "", "main" or an event id
  EventId event;
  std::int64_t ts_ms = 0;
  StreamPosition position = 0;
};

// Thread-safe.
class StreamStore {
 public:
  virtual ~StreamStore() = default;
  // The largest position up to which everything is visible.
  virtual StreamPosition current() = 0;
  // A position for something that lives in memory (typing, presence); visible at once, or as soon as all before it are.
  virtual StreamPosition next_ephemeral() = 0;
  // `reached` is called, in order and on the writer's thread or that of next_ephemeral, each time current() grew.
  virtual void on_advance(std::function<void(StreamPosition)> reached) = 0;

  // The rooms in which events or receipts came with from < position <= to, each once, and perhaps some others. Nothing
  // when that is too long ago to be told: then any may have changed. `to` must be visible.
  virtual std::optional<std::vector<RoomId>> changed_rooms(StreamPosition from, StreamPosition to) = 0;

  virtual Result<StreamPosition> put_receipt(const Receipt& receipt) = 0;
  virtual Result<std::vector<Receipt>> receipts(const RoomId& room, StreamPosition from, StreamPosition to) = 0;
  // One user's, in no order: whatever the room's size, one of each type for each thread that they read.
  virtual Result<std::vector<Receipt>> receipts_of(const RoomId& room, const UserId& user) = 0;
};

}  // namespace skerry::storage
