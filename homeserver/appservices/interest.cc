#include "homeserver/appservices/interest.h"

#include <algorithm>

namespace skerry::homeserver {

namespace {

constexpr std::size_t rooms_remembered = 10'000;

}  // namespace

Result<bool> AppserviceInterest::in_event(const storage::StoredEvent& stored) {
  const Event& event = *stored.event;
  const bool is_member = event.type() == "m.room.member" && event.state_key();
  const auto target = is_member ? UserId::parse(*event.state_key()) : Result<UserId>(UserId());
  const bool is_about =
      (target && !target->empty() && appservice_.has_user(*target)) || appservice_.has_user(event.sender());
  auto interested = in_room_at(event.room_id(), stored.state_before);
  if (!interested) return interested;
  // The state after this event is most often the one before the next: what is known of it moves along.
  if (const auto known = witnesses_.find(event.room_id());
      known != witnesses_.end() && known->second.state == stored.state_before) {
    const bool moves = event.is_state() && target && !target->empty() && appservice_.has_user(*target);
    if (!moves) {
      known->second.state = stored.state_after;
    } else if (event.membership() == "join") {
      known->second = {stored.state_after, *target};
    } else if (known->second.user == *target) {
      witnesses_.erase(known);
    } else {
      known->second.state = stored.state_after;
    }
  }
  return is_about || *interested;
}

Result<bool> AppserviceInterest::in_room(const RoomId& room) {
  auto head = rooms_.head(room);
  if (!head) return tl::make_unexpected(head.error());
  if (!*head) return false;
  return in_room_at(room, (*head)->current_state);
}

Result<bool> AppserviceInterest::in_room_at(const RoomId& room, storage::StateId state) {
  if (appservice_.has_room(room)) return true;
  auto named = by_alias(room);
  if (!named || *named) return named;
  const auto known = witnesses_.find(room);
  if (known != witnesses_.end()) {
    if (known->second.state == state) return !known->second.user.empty();
    if (!known->second.user.empty()) {
      auto still = is_joined(state, known->second.user);
      if (!still) return still;
      if (*still) {
        known->second.state = state;
        return true;
      }
    }
  }
  auto user = find_joined(state);
  if (!user) return tl::make_unexpected(user.error());
  if (witnesses_.size() >= rooms_remembered) witnesses_.clear();
  const bool found = !user->empty();
  witnesses_[room] = {state, std::move(*user)};
  return found;
}

Result<bool> AppserviceInterest::by_alias(const RoomId& room) {
  if (!appservice_.has_alias_namespaces()) return false;
  auto aliases = rooms_.aliases(room);
  if (!aliases) return tl::make_unexpected(aliases.error());
  return std::any_of(aliases->begin(), aliases->end(),
                     [&](const storage::RoomStore::Alias& one) { return appservice_.has_alias(one.alias); });
}

Result<bool> AppserviceInterest::is_joined(storage::StateId state, const UserId& user) {
  auto id = rooms_.state_event(state, {"m.room.member", user.str()});
  if (!id) return tl::make_unexpected(id.error());
  if (!*id) return false;
  auto member = rooms_.event(**id);
  if (!member) return tl::make_unexpected(member.error());
  return member->has_value() && (*member)->event->membership() == "join";
}

Result<UserId> AppserviceInterest::find_joined(storage::StateId id) {
  auto state = rooms_.state(id);
  if (!state) return tl::make_unexpected(state.error());
  for (auto entry = (*state)->lower_bound({"m.room.member", ""});
       entry != (*state)->end() && entry->first.type == "m.room.member"; ++entry) {
    const auto user = UserId::parse(entry->first.state_key);
    if (!user || !appservice_.has_user(*user)) continue;
    auto joined = is_joined(id, *user);
    if (!joined) return tl::make_unexpected(joined.error());
    if (*joined) return *user;
  }
  return UserId();
}

}  // namespace skerry::homeserver
