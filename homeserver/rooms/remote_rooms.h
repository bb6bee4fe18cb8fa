// What rooms ask of other servers: one narrow interface, so that tests and simulations can stand in for the network.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/event.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"
#include "federation/client.h"
#include "federation/key_ring.h"

namespace skerry::homeserver {

// Thread-safe. All but known_key and fetch_keys wait for the other server, with a deadline: call them on the `outbound`
// pool only, never in a room's turn. What comes back is not verified. Errors of all: unreachable, timeout, too_large,
// not_json, remote_error; forbidden, not_found, incompatible_room_version, unable_to_authorise_join and
// unable_to_grant_join where the other server says so.
class RemoteRooms {
 public:
  virtual ~RemoteRooms() = default;

  // -- keys: see federation::KeyRing
  virtual std::optional<KnownKey> known_key(const ServerName& server, const KeyId& key) = 0;
  virtual void fetch_keys(std::vector<std::pair<ServerName, KeyId>> keys, std::vector<ServerName> notaries,
                          std::function<void()> done) = 0;

  // -- events and states
  virtual Result<std::vector<Json>> get_missing_events(const ServerName& server, const RoomId& room,
                                                       const std::vector<EventId>& earliest,
                                                       const std::vector<EventId>& latest, std::size_t limit,
                                                       std::int64_t min_depth) = 0;
  struct StateIds {
    std::vector<EventId> state;
    std::vector<EventId> auth_chain;
  };
  virtual Result<StateIds> state_ids(const ServerName& server, const RoomId& room, const EventId& event) = 0;
  struct State {
    std::vector<Json> state;
    std::vector<Json> auth_chain;
  };
  virtual Result<State> state(const ServerName& server, const RoomId& room, const EventId& event) = 0;
  virtual Result<Json> event(const ServerName& server, const EventId& event) = 0;
  virtual Result<std::vector<Json>> event_auth(const ServerName& server, const RoomId& room, const EventId& event) = 0;
  virtual Result<std::vector<Json>> backfill(const ServerName& server, const RoomId& room,
                                             const std::vector<EventId>& from, std::size_t limit) = 0;

  // -- memberships
  struct Template {
    std::string room_version;
    std::shared_ptr<const Json> event;
  };
  // make_join, make_leave, make_knock: `membership` is join, leave or knock. `versions` are those this server knows.
  virtual Result<Template> make_membership(const ServerName& server, const RoomId& room, const UserId& user,
                                           const std::string& membership, const std::vector<std::string>& versions) = 0;
  struct Joined {
    std::vector<Json> state;
    std::vector<Json> auth_chain;
    std::shared_ptr<const Json> event;  // null when the server did not return it
    std::vector<ServerName> servers_in_room;
  };
  virtual Result<Joined> send_join(const ServerName& server, const RoomId& room, const EventId& event,
                                   const Json& pdu) = 0;
  virtual Result<void> send_leave(const ServerName& server, const RoomId& room, const EventId& event,
                                  const Json& pdu) = 0;
  // knock_room_state.
  virtual Result<std::vector<Json>> send_knock(const ServerName& server, const RoomId& room, const EventId& event,
                                               const Json& pdu) = 0;
  // The invite as signed by the invited user's server.
  virtual Result<Json> invite(const ServerName& server, const RoomId& room, const EventId& event,
                              const std::string& room_version, const Json& pdu, const Json& invite_room_state) = 0;

  // -- aliases
  struct Directory {
    RoomId room;
    std::vector<ServerName> servers;
  };
  virtual Result<Directory> directory(const RoomAlias& alias) = 0;
};

// Over HTTPS. The references must outlive it.
std::unique_ptr<RemoteRooms> make_remote_rooms(federation::FederationClient& client, federation::KeyRing& keys);

}  // namespace skerry::homeserver
