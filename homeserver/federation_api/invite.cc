// PUT /_matrix/federation/v2/invite/{roomId}/{eventId}: another server invites one of our users. We sign that we know,
// keep the invitation with what it tells of the room, and show it to the user. Server-server API, 'Inviting to a room'.
#include <nlohmann/json.hpp>

#include "homeserver/federation_api/common.h"
#include "homeserver/federation_api/handlers.h"
#include "homeserver/rate_limiter.h"
#include "homeserver/rooms/outside.h"
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
  std::vector<Json> state;  // PDUs that have to prove themselves
  Json stripped = Json::array();
};

Error invalid(const char* why) { return {ErrorCode::invalid_param, why}; }

// `invite_room_state`. Where the room's id is its create event's hash, the events must prove that they are of that
// room; in older rooms they are taken as they come, since older servers send them stripped.
Result<void> read_state(const Json& list, Invitation& invitation) {
  const bool proves = invitation.rules->room_id_is_create_hash;
  bool has_create = false;
  for (const Json& entry : list) {
    auto known = stripped(entry);
    if (invitation.stripped.size() >= max_state_events) break;
    if (known) invitation.stripped.push_back(std::move(*known));
    if (!proves) continue;
    const auto event =
        check_format(*invitation.rules, entry).and_then([&] { return Event::make(*invitation.rules, entry); });
    if (!event || (*event)->room_id() != invitation.room)
      return tl::make_unexpected(invalid("invite_room_state holds what is no event of that room"));
    has_create = has_create || (*event)->is_state("m.room.create", "");
    invitation.state.push_back(entry);
  }
  if (proves && !has_create) return tl::make_unexpected(invalid("invite_room_state lacks the m.room.create event"));
  return {};
}

// The event itself: of the room and the id of the path, from a user of the origin, to one of ours.
Result<void> read_event(const Call& call, const ServerName& us, const Json& event, Invitation& invitation) {
  const std::string* room_id = find_string(event, "room_id");
  if (room_id == nullptr || *room_id != invitation.room.str())
    return tl::make_unexpected(invalid("the event is of another room"));
  const auto id = event_id_of(*invitation.rules, event);
  if (!id || id->str() != call.parameters[1]) return tl::make_unexpected(invalid("the event has another id"));
  const std::string* type = find_string(event, "type");
  const std::string* membership = find_string(*find_object(event, "content"), "membership");
  if (*type != "m.room.member" || membership == nullptr || *membership != "invite")
    return tl::make_unexpected(invalid("not an invite"));
  auto sender = UserId::parse(*find_string(event, "sender"));
  if (!sender || sender->server() != call.origin)
    return tl::make_unexpected(invalid("the sender is not of your server"));
  const std::string* state_key = find_string(event, "state_key");
  auto target = state_key == nullptr ? fail(ErrorCode::bad_json, "") : UserId::parse(*state_key);
  if (!target || target->server() != us) return tl::make_unexpected(invalid("the invited user is not of this server"));
  invitation.sender = std::move(*sender);
  invitation.target = std::move(*target);
  invitation.event = event;
  return {};
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
  invitation.room = std::move(*room);
  if (auto fine = read_event(call, us, *event, invitation); !fine) return tl::make_unexpected(fine.error());
  const Json* state = find_array(*call.body, "invite_room_state");
  if (auto fine = read_state(state == nullptr ? Json::array() : *state, invitation); !fine)
    return tl::make_unexpected(fine.error());
  invitation.stripped.push_back(*stripped(*event));
  return invitation;
}

// A room that this server is in may shut the inviting server out.
Result<void> check_acl(Services& services, const Call& call, const Invitation& invitation) {
  if (!services.reader.room(invitation.room)) return {};
  auto allowed = services.reader.acl_allows(invitation.room, call.origin);
  if (!allowed) return tl::make_unexpected(allowed.error());
  if (!*allowed) return fail(ErrorCode::forbidden, "this room's access list does not let your server take part");
  return {};
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

using MissingKeys = std::vector<std::pair<ServerName, KeyId>>;

// Whether every signature holds; `missing` gets the keys that are to be fetched first.
bool is_signed(Services& services, const Invitation& invitation, MissingKeys& missing) {
  const KeyLookup keys = services.keys.lookup();
  const auto add = [&](const IntegrityReport& report) {
    missing.insert(missing.end(), report.missing.begin(), report.missing.end());
  };
  const auto event = verify_event(*invitation.rules, invitation.event, keys);
  add(event);
  bool holds = event.integrity == EventIntegrity::good;
  for (const Json& pdu : invitation.state) {
    const auto report = verify_event(*invitation.rules, pdu, keys);
    add(report);
    // A redacted event has another hash, and the signature still.
    holds = holds && (report.integrity == EventIntegrity::good || report.integrity == EventIntegrity::hash_mismatch);
  }
  return holds;
}

// The signatures' keys are known by now, if they can be.
void accept(Services& services, const ServerName& origin, Invitation invitation, Reply reply) {
  MissingKeys missing;
  if (!is_signed(services, invitation, missing))
    return reply.error(invalid("the signature or hash of an event does not hold"));
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
    kept.via = origin;
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
  if (auto allowed = check_acl(services, call, *invitation); !allowed) return reply.error(allowed.error());
  if (auto wait = services.rate_limiter.invite(call.origin, invitation->target)) return reply.limited(*wait);
  MissingKeys missing;
  (void)is_signed(services, *invitation, missing);
  auto waiting = std::make_shared<std::pair<Invitation, Reply>>(std::move(*invitation), std::move(reply));
  const auto go_on = [&services, origin = call.origin, waiting] {
    after_looking_for(services, waiting->first.target, [&services, origin, waiting] {
      accept(services, origin, std::move(waiting->first), std::move(waiting->second));
    });
  };
  if (missing.empty()) return go_on();
  // The inviting server vouches for the keys of those that cannot be asked.
  services.keys.fetch(std::move(missing), {call.origin}, [&services, go_on] { (void)services.outbound.post(go_on); });
}

}  // namespace skerry::homeserver::federation_api
