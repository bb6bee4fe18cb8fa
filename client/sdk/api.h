// The calls of the client-server API that this client makes, one function each, named after the endpoint. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/sdk/call.h"
#include "client/sdk/event.h"
#include "client/sdk/sync_response.h"

namespace skerry::client::api {

// What /login and /register give.
struct SignedIn {
  std::string user_id;
  std::string device_id;
  std::string access_token;
};

// GET /versions: the versions the server speaks.
Call<std::vector<std::string>> versions();
// POST /login with a password. `user` is a localpart or a whole user id.
Call<SignedIn> login(const std::string& user, const std::string& password);
// POST /register with a body as client/sdk/registration.cc makes it.
Call<SignedIn> register_account(const Json& body);
Call<Nothing> logout();

struct WhoAmI {
  std::string user_id;
  std::string device_id;
};
Call<WhoAmI> whoami();

Call<std::string> display_name(const std::string& user_id);
Call<Nothing> set_display_name(const std::string& user_id, const std::string& name);

struct CreateRoom {
  std::string name;
  std::string topic;
  std::string alias_localpart;
  std::vector<std::string> invite;
  bool is_public = false;
};
Call<std::string> create_room(const CreateRoom& room);                                             // the room id
Call<std::string> join(const std::string& room_id_or_alias, const std::vector<std::string>& via);  // the room id
Call<std::string> knock(const std::string& room_id_or_alias, const std::vector<std::string>& via,
                        const std::string& reason);  // the room id
Call<Nothing> invite(const std::string& room_id, const std::string& user_id);
Call<Nothing> leave(const std::string& room_id);
Call<std::string> resolve_alias(const std::string& alias);  // the room id
Call<std::vector<std::string>> joined_rooms();

// GET /rooms/{roomId}/members: member events, all but those who left when `present` is set.
Call<std::vector<RoomEvent>> members(const std::string& room_id, bool present);
// Whether the room has m.room.encryption. A 404 means no: see `is_not_found`.
Call<Nothing> encryption_state(const std::string& room_id);
Call<Nothing> set_topic(const std::string& room_id, const std::string& topic);

// PUT /rooms/{roomId}/send/m.room.message/{txnId}: the event id. `kind` is a msgtype, such as m.text.
Call<std::string> send_message(const std::string& room_id, const std::string& transaction_id, const std::string& kind,
                               const std::string& body);

struct Messages {
  std::vector<RoomEvent> chunk;  // newest first
  std::vector<RoomEvent> state;  // members that the chunk shows
  std::string end;               // empty: there is nothing before
};
// GET /rooms/{roomId}/messages, backwards from a token (empty: from the end).
Call<Messages> messages(const std::string& room_id, const std::string& from, int limit);
// GET /rooms/{roomId}/context/{eventId}: the token from which to page what is before the event.
Call<std::string> token_before(const std::string& room_id, const std::string& event_id);

Call<Nothing> read_receipt(const std::string& room_id, const std::string& event_id);
Call<Nothing> typing(const std::string& room_id, const std::string& user_id, bool typing);

struct SyncRequest {
  std::string since;  // empty: from the beginning
  int wait_ms = 0;    // how long the server may hold the request
  int timeline_limit = 30;
  std::string only_room;  // empty: all
};
Call<SyncResponse> sync(const SyncRequest& request);

}  // namespace skerry::client::api
