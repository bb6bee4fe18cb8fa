#include "client/sdk/room.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace skerry::client {
namespace {

constexpr std::size_t max_items = 5'000;
constexpr std::size_t max_heroes = 5;

bool is_present(const RoomEvent& member) {
  const std::string membership = member.text("membership");
  return membership == "join" || membership == "invite";
}

bool is_blank(const std::string& text) { return text.find_first_not_of(' ') == std::string::npos; }

// What a member event calls its member, made safe; empty when it says nothing.
std::string shown_name(const RoomEvent& member) {
  const std::string name = SafeText(member.text("displayname")).str();
  return is_blank(name) ? std::string() : name;
}

std::string localpart(const std::string& user_id) {
  return SafeText(user_id.starts_with('@') ? user_id.substr(1, user_id.find(':') - 1) : user_id).str();
}

}  // namespace

Room::Room(std::string room_id, std::string own_user_id)
    : id_(std::move(room_id)), own_user_id_(std::move(own_user_id)) {}

const RoomEvent* Room::state_event(const std::string& type, const std::string& state_key) const {
  const auto found = state_.find({type, state_key});
  return found == state_.end() ? nullptr : &found->second;
}

SafeText Room::member_name(const std::string& user_id) const {
  const RoomEvent* member = state_event("m.room.member", user_id);
  const std::string name = member ? shown_name(*member) : std::string();
  if (name.empty()) return user_id;
  // A name that looks like a user id could pass for another person's.
  if (shared_label(name, user_id) || name.starts_with('@')) return name + " (" + user_id + ")";
  return name;
}

SafeText Room::short_name(const std::string& user_id) const {
  const RoomEvent* member = state_event("m.room.member", user_id);
  const std::string name = member ? shown_name(*member) : std::string();
  const std::string label = name.empty() ? localpart(user_id) : name;
  return shared_label(label, user_id) || label.starts_with('@') ? user_id : label;
}

// Whether someone else who is present goes by it, too.
bool Room::shared_label(const std::string& label, const std::string& user_id) const {
  const auto uses = label_uses_.find(label);
  const RoomEvent* member = state_event("m.room.member", user_id);
  return uses != label_uses_.end() && uses->second > (member && is_present(*member) ? 1 : 0);
}

std::string Room::membership_of(const std::string& user_id) const {
  const RoomEvent* member = state_event("m.room.member", user_id);
  return member ? member->text("membership") : std::string();
}

std::vector<std::string> Room::known_members() const {
  std::vector<std::string> out;
  for (auto at = state_.lower_bound({"m.room.member", ""}); at != state_.end() && at->first.first == "m.room.member";
       ++at) {
    if (is_present(at->second)) out.push_back(at->first.second);
  }
  return out;
}

std::string Room::inviter() const {
  const RoomEvent* member = state_event("m.room.member", own_user_id_);
  return membership_ == Membership::invited && member ? member->sender : std::string();
}

std::vector<std::string> Room::others() const {
  std::vector<std::string> out = heroes_;
  if (out.empty()) out = known_members();
  std::erase(out, own_user_id_);
  if (out.size() > max_heroes) out.resize(max_heroes);
  return out;
}

SafeText Room::name() const {
  if (const auto* event = state_event("m.room.name"); event && !is_blank(SafeText(event->text("name")).str())) {
    return event->text("name");
  }
  if (const auto* event = state_event("m.room.canonical_alias"); event && !event->text("alias").empty()) {
    return event->text("alias");
  }
  return name_by_members();
}

SafeText Room::name_by_members() const {
  const std::vector<std::string> people = others();
  if (people.empty()) return membership_ == Membership::invited ? SafeText("Invitation") : SafeText("Empty room");
  SafeText out;
  for (std::size_t i = 0; i < people.size(); ++i) {
    if (i > 0) out += i + 1 == people.size() ? " and " : ", ";
    out += member_name(people[i]);
  }
  const int rest = joined_count_ + invited_count_ - 1 - static_cast<int>(people.size());
  if (rest > 0) out += " and " + std::to_string(rest) + " more";
  return out;
}

