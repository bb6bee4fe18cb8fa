// The way of what this server's users send: transaction id, build, authorize, commit, answer. Promises that a
// transaction id seen before answers the event it made, also while that one is still in flight.
#pragma once

#include "homeserver/rooms/engine.h"

namespace skerry::homeserver {

void send_local(const std::shared_ptr<Engine>& engine, EventDraft draft, std::function<void(Result<EventId>)> done);

}  // namespace skerry::homeserver
