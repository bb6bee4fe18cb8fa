// What the stores share.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/state.h"
#include "core/verdict.h"

namespace skerry::storage {

// A position of the one stream of this server: events, receipts, typing, to-device, account data, invites. Positions
// become visible in order, and one that was shown is never given again, not after a crash either.
using StreamPosition = std::int64_t;

// Where an event stands in a room's history for /messages: by depth, then by order of arrival (negative when
// backfilled).
struct TopologicalPosition {
  std::int64_t depth = 0;
  std::int64_t order = 0;
  friend auto operator<=>(const TopologicalPosition&, const TopologicalPosition&) = default;
};

// Names a stored state. 0: the empty state.
using StateId = std::int64_t;

// An event as stored.
struct StoredEvent {
  EventPtr event;
  Judgement judgement;
  bool outlier = false;                    // known without its place in the history: no state before it
  std::optional<StreamPosition> position;  // absent for outliers and backfilled history
  TopologicalPosition topological;
  StateId state_before = 0;  // meaningless for outliers
  StateId state_after = 0;
  std::optional<EventId> redacted_by;  // then clients get the redacted form, with unsigned.redacted_because
  std::string transaction_id;  // unsigned.transaction_id, shown to `transaction_device` of `transaction_user` only
  std::string transaction_device;
};

// A client's transaction: the scope of its id is (user, device, path).
struct ClientTransaction {
  UserId user;
  std::string device;
  std::string path;  // "send/!room/m.room.message" ...
  std::string transaction_id;
};

}  // namespace skerry::storage
