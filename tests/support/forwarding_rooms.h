// A RoomStore that passes everything on to another: for those that stand before one.
#pragma once

#include <utility>
#include <vector>

#include "storage/room_store.h"

namespace skerry::test {

class ForwardingRooms : public storage::RoomStore {
 public:
  explicit ForwardingRooms(storage::RoomStore& store) : store_(store) {}

  void commit(storage::EventCommit commit, storage::Committed done) override {
    store_.commit(std::move(commit), std::move(done));
  }
  void commit_all(std::vector<storage::EventCommit> commits, storage::Committed done) override {
    store_.commit_all(std::move(commits), std::move(done));
  }
  Result<storage::StateId> make_state(const RoomId& room_id, storage::StateId base,
                                      const std::vector<std::pair<StateKey, EventId>>& changes) override {
    return store_.make_state(room_id, base, changes);
  }
  Result<storage::StateId> store_state(const RoomId& room_id, const StateMap& map) override {
    return store_.store_state(room_id, map);
  }
  Result<storage::StreamPosition> save_stripped_invite(storage::StrippedInvite invite) override {
    return store_.save_stripped_invite(std::move(invite));
  }
  Result<storage::StreamPosition> remove_stripped_invite(const RoomId& room_id, const UserId& user) override {
    return store_.remove_stripped_invite(room_id, user);
  }
  Result<storage::StreamPosition> forget(const RoomId& room_id, const UserId& user) override {
    return store_.forget(room_id, user);
  }
  Result<void> set_published(const RoomId& room_id, bool published) override {
    return store_.set_published(room_id, published);
  }
  Result<void> add_alias(const RoomAlias& alias, const RoomId& room_id, const UserId& creator) override {
    return store_.add_alias(alias, room_id, creator);
  }
  Result<void> remove_alias(const RoomAlias& alias) override { return store_.remove_alias(alias); }
  Result<std::optional<storage::StoredEvent>> event(const EventId& id) override { return store_.event(id); }
  Result<std::vector<storage::StoredEvent>> events(const std::vector<EventId>& ids) override {
    return store_.events(ids);
  }
  Result<std::vector<EventId>> absent(const std::vector<EventId>& ids) override { return store_.absent(ids); }
  Result<Page> live_events(const RoomId& room_id, storage::StreamPosition from, storage::StreamPosition to,
                           std::size_t limit, bool newest) override {
    return store_.live_events(room_id, from, to, limit, newest);
  }
  Result<std::vector<storage::StoredEvent>> history(const RoomId& room_id, storage::TopologicalPosition from,
                                                    bool backwards, std::size_t limit) override {
    return store_.history(room_id, from, backwards, limit);
  }
  Result<storage::TopologicalPosition> topological_at(const RoomId& room_id,
                                                      storage::StreamPosition position) override {
    return store_.topological_at(room_id, position);
  }
  Result<std::vector<EventId>> backward_extremities(const RoomId& room_id, std::size_t limit) override {
    return store_.backward_extremities(room_id, limit);
  }
  Result<bool> is_backward_extremity(const EventId& id) override { return store_.is_backward_extremity(id); }
  Result<std::optional<EventId>> transaction_event(const storage::ClientTransaction& transaction) override {
    return store_.transaction_event(transaction);
  }
  Result<std::vector<EventId>> redactions_of(const EventId& target) override { return store_.redactions_of(target); }
  Result<StatePtr> state(storage::StateId id) override { return store_.state(id); }
  Result<std::optional<EventId>> state_event(storage::StateId id, const StateKey& key) override {
    return store_.state_event(id, key);
  }
  Result<std::vector<EventId>> auth_chain(const std::vector<EventId>& ids) override { return store_.auth_chain(ids); }
  Result<CitingPage> citing(const EventId& id, std::int64_t from) override { return store_.citing(id, from); }
  Result<std::optional<storage::RoomInfo>> room(const RoomId& room_id) override { return store_.room(room_id); }
  Result<std::optional<storage::RoomHead>> head(const RoomId& room_id) override { return store_.head(room_id); }
  Result<std::vector<RoomId>> rooms() override { return store_.rooms(); }
  Result<std::vector<RoomId>> published_rooms() override { return store_.published_rooms(); }
  Result<std::optional<RoomId>> resolve_alias(const RoomAlias& alias) override { return store_.resolve_alias(alias); }
  Result<std::vector<Alias>> aliases(const RoomId& room_id) override { return store_.aliases(room_id); }
  Result<std::vector<storage::Membership>> memberships_of(const UserId& user) override {
    return store_.memberships_of(user);
  }
  Result<std::optional<storage::Membership>> membership(const RoomId& room_id, const UserId& user) override {
    return store_.membership(room_id, user);
  }
  Result<std::vector<storage::Membership>> members(const RoomId& room_id) override { return store_.members(room_id); }
  Result<std::vector<ServerName>> joined_servers(const RoomId& room_id) override {
    return store_.joined_servers(room_id);
  }
  Result<std::vector<UserId>> joined_local_users(const RoomId& room_id) override {
    return store_.joined_local_users(room_id);
  }
  Result<std::vector<storage::StrippedInvite>> stripped_invites(const UserId& user) override {
    return store_.stripped_invites(user);
  }
  Result<std::vector<std::pair<StateKey, EventId>>> state_changes(const RoomId& room_id, storage::StreamPosition from,
                                                                  storage::StreamPosition to) override {
    return store_.state_changes(room_id, from, to);
  }

 protected:
  storage::RoomStore& store_;
};

}  // namespace skerry::test
