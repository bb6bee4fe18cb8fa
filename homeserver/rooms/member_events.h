// Membership events that two servers make together: our template, their signature; or our event and their signature
// too. Promises to sign nothing but the membership that was asked for.
#pragma once

#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

void make_member_template(const std::shared_ptr<Engine>& engine, EventDraft draft,
                          std::function<void(Result<EventTemplate>)> done);

void receive_signed_membership(const std::shared_ptr<Engine>& engine, const ServerName& origin, Json pdu,
                               std::function<void(Result<RoomAtEvent>)> done);

void commit_countersigned(const std::shared_ptr<Engine>& engine, Json pdu, std::function<void(Result<EventId>)> done);

// Adds this server's signature to a PDU that has others'. Errors: bad_json.
Result<void> add_our_signature(const Engine& engine, const RoomRules& rules, Json& pdu);

}  // namespace skerry::homeserver
