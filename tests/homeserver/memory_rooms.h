// A RoomStore that lives in memory, with a writer thread that can be held and made to fail: for tests of what stands on
// stores.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "storage/room_store.h"

namespace skerry::test {

class MemoryRooms : public storage::RoomStore {
 public:
  MemoryRooms();
  ~MemoryRooms() override;

  void hold();  // jobs wait in the queue
  void let_go();
  void fail_next_job();  // and those of its room that are queued behind it
  std::size_t queued() const;
  std::size_t states_made() const;
  // What is to be handed on to other servers, and to which, in the order of the commits.
  struct Distributed {
    EventPtr event;
    std::set<ServerName> servers;
  };
  std::vector<Distributed> distributed() const;

  void commit(storage::EventCommit commit, storage::Committed done) override;
  void commit_all(std::vector<storage::EventCommit> commits, storage::Committed done) override;
  Result<storage::StateId> make_state(const RoomId& room, storage::StateId base,
                                      const std::vector<std::pair<StateKey, EventId>>& changes) override;
  Result<storage::StateId> store_state(const RoomId& room, const StateMap& state) override;
  Result<storage::StreamPosition> save_stripped_invite(storage::StrippedInvite invite) override;
  Result<storage::StreamPosition> remove_stripped_invite(const RoomId& room, const UserId& user) override;
  Result<storage::StreamPosition> forget(const RoomId& room, const UserId& user) override;
  Result<void> set_published(const RoomId& room, bool published) override;
  Result<void> add_alias(const RoomAlias& alias, const RoomId& room, const UserId& creator) override;
  Result<void> remove_alias(const RoomAlias& alias) override;

  Result<std::optional<storage::StoredEvent>> event(const EventId& id) override;
  Result<std::vector<storage::StoredEvent>> events(const std::vector<EventId>& ids) override;
  Result<std::vector<EventId>> absent(const std::vector<EventId>& ids) override;
  Result<Page> live_events(const RoomId& room, storage::StreamPosition from, storage::StreamPosition to,
                           std::size_t limit, bool newest) override;
  Result<std::vector<storage::StoredEvent>> history(const RoomId& room, storage::TopologicalPosition from,
                                                    bool backwards, std::size_t limit) override;
  Result<storage::TopologicalPosition> topological_at(const RoomId& room, storage::StreamPosition position) override;
  Result<std::vector<EventId>> backward_extremities(const RoomId& room, std::size_t limit) override;
  Result<bool> has_children(const EventId& id) override;
  Result<std::optional<EventId>> transaction_event(const storage::ClientTransaction& transaction) override;
  Result<std::vector<EventId>> redactions_of(const EventId& target) override;

  Result<StatePtr> state(storage::StateId id) override;
  Result<std::optional<EventId>> state_event(storage::StateId id, const StateKey& key) override;
  Result<std::vector<EventId>> auth_chain(const std::vector<EventId>& ids) override;

  Result<std::optional<storage::RoomInfo>> room(const RoomId& room) override;
  Result<std::optional<storage::RoomHead>> head(const RoomId& room) override;
  Result<std::vector<RoomId>> rooms() override;
  Result<std::vector<RoomId>> published_rooms() override;
  Result<std::optional<RoomId>> resolve_alias(const RoomAlias& alias) override;
  Result<std::vector<Alias>> aliases(const RoomId& room) override;

  Result<std::vector<storage::Membership>> memberships_of(const UserId& user) override;
  Result<std::optional<storage::Membership>> membership(const RoomId& room, const UserId& user) override;
  Result<std::vector<storage::Membership>> members(const RoomId& room) override;
  Result<std::vector<ServerName>> joined_servers(const RoomId& room) override;
  Result<std::vector<UserId>> joined_local_users(const RoomId& room) override;
  Result<std::vector<storage::StrippedInvite>> stripped_invites(const UserId& user) override;
  Result<std::vector<std::pair<StateKey, EventId>>> state_changes(const RoomId& room, storage::StreamPosition from,
                                                                  storage::StreamPosition to) override;

  ServerName us;  // whose users are local

 private:
  struct StoredRoom {
    storage::RoomInfo info;
    storage::RoomHead head;
    std::map<UserId, storage::Membership> members;
    std::vector<std::pair<storage::StreamPosition, std::pair<StateKey, EventId>>> changes;
  };
  struct Job {
    RoomId room;
    std::vector<storage::EventCommit> commits;
    storage::Committed done;
    bool poisoned = false;
  };
  void write();
  void apply(const storage::EventCommit& commit);
  std::set<ServerName> servers_of(const RoomId& room) const;
  void apply_to_room(const storage::EventCommit& commit);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
  bool held_ = false;
  bool fail_next_ = false;
  std::deque<Job> jobs_;
  storage::StreamPosition position_ = 0;
  std::int64_t backfilled_ = 0;
  storage::StateId last_state_ = 0;
  std::map<storage::StateId, StatePtr> states_;
  std::map<EventId, storage::StoredEvent> events_;
  std::map<RoomId, StoredRoom> rooms_;
  std::map<std::string, EventId> transactions_;
  std::map<EventId, std::vector<EventId>> redactions_;
  std::map<std::pair<UserId, RoomId>, storage::StrippedInvite> invites_;
  std::map<RoomAlias, Alias> aliases_;
  std::map<RoomAlias, RoomId> alias_rooms_;
  std::vector<Distributed> distributed_;
  std::thread writer_;  // last: it uses all of the above
};

}  // namespace skerry::test