SafeText Room::topic() const {
  const RoomEvent* event = state_event("m.room.topic");
  return event ? SafeText(event->text("topic")) : SafeText();
}

void Room::apply(JoinedRoomUpdate update) {
  if (membership_ == Membership::invited) {  // what an invitation shows is only a part, and not checked
    state_.clear();
    label_uses_.clear();
  }
  membership_ = Membership::joined;
  for (const RoomEvent& event : update.state) set_state(event);
  if (update.limited) timeline.clear();
  if (timeline.items().empty()) timeline.prev_batch = update.prev_batch;
  for (RoomEvent& event : update.timeline) {
    if (event.state_key) set_state(event);
    forget_pending(event);
    timeline.append(std::move(event));
  }
  timeline.trim(max_items);
  if (update.heroes) heroes_ = std::move(*update.heroes);
  if (update.joined_count) joined_count_ = *update.joined_count;
  if (update.invited_count) invited_count_ = *update.invited_count;
  if (update.notification_count) unread = *update.notification_count;
  if (update.highlight_count) highlights = *update.highlight_count;
  if (update.typing) {
    typing = std::move(*update.typing);
    std::erase(typing, own_user_id_);
  }
}

void Room::apply(const InvitedRoomUpdate& update) {
  membership_ = Membership::invited;
  state_.clear();
  label_uses_.clear();
  for (const RoomEvent& event : update.invite_state) set_state(event);
}

void Room::set_state(const RoomEvent& event) {
  if (!event.state_key) return;
  RoomEvent& slot = state_[{event.type, *event.state_key}];
  if (event.type == "m.room.member") {
    count_label(slot.json ? &slot : nullptr, -1);
    count_label(&event, +1);
  }
  slot = event;
}

void Room::count_label(const RoomEvent* member, int change) {
  if (!member || !is_present(*member)) return;
  const std::string name = shown_name(*member);
  label_uses_[name.empty() ? localpart(*member->state_key) : name] += change;
}

void Room::forget_pending(const RoomEvent& echo) {
  std::erase_if(pending, [&](const PendingMessage& message) {
    return (!echo.transaction_id.empty() && message.transaction_id == echo.transaction_id) ||
           (!message.event_id.empty() && message.event_id == echo.event_id);
  });
}

std::string room_snapshot(const Room& room) {
  Json state = Json::array();
  const auto add = [&](const RoomEvent* event) {
    if (event) state.push_back(*event->json);
  };
  for (const char* type : {"m.room.create", "m.room.name", "m.room.topic", "m.room.canonical_alias",
                           "m.room.encryption", "m.room.tombstone"}) {
    add(room.state_event(type));
  }
  for (const std::string& user : room.known_members()) add(room.state_event("m.room.member", user));
  if (room.membership() == Room::Membership::invited)
    return dump(Json{{"invite_state", {{"events", std::move(state)}}}});
  Json timeline = Json::array();
  for (const RoomEvent& event : room.timeline.recent()) timeline.push_back(*event.json);
  const Json snapshot = {
      {"state", {{"events", std::move(state)}}},
      {"timeline", {{"events", std::move(timeline)}}},
      {"summary", {{"m.heroes", room.heroes()}, {"m.joined_member_count", room.joined_count()}}},
      {"unread_notifications", {{"notification_count", room.unread}, {"highlight_count", room.highlights}}}};
  return dump(snapshot);
}

bool restore_room(Room& room, const std::string& snapshot) {
  const auto json = parse_stored(snapshot);
  if (!json || !json->is_object()) return false;
  if (const Json* invite = find_object(*json, "invite_state")) {
    // The shape of a joined room's state section.
    room.apply(InvitedRoomUpdate{room.id(), parse_joined_room(room.id(), Json{{"state", *invite}}).state});
  } else {
    room.apply(parse_joined_room(room.id(), *json));
  }
  return true;
}

}  // namespace skerry::client
