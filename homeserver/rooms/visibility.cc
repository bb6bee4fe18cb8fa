// Who may see an event: 'Room History Visibility', from the state at the event.
#include <algorithm>
#include <optional>

#include "homeserver/rooms/reader.h"

namespace skerry::homeserver {

namespace {

enum class HistoryVisibility { world_readable, shared, invited, joined };

// How many memberships of a user are looked back through for the last time they were joined.
constexpr int max_membership_changes = 20;

HistoryVisibility parse_visibility(const Event* event) {
  const std::string* value = event == nullptr ? nullptr : find_string(event->content(), "history_visibility");
  if (value == nullptr) return HistoryVisibility::shared;
  if (*value == "world_readable") return HistoryVisibility::world_readable;
  if (*value == "invited") return HistoryVisibility::invited;
  if (*value == "joined") return HistoryVisibility::joined;
  return HistoryVisibility::shared;
}

Result<std::optional<storage::StoredEvent>> event_of_state(storage::RoomStore& store, storage::StateId state,
                                                           std::string_view type, std::string_view key) {
  const auto id = store.state_event(state, StateKey{std::string(type), std::string(key)});
  if (!id) return tl::make_unexpected(id.error());
  if (!id->has_value()) return std::optional<storage::StoredEvent>();
  return store.event(**id);
}

// The visibility before the event and, where the event sets it, after it.
Result<std::vector<HistoryVisibility>> visibilities_at(storage::RoomStore& store, const storage::StoredEvent& stored) {
  const auto before = event_of_state(store, stored.state_before, "m.room.history_visibility", "");
  if (!before) return tl::make_unexpected(before.error());
  std::vector<HistoryVisibility> found{parse_visibility(before->has_value() ? (*before)->event.get() : nullptr)};
  if (stored.event->is_state("m.room.history_visibility", "")) found.push_back(parse_visibility(stored.event.get()));
  return found;
}

// The user's membership before the event and, where the event changes it, after it.
Result<std::vector<std::string>> memberships_at(storage::RoomStore& store, const UserId& user,
                                                const storage::StoredEvent& stored) {
  const auto before = event_of_state(store, stored.state_before, "m.room.member", user.str());
  if (!before) return tl::make_unexpected(before.error());
  std::vector<std::string> found{before->has_value() ? std::string((*before)->event->membership()) : std::string()};
  if (stored.event->is_state("m.room.member", user.str())) found.emplace_back(stored.event->membership());
  return found;
}

// True when the user was joined at some point after the event was sent.
Result<bool> joined_after(storage::RoomStore& store, const UserId& user, const storage::StoredEvent& stored) {
  const auto now = store.membership(stored.event->room_id(), user);
  if (!now) return tl::make_unexpected(now.error());
  if (!now->has_value()) return false;
  if ((*now)->membership == "join") return true;
  auto change = store.event((*now)->event);
  for (int i = 0; i < max_membership_changes; ++i) {
    if (!change) return tl::make_unexpected(change.error());
    if (!change->has_value() || (*change)->outlier) return false;
    if ((*change)->event->membership() == "join") return true;
    // Until this change the user was what the state before it says; what came after it does not count.
    if ((*change)->topological < stored.topological) return false;
    change = event_of_state(store, (*change)->state_before, "m.room.member", user.str());
  }
  return false;
}

bool is_one_of(const std::vector<HistoryVisibility>& found, HistoryVisibility wanted) {
  return std::find(found.begin(), found.end(), wanted) != found.end();
}

bool is_one_of(const std::vector<std::string>& found, std::string_view wanted) {
  return std::find(found.begin(), found.end(), wanted) != found.end();
}

bool is_member_of(const StateKey& key, const ServerName& server) {
  const auto user = UserId::parse(key.state_key);
  return user && user->server() == server;
}

// True when a user of the server was joined (or invited, where that is enough) at the state.
Result<bool> anyone_there(storage::RoomStore& store, storage::StateId state, const ServerName& server,
                          bool invited_counts) {
  const auto map = store.state(state);
  if (!map) return tl::make_unexpected(map.error());
  for (auto entry = (*map)->lower_bound(StateKey{"m.room.member", ""});
       entry != (*map)->end() && entry->first.type == "m.room.member"; ++entry) {
    if (!is_member_of(entry->first, server)) continue;
    const auto member = store.event(entry->second);
    if (!member) return tl::make_unexpected(member.error());
    if (!member->has_value()) continue;
    const auto membership = (*member)->event->membership();
    if (membership == "join" || (invited_counts && membership == "invite")) return true;
  }
  return false;
}

}  // namespace

Result<bool> user_may_see(storage::RoomStore& store, const UserId& user, const storage::StoredEvent& stored) {
  if (stored.judgement.verdict != Verdict::accepted && !stored.outlier) return false;
  if (stored.outlier) {
    // Known as part of a state only, which whoever is joined was given.
    if (stored.judgement.verdict == Verdict::rejected) return false;
    const auto membership = store.membership(stored.event->room_id(), user);
    if (!membership) return tl::make_unexpected(membership.error());
    return membership->has_value() && (*membership)->membership == "join";
  }
  const auto visibilities = visibilities_at(store, stored);
  if (!visibilities) return tl::make_unexpected(visibilities.error());
  if (is_one_of(*visibilities, HistoryVisibility::world_readable)) return true;  // 1.
  const auto memberships = memberships_at(store, user, stored);
  if (!memberships) return tl::make_unexpected(memberships.error());
  if (is_one_of(*memberships, "join")) return true;  // 2.
  if (is_one_of(*visibilities, HistoryVisibility::shared)) {
    const auto joined = joined_after(store, user, stored);  // 3.
    if (!joined || *joined) return joined;
  }
  return is_one_of(*memberships, "invite") && is_one_of(*visibilities, HistoryVisibility::invited);  // 4. and 5.
}

Result<bool> RoomReader::server_may_see(const ServerName& server, const storage::StoredEvent& stored) const {
  if (stored.outlier) return true;  // part of a state; who asks was found to be in the room
  auto& store = database_.rooms();
  const auto visibilities = visibilities_at(store, stored);
  if (!visibilities) return tl::make_unexpected(visibilities.error());
  if (is_one_of(*visibilities, HistoryVisibility::world_readable)) return true;
  if (is_one_of(*visibilities, HistoryVisibility::shared)) return true;
  if (stored.event->sender().server() == server) return true;
  if (stored.event->type() == "m.room.member" && is_member_of({"m.room.member", *stored.event->state_key()}, server)) {
    return true;
  }
  return anyone_there(store, stored.state_before, server, is_one_of(*visibilities, HistoryVisibility::invited));
}

}  // namespace skerry::homeserver
