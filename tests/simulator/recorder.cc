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
  if (const auto found = current_.find(room); is_head && found != current_.end()) {
    const auto current = store_.state(found->second);
    const auto before = store_.state(commit.state_before);
    if (current && before) watch_.on_head(commit, *current, *before);
  }
  if (const auto after = commit.current_state ? commit.current_state : commit.state_after) current_[room] = *after;
}

}  // namespace skerry::simulator
