// GET, PUT /user/{userId}/account_data/{type}                     what clients keep for their user
// GET, PUT /user/{userId}/rooms/{roomId}/account_data/{type}      the same, for one room
// GET /user/{userId}/rooms/{roomId}/tags                          the room's tags: m.tag of the room's account data
// PUT, DELETE /user/{userId}/rooms/{roomId}/tags/{tag}
// Client-server API, 'Client Config', 'Room Tagging'.
#include "homeserver/client_api/account_data.h"

#include <nlohmann/json.hpp>

#include "homeserver/client_api/handlers.h"

namespace skerry::homeserver::client_api {

Result<std::optional<Json>> read_account_data(Services& services, const UserId& user, const std::optional<RoomId>& room,
                                              const std::string& type) {
  auto entry = services.database.accounts().account_data(user, room, type);
  if (!entry) return tl::make_unexpected(entry.error());
  if (!*entry) return std::nullopt;
  auto content = parse_stored((*entry)->content_json);
  if (!content) return tl::make_unexpected(content.error());
  return std::move(*content);
}

Result<void> write_account_data(Services& services, const UserId& user, const std::optional<RoomId>& room,
                                const std::string& type, const Json& content) {
  storage::AccountDataEntry entry;
  entry.room = room;
  entry.type = type;
  entry.content_json = dump(content);
  auto position = services.database.accounts().set_account_data(user, entry);
  if (!position) return tl::make_unexpected(position.error());
  services.notifier.notify(*position, {user});
  return {};
}

namespace {

constexpr const char* tag_type = "m.tag";
constexpr std::size_t type_bytes = 255;
constexpr std::size_t tags_of_a_room = 100;

// The room that the path names, and that the path's user is the caller. Errors: forbidden, invalid_param.
Result<RoomId> own_room(const Call& call) {
  if (auto own = own_user(call, 0); !own) return tl::make_unexpected(own.error());
  return path_id<RoomId>(call, 1);
}

// What only the server writes: 'Server behaviour' of 'Client Config'.
bool belongs_to_server(const std::string& type) { return type == "m.fully_read" || type == "m.push_rules"; }

void answer(Services& services, const Call& call, const std::optional<RoomId>& room, const std::string& type,
            Reply reply) {
  auto content = read_account_data(services, call.caller->user, room, type);
  if (!content) return reply.error(content.error());
  if (!*content) return reply.error({ErrorCode::not_found, "no account data of that type"});
  reply.json(**content);
}

void store(Services& services, const Call& call, const std::optional<RoomId>& room, const std::string& type,
           Reply reply) {
  if (belongs_to_server(type)) {
    return reply.error(405, {{"errcode", "M_BAD_JSON"}, {"error", type + " cannot be set by this endpoint"}});
  }
  if (type.size() > type_bytes) return reply.error({ErrorCode::invalid_param, "the type is longer than 255 bytes"});
  const auto guard = services.accounts.lock(call.caller->user);
  auto stored = write_account_data(services, call.caller->user, room, type, *call.body);
  if (!stored) return reply.error(stored.error());
  reply.json(nothing());
}

// The tags as an object of objects, whatever a client stored in m.tag by hand.
Result<Json> read_tags(Services& services, const UserId& user, const RoomId& room) {
  auto content = read_account_data(services, user, room, tag_type);
  if (!content) return tl::make_unexpected(content.error());
  const Json* tags = *content ? find_object(**content, "tags") : nullptr;
  return tags != nullptr ? *tags : Json::object();
}

Result<Json> tag_from(const Json& body) {
  const Json* order = find_member(body, "order");
  if (order != nullptr && (!order->is_number() || !(order->get<double>() >= 0 && order->get<double>() <= 1))) {
    return fail(ErrorCode::bad_json, "order must be a number from 0 to 1");
  }
  return body;
}

}  // namespace

void get_account_data(Services& services, Call call, Reply reply) {
  if (auto own = own_user(call, 0); !own) return reply.error(own.error());
  answer(services, call, std::nullopt, call.parameters[1], std::move(reply));
}

void put_account_data(Services& services, Call call, Reply reply) {
  if (auto own = own_user(call, 0); !own) return reply.error(own.error());
  store(services, call, std::nullopt, call.parameters[1], std::move(reply));
}

void get_room_account_data(Services& services, Call call, Reply reply) {
  auto room = own_room(call);
  if (!room) return reply.error(room.error());
  answer(services, call, *room, call.parameters[2], std::move(reply));
}

void put_room_account_data(Services& services, Call call, Reply reply) {
  auto room = own_room(call);
  if (!room) return reply.error(room.error());
  store(services, call, *room, call.parameters[2], std::move(reply));
}

void get_tags(Services& services, Call call, Reply reply) {
  auto room = own_room(call);
  if (!room) return reply.error(room.error());
  auto tags = read_tags(services, call.caller->user, *room);
  if (!tags) return reply.error(tags.error());
  reply.json({{"tags", std::move(*tags)}});
}

void put_tag(Services& services, Call call, Reply reply) {
  auto room = own_room(call);
  if (!room) return reply.error(room.error());
  const std::string& name = call.parameters[2];
  if (name.size() > type_bytes) return reply.error({ErrorCode::invalid_param, "a tag has at most 255 bytes"});
  auto tag = tag_from(*call.body);
  if (!tag) return reply.error(tag.error());
  const auto guard = services.accounts.lock(call.caller->user);
  auto tags = read_tags(services, call.caller->user, *room);
  if (!tags) return reply.error(tags.error());
  if (tags->size() >= tags_of_a_room && !tags->contains(name)) {
    return reply.error({ErrorCode::invalid_param, "a room has at most 100 tags"});
  }
  (*tags)[name] = std::move(*tag);
  auto stored = write_account_data(services, call.caller->user, *room, tag_type, {{"tags", std::move(*tags)}});
  if (!stored) return reply.error(stored.error());
  reply.json(nothing());
}

void delete_tag(Services& services, Call call, Reply reply) {
  auto room = own_room(call);
  if (!room) return reply.error(room.error());
  const auto guard = services.accounts.lock(call.caller->user);
  auto tags = read_tags(services, call.caller->user, *room);
  if (!tags) return reply.error(tags.error());
  if (tags->erase(call.parameters[2]) > 0) {
    auto stored = write_account_data(services, call.caller->user, *room, tag_type, {{"tags", std::move(*tags)}});
    if (!stored) return reply.error(stored.error());
  }
  reply.json(nothing());
}

}  // namespace skerry::homeserver::client_api
