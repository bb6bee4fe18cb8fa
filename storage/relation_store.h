// Which events relate to which, by m.relates_to. Written with each event's commit (RoomStore); a redacted event relates
// to nothing any more. Read-only and thread-safe. Errors: storage.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/types.h"

namespace skerry::storage {

// Accepted events with a place that relate to `parent`.
struct ChildrenQuery {
  RoomId room;
  EventId parent;
  std::optional<std::string> relation_type;
  std::optional<std::string> event_type;
  TopologicalPosition from;  // both exclusive
  TopologicalPosition to;
  bool backwards = true;
  int depth = 1;  // more: also what relates to those children, and so on, all by what is asked for above
  std::size_t limit = 0;
};

struct ThreadSummary {
  std::int64_t count = 0;
  bool participated = false;
};

struct Thread {
  EventId root;
  TopologicalPosition latest;
};

class RelationStore {
 public:
  virtual ~RelationStore() = default;

  // Of `parents` those that have children, and by which relation types.
  virtual Result<std::map<EventId, std::set<std::string>>> child_types(const RoomId& room,
                                                                       const std::vector<EventId>& parents) = 0;
  virtual Result<std::vector<StoredEvent>> children(const ChildrenQuery& query) = 0;
  // The m.replace children of one sender and type, latest first by origin_server_ts, then by id.
  virtual Result<std::vector<StoredEvent>> edits(const Event& original, std::size_t limit) = 0;
  // How many events of a thread there are without those that `ignored` sent, and whether `user` sent one.
  virtual Result<ThreadSummary> thread(const RoomId& room, const EventId& root, const UserId& user,
                                       const std::vector<UserId>& ignored) = 0;
  virtual Result<bool> is_annotated(const RoomId& room, const EventId& parent, const UserId& sender,
                                    const std::string& event_type, const std::string& key) = 0;
  // Threads whose latest event comes before `from`, latest first; of those in which `participant` sent something or
  // whose root is theirs, where one is given. Roots that are not stored are left out.
  virtual Result<std::vector<Thread>> threads(const RoomId& room, TopologicalPosition from,
                                              const std::optional<UserId>& participant, std::size_t limit) = 0;
};

}  // namespace skerry::storage
