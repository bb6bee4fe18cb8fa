// What the storage tests share: every backend in a folder of its own, and rooms that are committed as the pipeline
// does.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/database.h"
#include "storage/event_index.h"
#include "storage/media_store.h"
#include "storage/people_store.h"
#include "storage/relation_store.h"
#include "tests/support/room_builder.h"

namespace skerry::test {

// An engine that keeps the interfaces of storage/.
struct Backend {
  std::string name;
  std::function<Result<std::unique_ptr<storage::Database>>(const std::string& folder, const ServerName& us)> open;
};

// A folder that goes with the object, and in it a database of alpha.test. The test case is run once per backend.
class Stores {
 public:
  Stores();
  ~Stores();
  Stores(const Stores&) = delete;
  Stores& operator=(const Stores&) = delete;

  const std::string& folder() const { return folder_; }
  Result<std::unique_ptr<storage::Database>> try_open() const;
  void open();
  void close() { database_.reset(); }
  void reopen() {
    close();
    open();
  }

  storage::RoomStore& rooms() { return database_->rooms(); }
  storage::AccountStore& accounts() { return database_->accounts(); }
  storage::StreamStore& stream() { return database_->stream(); }
  storage::FederationStore& federation() { return database_->federation(); }
  storage::RelationStore& relations() { return database_->relations(); }
  storage::EventIndex& index() { return database_->index(); }
  storage::MediaStore& media() { return database_->media(); }
  storage::PeopleStore& people() { return database_->people(); }

 private:
  Backend backend_;
  std::string folder_;
  std::unique_ptr<storage::Database> database_;
};

// Makes a closed database what a program of an earlier version would have left: takes back all later migrations.
void take_back_to(const Stores& stores, int version);

// Commits, and waits for the answer; of a failure, until everybody was told.
Result<storage::StreamPosition> commit(storage::RoomStore& rooms, storage::EventCommit commit);
Result<storage::StreamPosition> commit_all(storage::RoomStore& rooms, std::vector<storage::EventCommit> commits);

Result<void> save_cursor(Stores& stores, const ServerName& server, storage::StreamPosition sent_up_to);

// Keeps the writer busy from its construction until release(): what is queued meanwhile goes into one group.
class BusyWriter {
 public:
  explicit BusyWriter(storage::RoomStore& rooms);
  ~BusyWriter() { release(); }
  void release();

 private:
  struct Gate;
  std::shared_ptr<Gate> gate_;
};

// A room whose events are committed one after another, as a room's turns do.
class LiveRoom {
 public:
  explicit LiveRoom(Stores& stores, std::string_view version = "11", UserId creator = user("@alice:alpha.test"));

  // Commits create event, the creator's join, power levels and join rule.
  void found();
  // The next event as a commit; the room goes on behind it.
  storage::EventCommit next_state(const UserId& sender, std::string_view type, std::string_view content,
                                  std::string_view state_key = "");
  storage::EventCommit next_member(const UserId& sender, const UserId& target, std::string_view membership);
  storage::EventCommit next_message(const UserId& sender, std::string_view body = "hello");
  // The same, committed: answers the position.
  storage::StreamPosition member(const UserId& sender, const UserId& target, std::string_view membership);
  storage::StreamPosition join(const UserId& who) { return member(who, who, "join"); }
  storage::StreamPosition message(const UserId& sender, std::string_view body = "hello");

  // An existing event of the builder as a live commit with the room's present heads and state.
  storage::EventCommit live(const EventPtr& event);

  const RoomId& id() const { return builder.room_id(); }

  RoomBuilder builder;
  RoomBuilder::Tip tip;
  storage::StateId state = 0;

 private:
  Stores& stores_;
};

// Runs `work` in a forked process, which ends with its result as exit status; REQUIRES: no other thread runs. `work`
// gets a file descriptor to write to; `read` is called with the other end. Answers the exit status, or minus the signal
// that ended it.
int in_child(const std::function<int(int write_to)>& work, const std::function<void(int read_from, int pid)>& read);

std::vector<std::string> ids_of(const std::vector<storage::StoredEvent>& events);

}  // namespace skerry::test
