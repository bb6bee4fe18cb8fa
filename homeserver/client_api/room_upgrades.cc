// POST /rooms/{roomId}/upgrade    replaces a room by one of another version, all or nothing
// Client-server API, 'Room Upgrades'.
#include "homeserver/client_api/room_upgrades.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/accounts/push_rules.h"
#include "homeserver/client_api/account_data.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/rate_limiter.h"
#include "net/log.h"

namespace skerry::homeserver::client_api {

namespace {

constexpr std::size_t max_creators = 100;

Result<std::vector<UserId>> read_creators(const UserId& caller, const Json& body) {
  std::vector<UserId> users;
  const Json* list = find_member(body, "additional_creators");
  if (list == nullptr || list->is_null()) return users;
  if (!list->is_array() || list->size() > max_creators)
    return fail(ErrorCode::bad_json, "additional_creators must be an array of at most 100 user ids");
  for (const Json& entry : *list) {
    auto user = entry.is_string() ? UserId::parse(entry.get<std::string>()) : fail(ErrorCode::bad_json, "");
    if (!user) return fail(ErrorCode::invalid_param, "additional_creators must hold user ids");
    if (*user != caller && std::find(users.begin(), users.end(), *user) == users.end()) users.push_back(*user);
  }
  return users;
}

// The room that this one says it replaces.
std::optional<RoomId> predecessor_of(Services& services, const RoomId& room) {
  const auto create = services.reader.state_event(room, "m.room.create", "");
  if (!create || !*create) return std::nullopt;
  const Json* predecessor = find_object((*create)->content(), "predecessor");
  const std::string* id = predecessor == nullptr ? nullptr : find_string(*predecessor, "room_id");
  const auto old = id == nullptr ? fail(ErrorCode::not_found, "") : RoomId::parse(*id);
  return old ? std::optional(*old) : std::nullopt;
}

Result<void> carry_tags(Services& services, const UserId& user, const RoomId& old, const RoomId& room) {
  const auto tags = read_account_data(services, user, old, "m.tag");
  if (!tags) return tl::make_unexpected(tags.error());
  if (!*tags) return {};
  const auto present = read_account_data(services, user, room, "m.tag");
  if (!present) return tl::make_unexpected(present.error());
  if (*present) return {};
  return write_account_data(services, user, room, "m.tag", **tags);
}

// Rules that are named after the room: those of the kind `room`, and overriding ones by which clients mute a room.
Result<void> carry_push_rules(Services& services, const UserId& user, const RoomId& old, const RoomId& room) {
  auto rules = read_account_data(services, user, std::nullopt, "m.push_rules");
  if (!rules) return tl::make_unexpected(rules.error());
  if (!*rules) return {};
  bool is_changed = false;
  for (const char* kind : {"room", "override"}) {
    const Json* rule = find_push_rule(std::as_const(**rules), kind, old.str());
    if (rule == nullptr || find_push_rule(std::as_const(**rules), kind, room.str()) != nullptr) continue;
    Json copy = *rule;
    if (const auto conditions = copy.find("conditions"); conditions != copy.end() && conditions->is_array()) {
      for (Json& condition : *conditions) {
        const std::string* pattern = condition.is_object() ? find_string(condition, "pattern") : nullptr;
        if (pattern != nullptr && *pattern == old.str()) condition["pattern"] = room.str();
      }
    }
    if (auto put = homeserver::put_push_rule(**rules, kind, room.str(), copy, {}); !put) return put;
    if (Json* made = find_push_rule(**rules, kind, room.str())) (*made)["enabled"] = copy.value("enabled", true);
    is_changed = true;
  }
  if (!is_changed) return {};
  return write_account_data(services, user, std::nullopt, "m.push_rules", **rules);
}

Result<void> carry_direct(Services& services, const UserId& user, const RoomId& old, const RoomId& room) {
  auto direct = read_account_data(services, user, std::nullopt, "m.direct");
  if (!direct) return tl::make_unexpected(direct.error());
  if (!*direct || !(*direct)->is_object()) return {};
  bool is_changed = false;
  for (Json& rooms : **direct) {
    if (!rooms.is_array()) continue;
    const auto has = [&](const RoomId& id) { return std::find(rooms.begin(), rooms.end(), id.str()) != rooms.end(); };
    if (!has(old) || has(room)) continue;
    rooms.push_back(room.str());
    is_changed = true;
  }
  if (!is_changed) return {};
  return write_account_data(services, user, std::nullopt, "m.direct", **direct);
}

}  // namespace

void carry_settings(Services& services, const UserId& user, const RoomId& room) {
  const auto old = predecessor_of(services, room);
  if (!old) return;
  const auto guard = services.accounts.lock(user);
  for (const auto carry : {carry_tags, carry_push_rules, carry_direct}) {
    if (auto carried = carry(services, user, *old, room); !carried) {
      log::warn("rooms", "a user's settings did not go along into " + room.str() + ": " + carried.error().text);
    }
  }
}

void upgrade_room(Services& services, Call call, Reply reply) {
  const UserId& user = call.caller->user;
  auto room = joined_room(services, call, 0);
  if (!room) return reply.error(room.error());
  auto version = required_string(*call.body, "new_version");
  if (!version) return reply.error(version.error());
  RoomUpgrade upgrade{*room, user, std::move(*version), {}, dump(join_content(services, user))};
  const RoomRules* rules = find_room_rules(upgrade.version);
  if (rules == nullptr) {
    return reply.error({ErrorCode::unsupported_room_version, "this server does not know that room version"});
  }
  if (rules->creators_are_privileged) {
    auto creators = read_creators(user, *call.body);
    if (!creators) return reply.error(creators.error());
    upgrade.additional_creators = std::move(*creators);
  }
  if (auto wait = services.rate_limiter.message(*call.caller)) return reply.limited(*wait);
  auto shared = share(std::move(reply));
  services.pipeline.upgrade_room(std::move(upgrade), [&services, shared, user](const Result<RoomId>& made) {
    if (!made) return shared->error(made.error());
    // The commit's thread must not wait: the rest goes on elsewhere.
    const bool queued = services.outbound.post([&services, shared, user, id = *made] {
      carry_settings(services, user, id);
      shared->json({{"replacement_room", id.str()}});
    });
    if (!queued) shared->json({{"replacement_room", made->str()}});
  });
}

}  // namespace skerry::homeserver::client_api
