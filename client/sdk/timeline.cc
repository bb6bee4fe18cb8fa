#include "client/sdk/timeline.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace skerry::client {
namespace {

constexpr std::size_t recent_events = 60;
// Relations to events that were never loaded: enough for a page of history, bounded against floods.
constexpr std::size_t max_waiting = 2'000;

// The event without what a redaction takes away, so that deleted text is neither shown nor kept.
void prune(RoomEvent& event) {
  Json pruned = {{"type", event.type},         {"sender", event.sender},
                 {"event_id", event.event_id}, {"origin_server_ts", event.origin_server_ts},
                 {"content", Json::object()},  {"unsigned", {{"redacted_because", Json::object()}}}};
  if (event.state_key) pruned["state_key"] = *event.state_key;
  event.json = std::make_shared<const Json>(std::move(pruned));
  event.redacted = true;
}

const std::string* new_body(const Json& content) {
  const Json* replacement = find_object(content, "m.new_content");
  return replacement ? find_string(*replacement, "body") : nullptr;
}

}  // namespace

const TimelineItem* Timeline::find(const std::string& event_id) const {
  const auto found = by_id_.find(event_id);
  return found == by_id_.end() ? nullptr : found->second;
}

void Timeline::append(RoomEvent event) {
  if (!event.event_id.empty() && !seen_.insert(event.event_id).second) return;
  latest_event_id_ = event.event_id;
  latest_sender_ = event.sender;
  recent_.push_back(event);
  if (recent_.size() > recent_events) recent_.pop_front();
  if (absorb(event)) return;
  items_.push_back({std::move(event), {}, 0, false, {}});
  index(items_.back());
}

void Timeline::prepend(std::vector<RoomEvent> newest_first) {
  for (RoomEvent& event : newest_first) {
    if (!event.event_id.empty() && !seen_.insert(event.event_id).second) continue;
    if (latest_event_id_.empty()) {
      latest_event_id_ = event.event_id;
      latest_sender_ = event.sender;
    }
    if (absorb(event)) continue;
    items_.push_front({std::move(event), {}, 0, false, {}});
    index(items_.front());
  }
}

void Timeline::clear() { *this = Timeline(); }

bool Timeline::trim(std::size_t count) {
  if (items_.size() <= count) return false;
  while (items_.size() > count) {
    const std::string& id = items_.front().event.event_id;
    by_id_.erase(id);
    seen_.erase(id);
    items_.pop_front();
  }
  prev_batch.clear();
  complete = false;
  return true;
}

bool Timeline::absorb(const RoomEvent& event) {
  if (event.type == "m.room.redaction") {
    redact(event.redacts);
    if (!by_id_.contains(event.redacts) && waiting_.size() < max_waiting) waiting_[event.redacts].push_back(event);
    return true;
  }
  const Relation relation = relation_of(event);
  const bool relates = (event.type == "m.reaction" && relation.type == "m.annotation") || relation.type == "m.replace";
  if (!relates) return event.type == "m.reaction";
  if (event.redacted || relation.event_id.empty()) return true;
  if (by_id_.contains(relation.event_id)) {
    apply_to_target(event, relation.event_id);
  } else if (waiting_.size() < max_waiting) {
    waiting_[relation.event_id].push_back(event);
  }
  return true;
}

void Timeline::apply_to_target(const RoomEvent& event, const std::string& target) {
  TimelineItem& item = *by_id_.at(target);
  if (event.type == "m.room.redaction") return redact(target);
  const Relation relation = relation_of(event);
  if (relation.type == "m.replace") return edit(item, event);
  item.reactions[relation.key].insert(event.sender);
  reactions_[event.event_id] = {target, relation.key, event.sender};
}

// Valid only from the same sender, for the same type, and never for state ('Validity of replacement events').
void Timeline::edit(TimelineItem& item, const RoomEvent& event) {
  if (event.sender != item.event.sender || event.type != item.event.type || event.state_key || item.event.state_key)
    return;
  const std::string* body = new_body(event.content());
  if (!body || (item.edited_body && event.origin_server_ts < item.edited_ts)) return;
  item.edited_body = *body;
  item.edited_ts = event.origin_server_ts;
}

void Timeline::redact(const std::string& target) {
  if (const auto reaction = reactions_.find(target); reaction != reactions_.end()) {
    if (const auto item = by_id_.find(reaction->second.target); item != by_id_.end()) {
      auto& all = item->second->reactions;
      if (const auto who = all.find(reaction->second.key); who != all.end()) {
        who->second.erase(reaction->second.sender);
        if (who->second.empty()) all.erase(who);
      }
    }
    reactions_.erase(reaction);
  }
  for (RoomEvent& event : recent_) {
    if (event.event_id == target) prune(event);
  }
  const auto found = by_id_.find(target);
  if (found == by_id_.end()) return;
  TimelineItem& item = *found->second;
  item.redacted = true;
  item.edited_body.reset();
  item.reactions.clear();
  prune(item.event);
}

// Servers put the newest edit into the event itself ('Server-side aggregation of m.replace relationships').
void Timeline::apply_bundled_edit(TimelineItem& item) {
  const Json* extra = find_object(*item.event.json, "unsigned");
  const Json* relations = extra ? find_object(*extra, "m.relations") : nullptr;
  const Json* replace = relations ? find_object(*relations, "m.replace") : nullptr;
  if (!replace) return;
  if (const auto event = parse_room_event(*replace)) edit(item, *event);
}

void Timeline::index(TimelineItem& item) {
  item.redacted = item.event.redacted;
  if (!item.redacted) apply_bundled_edit(item);
  const std::string id = item.event.event_id;
  by_id_[id] = &item;
  const auto found = waiting_.find(id);
  if (found == waiting_.end()) return;
  const std::vector<RoomEvent> waited = std::move(found->second);
  waiting_.erase(found);
  for (const RoomEvent& event : waited) apply_to_target(event, id);
}

}  // namespace skerry::client
