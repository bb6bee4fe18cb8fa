// RelationStore on SQLite, and what the writer of events notes for it.
#pragma once

#include "storage/relation_store.h"
#include "storage/sqlite/connection.h"

namespace skerry::storage {

class SqliteRelationStore final : public RelationStore {
 public:
  explicit SqliteRelationStore(Readers& readers) : readers_(readers) {}

  Result<std::map<EventId, std::set<std::string>>> child_types(const RoomId& room,
                                                               const std::vector<EventId>& parents) override;
  Result<std::vector<StoredEvent>> children(const ChildrenQuery& query) override;
  Result<std::vector<StoredEvent>> edits(const Event& original, std::size_t limit) override;
  Result<ThreadSummary> thread(const RoomId& room, const EventId& root, const UserId& user,
                               const std::vector<UserId>& ignored) override;
  Result<bool> is_annotated(const RoomId& room, const EventId& parent, const UserId& sender,
                            const std::string& event_type, const std::string& key) override;
  Result<std::vector<Thread>> threads(const RoomId& room, TopologicalPosition from,
                                      const std::optional<UserId>& participant, std::size_t limit) override;

 private:
  Readers& readers_;
};

// An accepted event got its place. Writes nothing when it relates to no other.
void note_relation(Connection& connection, std::int64_t room, const Event& event, std::int64_t nid, std::int64_t place);
// An event of the room was redacted: it relates to nothing any more. No harm when it is not stored, or never did.
void forget_relation(Connection& connection, std::int64_t room, const EventId& redacted);

}  // namespace skerry::storage
