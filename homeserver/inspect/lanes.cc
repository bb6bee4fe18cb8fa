#include "homeserver/inspect/lanes.h"

#include <algorithm>
#include <unordered_set>

namespace skerry::homeserver::inspect {

namespace {

// The events that lanes lead down to; an empty id: free.
class Lanes {
 public:
  explicit Lanes(const std::vector<EventPtr>& events) {
    for (const auto& event : events) known_.insert(event->id());
  }

  Row place(std::size_t index, const Event& event) {
    Row row;
    row.event = index;
    std::vector<std::size_t> leading = leading_to(event.id());
    if (leading.empty()) leading.push_back(free_lane());
    row.lane = leading.front();
    row.joining.assign(leading.begin() + 1, leading.end());
    for (const std::size_t lane : leading) lanes_[lane] = EventId();
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (!lanes_[lane].empty()) row.passing.push_back(lane);
    }
    bool own_lane_used = false;
    for (const EventId& prev : event.prev_events()) {
      if (!known_.contains(prev)) continue;
      const std::size_t lane = own_lane_used ? free_lane() : row.lane;
      lanes_[lane] = prev;
      if (own_lane_used) row.leaving.push_back(lane);
      own_lane_used = true;
    }
    while (!lanes_.empty() && lanes_.back().empty()) lanes_.pop_back();
    return row;
  }

 private:
  std::vector<std::size_t> leading_to(const EventId& id) const {
    std::vector<std::size_t> lanes;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      if (lanes_[lane] == id) lanes.push_back(lane);
    }
    return lanes;
  }

  std::size_t free_lane() {
    const auto free = std::find(lanes_.begin(), lanes_.end(), EventId());
    if (free != lanes_.end()) return static_cast<std::size_t>(free - lanes_.begin());
    lanes_.emplace_back();
    return lanes_.size() - 1;
  }

  std::unordered_set<EventId> known_;
  std::vector<EventId> lanes_;
};

}  // namespace

std::vector<Row> lay_out(const std::vector<EventPtr>& events) {
  Lanes lanes(events);
  std::vector<Row> rows;
  for (std::size_t i = events.size(); i-- > 0;) rows.push_back(lanes.place(i, *events[i]));
  return rows;
}

}  // namespace skerry::homeserver::inspect
