#include "tests/simulator/recorder.h"

#include <algorithm>

namespace skerry::simulator {

void Recorder::commit(storage::EventCommit commit, storage::Committed done) {
  note(commit);
  store_.commit(std::move(commit), std::move(done));
}

void Recorder::commit_all(std::vector<storage::EventCommit> commits, storage::Committed done) {
  for (const auto& commit : commits) note(commit);
  store_.commit_all(std::move(commits), std::move(done));
}

void Recorder::note(const storage::EventCommit& commit) {
  const EventPtr& event = commit.event;
  watch_.events.emplace(event->id(), event);
  if (!commit.heads) return;
  const RoomId& room = event->room_id();
  if (!current_.contains(room)) {
    const auto head = store_.head(room);
    if (head && head->has_value()) current_[room] = (*head)->current_state;
  }
  const bool is_head = std::find(commit.heads->begin(), commit.heads->end(), event->id()) != commit.heads->end();
  if (const auto before = current_.find(room); is_head && before != current_.end()) {
    if (const auto state = store_.state(before->second)) watch_.on_head(commit, **state);
  }
  if (const auto after = commit.current_state ? commit.current_state : commit.state_after) current_[room] = *after;
}

}  // namespace skerry::simulator
