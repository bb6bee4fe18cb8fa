#include "tests/storage/stores.h"

#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <sys/wait.h>
#include <unistd.h>

#include <SQLiteCpp/SQLiteCpp.h>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace skerry::test {

namespace {

Backend any_backend() {
  const std::vector<Backend> backends{{"sqlite", storage::open_sqlite}};
  return backends[GENERATE_COPY(range(std::size_t{0}, backends.size()))];
}

}  // namespace

Stores::Stores() : backend_(any_backend()) {
  std::string name = (std::filesystem::temp_directory_path() / "skerry-storage-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  folder_ = name + "/data";
}

Stores::~Stores() {
  close();
  std::error_code ignored;
  std::filesystem::remove_all(std::filesystem::path(folder_).parent_path(), ignored);
}

Result<std::unique_ptr<storage::Database>> Stores::try_open() const {
  return backend_.open(folder_, server("alpha.test"));
}

void Stores::open() {
  auto opened = try_open();
  if (!opened) FAIL(opened.error().text);
  database_ = std::move(*opened);
}

namespace {

Result<storage::StreamPosition> wait_for(const std::function<void(storage::Committed)>& queue) {
  auto answer = std::make_shared<std::promise<Result<storage::StreamPosition>>>();
  auto future = answer->get_future();
  queue([answer](Result<storage::StreamPosition> result) { answer->set_value(std::move(result)); });
  return future.get();
}

// What a room queues while it is told of a failure fails too: a failure is told when the next group is written.
Result<storage::StreamPosition> told(storage::RoomStore& rooms, Result<storage::StreamPosition> result) {
  if (!result) (void)wait_for([&](storage::Committed done) { rooms.commit_all({}, std::move(done)); });
  return result;
}

storage::StreamPosition position_of(const Result<storage::StreamPosition>& result) {
  if (!result) FAIL(result.error().text);
  return *result;
}

}  // namespace

void take_back_to(const Stores& stores, int version) {
  // By the version that each migration leads to.
  const std::map<int, const char*> migrations = {
      {2, "DROP TABLE auth_citations; DROP TABLE awaited_auth_events"},
      {3,
       "DROP TABLE relations; DROP TABLE threads; DROP TABLE event_texts; DROP TABLE event_times; DROP TABLE media; "
       "DROP TABLE passes; DROP TABLE reports; ALTER TABLE users DROP COLUMN deactivated; "
       "DELETE FROM meta WHERE name = 'indexed_events'"},
      {4, "ALTER TABLE stripped_invites DROP COLUMN via"},
      {5, "DROP TABLE appservices; DROP TABLE appservice_rooms; DROP INDEX stripped_invites_position"},
      {6,
       "DROP INDEX tokens_refresh; ALTER TABLE tokens DROP COLUMN expires_ms; "
       "ALTER TABLE tokens DROP COLUMN refresh_hash; ALTER TABLE tokens DROP COLUMN offered"},
      {7, "ALTER TABLE users DROP COLUMN locked; ALTER TABLE users DROP COLUMN suspended"},
  };
  SQLite::Database database(stores.folder() + "/homeserver.db", SQLite::OPEN_READWRITE);
  const int made_by = database.execAndGet("PRAGMA user_version").getInt();
  for (int step = made_by; step > version; --step) database.exec(migrations.at(step));
  database.exec("PRAGMA user_version=" + std::to_string(version));
}

Result<storage::StreamPosition> commit(storage::RoomStore& rooms, storage::EventCommit one) {
  return told(rooms, wait_for([&](storage::Committed done) { rooms.commit(std::move(one), std::move(done)); }));
}

Result<storage::StreamPosition> commit_all(storage::RoomStore& rooms, std::vector<storage::EventCommit> commits) {
  return told(rooms, wait_for([&](storage::Committed done) { rooms.commit_all(std::move(commits), std::move(done)); }));
}

Result<void> save_cursor(Stores& stores, const ServerName& server, storage::StreamPosition sent_up_to) {
  std::promise<Result<void>> answer;
  stores.federation().save_cursor(server, sent_up_to, [&](Result<void> saved) { answer.set_value(std::move(saved)); });
  return answer.get_future().get();
}

struct BusyWriter::Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool reached = false;
  bool open = false;
};

BusyWriter::BusyWriter(storage::RoomStore& rooms) : gate_(std::make_shared<Gate>()) {
  rooms.commit_all({}, [gate = gate_](const Result<storage::StreamPosition>&) {
    std::unique_lock lock(gate->mutex);
    gate->reached = true;
    gate->changed.notify_all();
    gate->changed.wait(lock, [&] { return gate->open; });
  });
  std::unique_lock lock(gate_->mutex);
  gate_->changed.wait(lock, [&] { return gate_->reached; });
}

void BusyWriter::release() {
  std::scoped_lock lock(gate_->mutex);
  gate_->open = true;
  gate_->changed.notify_all();
}

LiveRoom::LiveRoom(Stores& stores, std::string_view version, UserId creator)
    : builder(version, std::move(creator)), stores_(stores) {}

void LiveRoom::found() {
  position_of(commit(stores_.rooms(), live(builder.create())));
  tip = builder.at_create();
  join(builder.creator());
  const std::string levels = R"({"users":{")" + builder.creator().str() + R"(":100}})";
  position_of(commit(stores_.rooms(), next_state(builder.creator(), "m.room.power_levels", levels)));
  position_of(commit(stores_.rooms(), next_state(builder.creator(), "m.room.join_rules", R"({"join_rule":"public"})")));
}

storage::EventCommit LiveRoom::live(const EventPtr& event) {
  storage::EventCommit commit;
  commit.event = event;
  commit.room_version = std::string(builder.rules().version);
  commit.state_before = state;
  commit.heads = {event->id()};
  commit.distribute = event->sender().server() == server("alpha.test");
  if (event->is_state()) {
    const StateKey key{event->type(), *event->state_key()};
    auto made = stores_.rooms().make_state(event->room_id(), state, {{key, event->id()}});
    if (!made) FAIL(made.error().text);
    state = *made;
    commit.current_state_delta = {{key, event->id()}};
  }
  commit.state_after = state;
  commit.current_state = state;
  return commit;
}

storage::EventCommit LiveRoom::next_state(const UserId& sender, std::string_view type, std::string_view content,
                                          std::string_view state_key) {
  return live(builder.state(tip, sender, type, content, state_key));
}

storage::EventCommit LiveRoom::next_member(const UserId& sender, const UserId& target, std::string_view membership) {
  return live(builder.member(tip, sender, target, membership));
}

storage::EventCommit LiveRoom::next_message(const UserId& sender, std::string_view body) {
  return live(builder.message(tip, sender, body));
}

storage::StreamPosition LiveRoom::member(const UserId& sender, const UserId& target, std::string_view membership) {
  return position_of(commit(stores_.rooms(), next_member(sender, target, membership)));
}

storage::StreamPosition LiveRoom::message(const UserId& sender, std::string_view body) {
  return position_of(commit(stores_.rooms(), next_message(sender, body)));
}

int in_child(const std::function<int(int)>& work, const std::function<void(int, int)>& read) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t pid = fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    ::close(ends[0]);
    _exit(work(ends[1]));
  }
  ::close(ends[1]);
  read(ends[0], pid);
  ::close(ends[0]);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

std::vector<std::string> ids_of(const std::vector<storage::StoredEvent>& events) {
  std::vector<std::string> ids;
  for (const auto& stored : events) ids.push_back(stored.event->id().str());
  return ids;
}

}  // namespace skerry::test
