#include "homeserver/rooms/heads.h"

#include <algorithm>

#include "homeserver/rooms/build.h"
#include "net/log.h"

namespace skerry::homeserver {

namespace {

constexpr const char* merging_event = "org.matrix.dummy_event";

// Servers differ in when it is too many, so that not all of a room answer the same flood: the first one's event is what
// the others need not send.
constexpr std::size_t many_heads = 40;
constexpr std::size_t patience = 40;

std::size_t most_heads(const ServerName& us) { return many_heads + std::hash<ServerName>()(us) % patience; }

std::optional<UserId> who_may_merge(Room& room) {
  const EventPtr levels = room.state_event(room.current, "m.room.power_levels", "");
  const auto needed = power_to_send(room.rules, merging_event, false, levels);
  const auto users = room.residents.local_users();
  const auto found = std::find_if(users->begin(), users->end(), [&](const UserId& user) {
    return power_of_user(room.rules, user, room.create, levels) >= needed;
  });
  return found == users->end() ? std::nullopt : std::optional(*found);
}

}  // namespace

void merge_heads(Engine& engine, const std::shared_ptr<Room>& room) {
  if (room->heads.size() <= most_heads(engine.context.us)) return;
  const auto sender = who_may_merge(*room);
  if (room->take_trouble() || !sender) return;
  EventDraft draft;
  draft.room = room->id;
  draft.sender = *sender;
  draft.type = merging_event;
  draft.content_json = "{}";
  auto placed = build_event(engine, *room, draft);
  if (!placed) {
    log::info("rooms", "the heads of " + room->id.str() + " are not merged: " + placed.error().text);
    return;
  }
  CommitOptions options;
  options.distribute = true;
  engine.commit(room, std::move(*placed), std::move(options), [](const Result<storage::StreamPosition>&) {});
}

}  // namespace skerry::homeserver
