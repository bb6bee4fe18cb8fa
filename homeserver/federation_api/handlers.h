// The handlers of the server-server API, by file. Each file's first comment says method, path and promise.
#pragma once

#include "homeserver/route.h"

namespace skerry::homeserver::federation_api {

// events.cc
void get_event(Services&, Call, Reply);
void get_state(Services&, Call, Reply);
void get_state_ids(Services&, Call, Reply);
void get_event_auth(Services&, Call, Reply);
void backfill(Services&, Call, Reply);
void get_missing_events(Services&, Call, Reply);

// hierarchy.cc
void get_hierarchy(Services&, Call, Reply);

// invite.cc
void invite(Services&, Call, Reply);

// keys.cc
void get_version(Services&, Call, Reply);
void get_own_keys(Services&, Call, Reply);
void query_keys_of_server(Services&, Call, Reply);
void query_keys(Services&, Call, Reply);

// media.cc
void download_media(Services&, Call, Reply);
void get_thumbnail(Services&, Call, Reply);

// membership.cc
void make_join(Services&, Call, Reply);
void make_leave(Services&, Call, Reply);
void make_knock(Services&, Call, Reply);
void send_join(Services&, Call, Reply);
void send_join_v1(Services&, Call, Reply);
void send_leave(Services&, Call, Reply);
void send_leave_v1(Services&, Call, Reply);
void send_knock(Services&, Call, Reply);

// query.cc
void query_profile(Services&, Call, Reply);
void query_directory(Services&, Call, Reply);
void get_public_rooms(Services&, Call, Reply);
void post_public_rooms(Services&, Call, Reply);
void get_openid_userinfo(Services&, Call, Reply);

// send_transaction.cc
void send_transaction(Services&, Call, Reply);

// timestamp_to_event.cc
void get_timestamp_to_event(Services&, Call, Reply);

}  // namespace skerry::homeserver::federation_api
