// Stands before a server's room store and writes down what is decided there.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "tests/support/forwarding_rooms.h"

namespace skerry::simulator {

// Every event that any server ever stored, by id.
using AllEvents = std::map<EventId, EventPtr>;

class Recorder : public test::ForwardingRooms {
 public:
  struct Watch {
    AllEvents& events;
    // An event is about to become a head of the room: with the room's current state so far, and the state before it.
    std::function<void(const storage::EventCommit& commit, const StatePtr& current, const StatePtr& before)> on_head;
  };
  Recorder(storage::RoomStore& store, Watch watch) : ForwardingRooms(store), watch_(std::move(watch)) {}

  void commit(storage::EventCommit commit, storage::Committed done) override;
  void commit_all(std::vector<storage::EventCommit> commits, storage::Committed done) override;

 private:
  void note(const storage::EventCommit& commit);

  Watch watch_;
  std::map<RoomId, storage::StateId> current_;  // as of the latest commit that was queued
};

}  // namespace skerry::simulator
