// Questions about rooms that several APIs ask, answered from the stores. Read-only, thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/authorization.h"
#include "core/event.h"
#include "core/state.h"
#include "storage/database.h"

namespace skerry::homeserver {

class RoomReader {
 public:
  RoomReader(storage::Database& database, ServerName us);

  Result<storage::RoomInfo> room(const RoomId& room) const;  // not_found
  Result<const RoomRules*> rules(const RoomId& room) const;  // not_found
  Result<StatePtr> current_state(const RoomId& room) const;  // not_found
  // Null when the state has none.
  Result<EventPtr> state_event(const RoomId& room, std::string_view type, std::string_view key) const;
  Result<EventPtr> state_event_at(storage::StateId state, std::string_view type, std::string_view key) const;
  Result<std::string> membership(const RoomId& room, const UserId& user) const;  // "" when never in

  // History visibility, from the state at the event ('Room History Visibility'); `server` form for federation.
  Result<bool> may_see(const UserId& user, const storage::StoredEvent& event) const;
  Result<bool> server_may_see(const ServerName& server, const storage::StoredEvent& event) const;

  // m.room.server_acl of the current state ('Server ACLs').
  Result<bool> acl_allows(const RoomId& room, const ServerName& server) const;
  Result<bool> server_in_room(const RoomId& room, const ServerName& server) const;

  // Power of a user in the current state.
  Result<std::int64_t> power(const RoomId& room, const UserId& user) const;

  // Stripped state for invites and knocks ('Stripped state'): create, name, avatar, topic, join rules, canonical alias,
  // encryption. PDUs in full (`as_pdus`, for federation in v1.16 and later) or stripped events.
  Result<Json> stripped_state(const RoomId& room, bool as_pdus) const;

  // The event as other servers get it: the redacted form when it was redacted.
  Result<Json> federation_pdu(const storage::StoredEvent& event) const;

 private:
  storage::Database& database_;
  ServerName us_;
};

// 'Room History Visibility' for one user; what RoomReader::may_see answers. Errors: storage.
Result<bool> user_may_see(storage::RoomStore& store, const UserId& user, const storage::StoredEvent& event);

// m.room.server_acl: whether `content` allows the server. Pure.
bool server_acl_allows(const Json& content, const ServerName& server);

// The event as clients see it ('Room event format'): event_id, unsigned.age, transaction_id for its own device,
// redacted_because, prev_content, membership; the redacted form when it was redacted. `with_room_id` is false inside
// /sync.
Json client_event(const storage::StoredEvent& event, storage::RoomStore& store, std::int64_t now_ms,
                  const UserId& reader, const std::string& reader_device, bool with_room_id);
// The same for an application service, which is told whatever happens in its rooms and is no single user.
Json appservice_event(const storage::StoredEvent& event, storage::RoomStore& store, std::int64_t now_ms);

}  // namespace skerry::homeserver
