// A RoomStore in front of another: commits can be held back and made to fail, and what is to be handed on to other
// servers is written down.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "tests/support/forwarding_rooms.h"

namespace skerry::test {

class WatchedRooms : public ForwardingRooms {
 public:
  // What one commit hands on, and to whom.
  struct Distributed {
    EventPtr event;
    std::set<ServerName> servers;
  };
  // `distributed` belongs to this object while it lives.
  WatchedRooms(storage::RoomStore& store, std::vector<Distributed>& distributed)
      : ForwardingRooms(store), distributed_(distributed) {}

  void hold();       // commits wait
  void let_go();     // and go on, in their order
  void fail_held();  // they fail, as on a full disk
  std::size_t held() const;
  std::size_t states_made() const { return states_made_; }
  std::vector<Distributed> distributed() const;

  void commit(storage::EventCommit commit, storage::Committed done) override;
  void commit_all(std::vector<storage::EventCommit> commits, storage::Committed done) override;
  Result<storage::StateId> make_state(const RoomId& room_id, storage::StateId base,
                                      const std::vector<std::pair<StateKey, EventId>>& changes) override {
    ++states_made_;
    return store_.make_state(room_id, base, changes);
  }
  Result<storage::StateId> store_state(const RoomId& room_id, const StateMap& map) override {
    ++states_made_;
    return store_.store_state(room_id, map);
  }

 private:
  using Job = std::pair<std::vector<storage::EventCommit>, storage::Committed>;
  void forward(Job job);
  void write_down(const std::vector<storage::EventCommit>& commits);

  std::vector<Distributed>& distributed_;
  std::atomic<std::size_t> states_made_{0};
  mutable std::mutex mutex_;
  bool holding_ = false;
  std::deque<Job> held_;
};

}  // namespace skerry::test
