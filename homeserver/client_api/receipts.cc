// POST /rooms/{roomId}/receipt/{receiptType}/{eventId}   how far the caller has read; durable, told to the room's
// servers POST /rooms/{roomId}/read_markers                      the same, with the fully-read marker
//
// Client-server API, 'Receipts', 'Fully read markers'.
#include <nlohmann/json.hpp>

#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/sync/notices.h"

namespace skerry::homeserver::client_api {

namespace {

const char* const fully_read_type = "m.fully_read";

Result<void> store_fully_read(Services& services, const UserId& user, const RoomId& room, const EventId& event) {
  storage::AccountDataEntry entry;
  entry.room = room;
  entry.type = fully_read_type;
  entry.content_json = dump(Json{{"event_id", event.str()}});
  auto position = services.database.accounts().set_account_data(user, entry);
  if (!position) return tl::make_unexpected(position.error());
  services.notifier.notify(*position, {user});
  return {};
}

Result<void> store_receipt(Services& services, const storage::Receipt& receipt) {
  // A waiting /sync may show the receipt as soon as it is written, with the counts that it leaves.
  auto moving = services.unread.moving_receipt(receipt.user, receipt.room);
  auto position = services.database.stream().put_receipt(receipt);
  moving.reset();
  if (!position) return tl::make_unexpected(position.error());
  if (receipt.type == "m.read.private") {
    services.notifier.notify(*position, {receipt.user});
    return {};
  }
  auto users = services.database.rooms().joined_local_users(receipt.room);
  if (!users) return tl::make_unexpected(users.error());
  services.notifier.notify(*position, *users);
  auto servers = services.database.rooms().joined_servers(receipt.room);
  if (!servers) return tl::make_unexpected(servers.error());
  std::erase(*servers, services.config.server_name);
  if (servers->empty()) return {};
  Json data = {{"ts", receipt.ts_ms}};
  if (!receipt.thread_id.empty()) data["thread_id"] = receipt.thread_id;
  const Json content = {
      {receipt.room.str(),
       {{"m.read",
         {{receipt.user.str(), {{"event_ids", Json::array({receipt.event.str()})}, {"data", std::move(data)}}}}}}}};
  return services.outbox.queue_edu(*servers, {{"edu_type", "m.receipt"}, {"content", content}});
}

// The event must be one of the room.
Result<EventId> room_event(Services& services, const RoomId& room, const std::string& text) {
  auto id = EventId::parse(text);
  if (!id) return fail(ErrorCode::invalid_param, "not an event id: " + text);
  auto stored = services.database.rooms().event(*id);
  if (!stored) return tl::make_unexpected(stored.error());
  if (!*stored || (*stored)->event->room_id() != room) return fail(ErrorCode::not_found, "no such event in this room");
  return id;
}

// A threaded receipt is for an event of that thread; its root counts as one, though it is in the main timeline.
Result<void> check_thread(Services& services, const EventId& id, const std::string& thread) {
  if (thread != "main" && !EventId::parse(thread))
    return fail(ErrorCode::invalid_param, "thread_id must be main or an event id");
  if (thread == id.str()) return {};
  auto stored = services.database.rooms().event(id);
  if (!stored) return tl::make_unexpected(stored.error());
  if (!*stored) return {};
  auto root = thread_of(services.database.rooms(), *(*stored)->event);
  if (!root) return tl::make_unexpected(root.error());
  if ((root->empty() ? "main" : root->str()) != thread)
    return fail(ErrorCode::invalid_param, "the event is not in that thread");
  return {};
}

}  // namespace

void post_receipt(Services& services, Call call, Reply reply) {
  auto room = joined_room(services, call, 0);
  if (!room) return reply.error(room.error());
  const std::string& type = call.parameters[1];
  if (type != "m.read" && type != "m.read.private" && type != fully_read_type) {
    return reply.error({ErrorCode::invalid_param, "unknown receipt type"});
  }
  auto event = room_event(services, *room, call.parameters[2]);
  if (!event) return reply.error(event.error());
  const UserId& user = call.caller->user;
  auto thread = optional_string(*call.body, "thread_id");
  if (!thread) return reply.error(thread.error());
  if (*thread && ((*thread)->empty() || type == fully_read_type)) {
    return reply.error({ErrorCode::invalid_param, "thread_id does not fit here"});
  }
  if (*thread) {
    if (auto fits = check_thread(services, *event, **thread); !fits) return reply.error(fits.error());
  }
  services.presence.is_active(user);
  Result<void> stored;
  if (type == fully_read_type) {
    stored = store_fully_read(services, user, *room, *event);
  } else {
    stored = store_receipt(services, {*room, user, type, thread->value_or(""), *event, services.clock.now_ms(), 0});
  }
  if (!stored) return reply.error(stored.error());
  reply.json(nothing());
}

void post_read_markers(Services& services, Call call, Reply reply) {
  auto room = joined_room(services, call, 0);
  if (!room) return reply.error(room.error());
  const UserId& user = call.caller->user;
  services.presence.is_active(user);
  for (const char* type : {fully_read_type, "m.read", "m.read.private"}) {
    auto text = optional_string(*call.body, type);
    if (!text) return reply.error(text.error());
    if (!*text) continue;
    auto event = room_event(services, *room, **text);
    if (!event) return reply.error(event.error());
    auto stored = type == fully_read_type
                      ? store_fully_read(services, user, *room, *event)
                      : store_receipt(services, {*room, user, type, "", *event, services.clock.now_ms(), 0});
    if (!stored) return reply.error(stored.error());
  }
  reply.json(nothing());
}

}  // namespace skerry::homeserver::client_api
