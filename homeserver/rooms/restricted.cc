#include "homeserver/rooms/restricted.h"

#include <nlohmann/json.hpp>

#include "core/authorization.h"

namespace skerry::homeserver {

namespace {

enum class Met { yes, no, unknown };

// m.room_membership: joined to that room, as far as this server is in it.
Result<Met> meets(Engine& engine, const Json& condition, const UserId& user) {
  const std::string* type = find_string(condition, "type");
  const std::string* room_id = find_string(condition, "room_id");
  if (type == nullptr || room_id == nullptr || *type != "m.room_membership") return Met::no;
  const auto room = RoomId::parse(*room_id);
  if (!room) return Met::no;
  const auto locals = engine.store.joined_local_users(*room);
  if (!locals) return tl::make_unexpected(locals.error());
  if (locals->empty()) return Met::unknown;
  const auto membership = engine.store.membership(*room, user);
  if (!membership) return tl::make_unexpected(membership.error());
  return membership->has_value() && (*membership)->membership == "join" ? Met::yes : Met::no;
}

Result<Met> meets_any(Engine& engine, const Json& join_rules, const UserId& user) {
  const Json* allow = find_array(join_rules, "allow");
  if (allow == nullptr) return Met::no;
  Met best = Met::no;
  std::size_t seen = 0;
  for (const auto& condition : *allow) {
    if (++seen > max_conditions) break;
    if (!condition.is_object()) continue;
    const auto met = meets(engine, condition, user);
    if (!met || *met == Met::yes) return met;
    if (*met == Met::unknown) best = Met::unknown;
  }
  return best;
}

// A joined user of this server who may invite.
std::optional<UserId> find_voucher(Room& room, const RoomState& state) {
  const EventPtr power_levels = room.state_event(state, "m.room.power_levels", "");
  const std::int64_t needed = power_for_action(room.rules, "invite", power_levels);
  const auto local_users = room.residents.local_users();
  for (const auto& user : *local_users) {
    if (power_of_user(room.rules, user, room.create, power_levels) >= needed) return user;
  }
  return std::nullopt;
}

}  // namespace

Result<void> authorise_join(Engine& engine, Room& room, const RoomState& state, const UserId& user, Json& content) {
  const std::string* membership = find_string(content, "membership");
  if (!room.rules.restricted_joins || membership == nullptr || *membership != "join") return {};
  const std::string_view now = room.membership(state, user);
  if (now == "join" || now == "invite" || now == "ban") return {};
  const EventPtr join_rules = room.state_event(state, "m.room.join_rules", "");
  const std::string* rule = join_rules ? find_string(join_rules->content(), "join_rule") : nullptr;
  if (rule == nullptr) return {};
  if (*rule != "restricted" && !(room.rules.knock_restricted && *rule == "knock_restricted")) return {};

  const auto met = meets_any(engine, join_rules->content(), user);
  if (!met) return tl::make_unexpected(met.error());
  if (*met == Met::no) return fail(ErrorCode::forbidden, "none of the conditions of this room's join rules is met");
  if (*met == Met::unknown) {
    return fail(ErrorCode::unable_to_authorise_join, "this server is in none of the rooms that would allow the join");
  }
  const auto voucher = find_voucher(room, state);
  if (!voucher) return fail(ErrorCode::unable_to_grant_join, "nobody of this server may invite to this room");
  content["join_authorised_via_users_server"] = voucher->str();
  return {};
}

}  // namespace skerry::homeserver
