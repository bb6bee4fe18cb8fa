// The handlers of the client-server API, by file. Each file's first comment says method, path and promise.
#pragma once

#include "homeserver/route.h"

namespace skerry::homeserver::client_api {

// create_room.cc
void create_room(Services&, Call, Reply);

// directory.cc
void get_alias(Services&, Call, Reply);
void put_alias(Services&, Call, Reply);
void delete_alias(Services&, Call, Reply);
void get_room_aliases(Services&, Call, Reply);
void get_published(Services&, Call, Reply);
void put_published(Services&, Call, Reply);
void get_public_rooms(Services&, Call, Reply);
void post_public_rooms(Services&, Call, Reply);

// membership.cc
void join_room(Services&, Call, Reply);
void join_room_or_alias(Services&, Call, Reply);
void leave_room(Services&, Call, Reply);
void forget_room(Services&, Call, Reply);
void invite_user(Services&, Call, Reply);
void kick_user(Services&, Call, Reply);
void ban_user(Services&, Call, Reply);
void unban_user(Services&, Call, Reply);
void joined_rooms(Services&, Call, Reply);

// messages.cc
void get_messages(Services&, Call, Reply);
void get_event(Services&, Call, Reply);
void get_context(Services&, Call, Reply);

// receipts.cc
void post_receipt(Services&, Call, Reply);
void post_read_markers(Services&, Call, Reply);

// send.cc
void send_event(Services&, Call, Reply);
void redact_event(Services&, Call, Reply);
void set_state(Services&, Call, Reply);

// state.cc
void get_state(Services&, Call, Reply);
void get_state_event(Services&, Call, Reply);
void get_members(Services&, Call, Reply);
void get_joined_members(Services&, Call, Reply);

// sync.cc
void sync(Services&, Call, Reply);

// typing.cc
void put_typing(Services&, Call, Reply);

}  // namespace skerry::homeserver::client_api
