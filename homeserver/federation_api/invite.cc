// PUT /_matrix/federation/v2/invite/{roomId}/{eventId}: another server invites one of our users. We sign that we know,
// keep the invitation with what it tells of the room, and show it to the user. Server-server API, 'Inviting to a room'.
#include <nlohmann/json.hpp>

#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"
#include "net/log.h"

namespace skerry::homeserver::federation_api {

namespace {

constexpr std::size_t max_pending_invites = 1'000;  // per user
constexpr std::size_t max_state_events = 100;

struct Invitation {
  const RoomRules* rules = nullptr;
  RoomId room;
  UserId sender;
  UserId target;
  Json event;
  Json stripped = Json::array();
};

Error invalid(const char* why) { return {ErrorCode::invalid_param, why}; }

// A state event that describes the room, as PDU (v1.16 on) or already stripped (older servers), as clients see it.
std::optional<Json> strip(const Json& event) {
  if (!event.is_object()) return std::nullopt;
  const std::string* type = find_string(event, "type");
  const std::string* state_key = find_string(event, "state_key");
  const std::string* sender = find_string(event, "sender");
  const Json* content = find_object(event, "content");
  if (type == nullptr || state_key == nullptr || sender == nullptr || content == nullptr) return std::nullopt;
  return Json{{"type", *type}, {"state_key", *state_key}, {"sender", *sender}, {"content", *content}};
}

Result<Invitation> read(const Call& call, const ServerName& us) {
  Invitation invitation;
  const std::string* version = find_string(*call.body, "room_version");
  if (version == nullptr) return tl::make_unexpected(Error{ErrorCode::missing_param, "room_version is required"});
  invitation.rules = find_room_rules(*version);
  if (invitation.rules == nullptr) return fail(ErrorCode::incompatible_room_version, *version);
  const Json* event = find_object(*call.body, "event");
  if (event == nullptr) return tl::make_unexpected(Error{ErrorCode::missing_param, "event is required"});
  if (auto shape = check_format(*invitation.rules, *event); !shape)
    return tl::make_unexpected(invalid("the event is malformed"));
  auto room = parse_id<RoomId>(call.parameters[0]);
  if (!room) return tl::make_unexpected(room.error());
  const std::string* room_id = find_string(*event, "room_id");
  if (room_id == nullptr || *room_id != room->str())
    return tl::make_unexpected(invalid("the event is of another room"));
  const auto id = event_id_of(*invitation.rules, *event);
  if (!id || id->str() != call.parameters[1]) return tl::make_unexpected(invalid("the event has another id"));
  const std::string* type = find_string(*event, "type");
  const std::string* membership = find_string(*find_object(*event, "content"), "membership");
  if (*type != "m.room.member" || membership == nullptr || *membership != "invite")
    return tl::make_unexpected(invalid("not an invite"));
  auto sender = UserId::parse(*find_string(*event, "sender"));
  if (!sender || sender->server() != call.origin)
    return tl::make_unexpected(invalid("the sender is not of your server"));
  const std::string* state_key = find_string(*event, "state_key");
  auto target = state_key == nullptr ? fail(ErrorCode::bad_json, "") : UserId::parse(*state_key);
  if (!target || target->server() != us) return tl::make_unexpected(invalid("the invited user is not of this server"));
  invitation.room = std::move(*room);
  invitation.sender = std::move(*sender);
  invitation.target = std::move(*target);
  invitation.event = *event;
  if (const Json* state = find_array(*call.body, "invite_room_state")) {
    for (const Json& entry : *state) {
      auto stripped = strip(entry);
      if (stripped && invitation.stripped.size() < max_state_events)
        invitation.stripped.push_back(std::move(*stripped));
    }
  }
  invitation.stripped.push_back(*strip(*event));
  return invitation;
}

// Whether the user can be invited as far as this server can tell.
Result<void> check_target(Services& services, const Invitation& invitation) {
  auto exists = services.database.accounts().user_exists(invitation.target);
  if (!exists) return tl::make_unexpected(exists.error());
  if (!*exists) return fail(ErrorCode::not_found, "no such user here");
  auto in_room = services.reader.server_in_room(invitation.room, services.config.server_name);
  auto membership = services.reader.membership(invitation.room, invitation.target);
  if (in_room && *in_room && membership && (*membership == "join" || *membership == "ban")) {
    return fail(ErrorCode::forbidden, "that user is in the room already, or banned from it");
  }
  auto pending = services.database.rooms().stripped_invites(invitation.target);
  if (!pending) return tl::make_unexpected(pending.error());
  if (pending->size() >= max_pending_invites)
    return fail(ErrorCode::limit_exceeded, "too many invitations wait for that user");
  return {};
}

// On `outbound`: the signature's key is known by now, if it can be.
void accept(Services& services, Invitation invitation, Reply reply) {
  const auto report = verify_event(*invitation.rules, invitation.event, services.keys.lookup());
  if (report.integrity != EventIntegrity::good)
    return reply.error(invalid("the event's signature or hash does not hold"));
  if (auto fine = check_target(services, invitation); !fine) return reply.error(fine.error());
  if (auto added = services.pipeline.countersign(*invitation.rules, invitation.event); !added)
    return reply.error(added.error());
  // Where this server is in the room, the event comes once more, through a transaction, and takes effect there.
  auto in_room = services.reader.server_in_room(invitation.room, services.config.server_name);
  if (!in_room || !*in_room) {
    storage::StrippedInvite kept;
    kept.room = invitation.room;
    kept.user = invitation.target;
    kept.room_version = std::string(invitation.rules->version);
    kept.membership = "invite";
    kept.event_json = dump(invitation.event);
    kept.stripped_state_json = dump(invitation.stripped);
    auto position = services.database.rooms().save_stripped_invite(std::move(kept));
    if (!position) return reply.error(position.error());
    services.notifier.notify(*position, {invitation.target});
  }
  reply.json({{"event", invitation.event}});
}

}  // namespace

void invite(Services& services, Call call, Reply reply) {
  auto invitation = read(call, services.config.server_name);
  if (!invitation) {
    if (invitation.error().code != ErrorCode::incompatible_room_version) return reply.error(invitation.error());
    return reply.error(400, {{"errcode", "M_INCOMPATIBLE_ROOM_VERSION"},
                             {"error", "this server does not know that room version"},
                             {"room_version", invitation.error().text}});
  }
  const auto report = verify_event(*invitation->rules, invitation->event, services.keys.lookup());
  if (report.integrity != EventIntegrity::missing_key)
    return accept(services, std::move(*invitation), std::move(reply));
  auto waiting = std::make_shared<std::pair<Invitation, Reply>>(std::move(*invitation), std::move(reply));
  services.keys.fetch(report.missing, {}, [&services, waiting] {
    (void)services.outbound.post(
        [&services, waiting] { accept(services, std::move(waiting->first), std::move(waiting->second)); });
  });
}

}  // namespace skerry::homeserver::federation_api
