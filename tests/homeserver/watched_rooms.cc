#include "tests/homeserver/watched_rooms.h"

namespace skerry::test {

void WatchedRooms::hold() {
  const std::lock_guard lock(mutex_);
  holding_ = true;
}

void WatchedRooms::let_go() {
  std::deque<Job> jobs;
  const std::lock_guard lock(mutex_);
  holding_ = false;
  jobs.swap(held_);
  for (auto& job : jobs) forward(std::move(job));
}

void WatchedRooms::fail_held() {
  std::deque<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    jobs.swap(held_);
  }
  for (auto& [commits, done] : jobs) done(fail(ErrorCode::storage, "the disk is full"));
}

std::size_t WatchedRooms::held() const {
  const std::lock_guard lock(mutex_);
  return held_.size();
}

std::vector<WatchedRooms::Distributed> WatchedRooms::distributed() const {
  const std::lock_guard lock(mutex_);
  return distributed_;
}

void WatchedRooms::commit(storage::EventCommit commit, storage::Committed done) {
  std::vector<storage::EventCommit> one;
  one.push_back(std::move(commit));
  commit_all(std::move(one), std::move(done));
}

void WatchedRooms::commit_all(std::vector<storage::EventCommit> commits, storage::Committed done) {
  Job job(std::move(commits), std::move(done));
  const std::lock_guard lock(mutex_);
  if (holding_) {
    held_.push_back(std::move(job));
  } else {
    forward(std::move(job));
  }
}

void WatchedRooms::forward(Job job) {
  auto commits = std::make_shared<const std::vector<storage::EventCommit>>(job.first);
  store_.commit_all(std::move(job.first),
                    [this, commits, done = std::move(job.second)](Result<storage::StreamPosition> result) {
                      if (result) write_down(*commits);
                      done(std::move(result));
                    });
}

void WatchedRooms::write_down(const std::vector<storage::EventCommit>& commits) {
  for (const auto& commit : commits) {
    if (!commit.distribute) continue;
    const auto joined = store_.joined_servers(commit.event->room_id());
    std::set<ServerName> servers(joined->begin(), joined->end());
    if (commit.event->type() == "m.room.member") {  // the server that it takes out of the room is still owed it
      if (const auto user = UserId::parse(*commit.event->state_key())) servers.insert(user->server());
    }
    const std::lock_guard lock(mutex_);
    distributed_.push_back({commit.event, std::move(servers)});
  }
}

}  // namespace skerry::test
