// What all ways of an event share: the rooms in memory, their turns, and the commit that ends each way. Promises that a
// room's memory never runs ahead of what is queued at the writer, and that a failed commit takes all that was built on
// it along.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "homeserver/rooms/once.h"
#include "homeserver/rooms/pipeline.h"
#include "homeserver/rooms/room.h"
#include "homeserver/rooms/turns.h"

namespace skerry::homeserver {

// Where an event goes in its room.
enum class Standing {
  newest,  // behind what is here: a head, and part of the current state
  late,    // others here build on it already: no head, but new to our users
  history  // the same, of a time when none of our users was in the room: not in the live stream either
};

struct CommitOptions {
  Standing standing = Standing::newest;
  bool distribute = false;
  std::optional<storage::ClientTransaction> transaction;
};

class Engine : public std::enable_shared_from_this<Engine> {
 public:
  explicit Engine(PipelineContext context);

  PipelineContext context;
  storage::RoomStore& store;

  // Runs `turn` in the room's turn; `refused` at once when it cannot be queued.
  void post(const RoomId& room, std::function<void()> turn, const std::function<void(Error)>& refused);
  // The room as its turn sees it: with what is in flight. In the room's turn only. Errors: not_found, storage ...
  Result<std::shared_ptr<Room>> open(const RoomId& room);
  // The next turn reads the room anew. In the room's turn only, and with none of its commits under way.
  void forget(const RoomId& room);
  // Runs `work` in the room's turn and waits for its result. On `outbound` threads only. Errors: as open(), cancelled.
  template <class T>
  Result<T> in_turn(const RoomId& room, std::function<Result<T>(const std::shared_ptr<Room>&)> work);
  // Null when this server does not have the room, or not know its version.
  const RoomRules* rules_of(const RoomId& room);

  // Queues the event's commit and brings the room in memory up to it. `done` after the fsync. In the room's turn only.
  using CommitDone = std::function<void(Result<storage::StreamPosition>)>;
  void commit(const std::shared_ptr<Room>& room, Placed placed, CommitOptions options, CommitDone done);
  // An event that its own auth events refuse, while its place is not known. In the room's turn only.
  void commit_rejected(const std::shared_ptr<Room>& room, const EventPtr& event, const Judgement& judgement,
                       CommitDone done);
  // commit() without queueing it: what the store has to be told. Errors: storage.
  struct Prepared {
    storage::EventCommit commit;
    std::shared_ptr<const std::vector<UserId>> concerned;    // users of this server
    std::shared_ptr<const std::vector<ServerName>> servers;  // who is owed it, when it is to be distributed
  };
  Result<Prepared> prepare(const std::shared_ptr<Room>& room, Placed placed, CommitOptions options);
  // After a commit was answered.
  void tell(storage::StreamPosition position, const Prepared& prepared);

  // Events known without their place, to be cited by others; waits for the commit. On `outbound` threads only. Errors:
  // storage.
  Result<void> commit_outliers(const RoomId& room, const std::string& version,
                               std::vector<std::pair<EventPtr, Judgement>> events);

  // Lets the turns under way end, drops the rest.
  void close();

 private:
  struct Entry {
    std::shared_ptr<Room> room;
    std::list<RoomId>::iterator used;
  };
  void shrink();
  Result<void> extend(const std::shared_ptr<Room>& room, const Placed& placed, Standing standing, Prepared& prepared);
  void redact(Room& room, const Placed& placed, bool is_new, storage::EventCommit& commit);

  RoomTurns turns_;
  std::atomic<bool> closed_{false};
  std::mutex mutex_;  // guards what follows
  std::unordered_map<RoomId, Entry> rooms_;
  std::list<RoomId> by_use_;  // latest first
  std::unordered_map<RoomId, const RoomRules*> rules_;
};

template <class T>
Result<T> Engine::in_turn(const RoomId& room, std::function<Result<T>(const std::shared_ptr<Room>&)> work) {
  Answer<T> answer;
  {
    const auto give = answer.giver();
    post(
        room,
        [this, self = shared_from_this(), room, give, work = std::move(work)] {
          auto opened = open(room);
          give(opened ? work(*opened) : Result<T>(tl::make_unexpected(opened.error())));
        },
        [give](const Error& error) { give(tl::make_unexpected(error)); });
  }
  return answer.wait();
}

}  // namespace skerry::homeserver
