#include "homeserver/rooms/remote.h"

#include <nlohmann/json.hpp>

#include "homeserver/rooms/outside.h"
#include "homeserver/rooms/reader.h"
#include "homeserver/rooms/verify.h"

namespace skerry::homeserver {

namespace {

using Told = Once<RemoteOutcome>;

constexpr std::size_t waiting_per_join = 1'000;

struct Incoming {
  ServerName origin;
  RoomId room;
  const RoomRules* rules = nullptr;
  Json pdu;
  std::optional<storage::StrippedInvite> turned_down = {};  // what it ends, in a room that this server is not in
};

// m.room.server_acl as it stands in the room's turn: what waited for a join could not be asked before.
bool acl_allows(Room& room, const ServerName& origin) {
  const EventPtr acl = room.state_event(room.current, "m.room.server_acl", "");
  return !acl || server_acl_allows(acl->content(), origin);
}

void tell_dropped(const Incoming& incoming, const Told& told, std::string reason) {
  const auto id = event_id_of(*incoming.rules, incoming.pdu);
  told(RemoteOutcome{id ? *id : EventId(), dropped(std::move(reason))});
}

void hand_in_verified(const std::shared_ptr<Engine>& engine, const std::shared_ptr<MissingEvents>& missing,
                      const Incoming& incoming, EventPtr event, const Told& told) {
  if (incoming.turned_down) {
    const bool posted = engine->context.outbound.post(
        [engine, standing = *incoming.turned_down, event, told] { told(turn_down(*engine, standing, *event)); });
    if (!posted) told(RemoteOutcome{event->id(), dropped("this server has too much to do"), true});
    return;
  }
  hand_in(engine, missing, std::make_shared<Arrival>(Arrival{std::move(event), incoming.origin, {told}}));
}

// Steps 1 to 3, once the keys that were missing were asked for.
void verify_again(const std::shared_ptr<Engine>& engine, const std::shared_ptr<MissingEvents>& missing,
                  const Incoming& incoming, const Told& told) {
  auto verification = verify_pdu(*incoming.rules, incoming.room, incoming.pdu, known_keys(engine->context.remote));
  if (!verification.event) return tell_dropped(incoming, told, std::move(verification.error.text));
  hand_in_verified(engine, missing, incoming, std::move(verification.event), told);
}

void receive(const std::shared_ptr<Engine>& engine, const std::shared_ptr<MissingEvents>& missing,
             const std::shared_ptr<Incoming>& incoming, const Told& told) {
  incoming->turned_down = turned_down(*engine, incoming->room, incoming->pdu);
  incoming->rules =
      incoming->turned_down ? find_room_rules(incoming->turned_down->room_version) : engine->rules_of(incoming->room);
  if (incoming->rules == nullptr) return told(RemoteOutcome{EventId(), dropped("this server is not in the room")});
  auto verification = verify_pdu(*incoming->rules, incoming->room, incoming->pdu, known_keys(engine->context.remote));
  if (verification.event) return hand_in_verified(engine, missing, *incoming, std::move(verification.event), told);
  if (verification.missing_keys.empty()) return tell_dropped(*incoming, told, std::move(verification.error.text));
  engine->context.remote.fetch_keys(
      std::move(verification.missing_keys), {incoming->origin},
      [engine, missing, incoming, told] { verify_again(engine, missing, *incoming, told); });
}

}  // namespace

void hand_in(const std::shared_ptr<Engine>& engine, const std::shared_ptr<MissingEvents>& missing,
             const std::shared_ptr<Arrival>& arrival) {
  const RoomId room_id = arrival->event->room_id();
  engine->post(
      room_id,
      [engine, missing, arrival, room_id] {
        const auto room = engine->open(room_id);
        if (!room) {
          const bool is_unknown = room.error().code == ErrorCode::not_found;
          return is_unknown ? arrival->answer(dropped(room.error().text)) : arrival->put_off(room.error().text);
        }
        if (!acl_allows(**room, arrival->origin)) {
          return arrival->answer(dropped("this room's access list does not let your server take part"));
        }
        if (has_anothers_id(**room, *arrival->event)) {
          return arrival->answer(dropped("another event has this id"));
        }
        if (missing->wait_with_others(arrival)) return;
        if (offer(*engine, *room, arrival)) missing->wait(arrival);
      },
      [arrival](const Error& error) { arrival->put_off(error.text); });
}

void receive_remote(const std::shared_ptr<Engine>& engine, const std::shared_ptr<MissingEvents>& missing,
                    const std::shared_ptr<Joining>& joining, const ServerName& origin, Json pdu,
                    std::function<void(RemoteOutcome)> done) {
  const Told told(std::move(done), RemoteOutcome{EventId(), dropped("the server is shutting down"), true});
  const auto room = room_id_of(pdu);
  if (!room) return told(RemoteOutcome{EventId(), dropped(room.error().text)});
  const auto incoming = std::make_shared<Incoming>(Incoming{origin, *room, nullptr, std::move(pdu)});
  auto go_on = [engine, missing, incoming, told] { receive(engine, missing, incoming, told); };
  if (!joining->wait(*room, go_on)) go_on();
}

void Joining::begin(const RoomId& room) {
  const std::lock_guard lock(mutex_);
  ++rooms_[room].joins;
}

void Joining::end(const RoomId& room) {
  std::vector<std::function<void()>> resumes;
  {
    const std::lock_guard lock(mutex_);
    const auto found = rooms_.find(room);
    if (found == rooms_.end() || --found->second.joins > 0) return;
    resumes = std::move(found->second.resumes);
    rooms_.erase(found);
  }
  for (const auto& resume : resumes) resume();
}

bool Joining::wait(const RoomId& room, std::function<void()> resume) {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  if (found == rooms_.end() || found->second.resumes.size() >= waiting_per_join) return false;
  found->second.resumes.push_back(std::move(resume));
  return true;
}

}  // namespace skerry::homeserver
