// The events of a room in order, with what later events did to earlier ones: edits, reactions, redactions.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/sdk/event.h"

namespace skerry::client {

struct TimelineItem {
  RoomEvent event;
  std::optional<std::string> edited_body;  // of the newest edit by the same sender
  std::int64_t edited_ts = 0;
  bool redacted = false;
  std::map<std::string, std::set<std::string>> reactions;  // what -> who
};

// Not thread-safe. A piece without gaps: when /sync leaves some out, start again with clear().
class Timeline {
 public:
  Timeline() = default;
  Timeline(Timeline&&) = default;
  Timeline& operator=(Timeline&&) = default;

  const std::deque<TimelineItem>& items() const { return items_; }
  const TimelineItem* find(const std::string& event_id) const;
  bool contains(const std::string& event_id) const { return seen_.contains(event_id); }
  // The newest event of all, shown or not: what a read receipt names. Empty when there is none.
  const std::string& latest_event_id() const { return latest_event_id_; }
  const std::string& latest_sender() const { return latest_sender_; }
  // The newest events as they came, oldest first, at most 60: for the cache.
  const std::deque<RoomEvent>& recent() const { return recent_; }

  // Events seen before are ignored.
  void append(RoomEvent event);
  void prepend(std::vector<RoomEvent> newest_first);
  void clear();
  // Forgets the oldest items over `count`. True when some went: then what `prev_batch` names is no longer the
  // beginning.
  bool trim(std::size_t count);

  std::string prev_batch;  // from where to page back; empty: ask for a token before the first item
  bool complete = false;   // nothing is before the first item

 private:
  struct Reaction {
    std::string target;
    std::string key;
    std::string sender;
  };

  // What is no line of its own: applied to its target, now or once that comes. False: it is an item.
  bool absorb(const RoomEvent& event);
  void apply_to_target(const RoomEvent& event, const std::string& target);
  static void edit(TimelineItem& item, const RoomEvent& event);
  static void apply_bundled_edit(TimelineItem& item);
  void redact(const std::string& target);
  void index(TimelineItem& item);

  std::deque<TimelineItem> items_;
  std::deque<RoomEvent> recent_;
  std::unordered_map<std::string, TimelineItem*> by_id_;             // a deque keeps its elements where they are
  std::unordered_map<std::string, std::vector<RoomEvent>> waiting_;  // by target that is not here yet
  std::unordered_map<std::string, Reaction> reactions_;              // by event id, for their redaction
  std::set<std::string> seen_;
  std::string latest_event_id_;
  std::string latest_sender_;
};

}  // namespace skerry::client
