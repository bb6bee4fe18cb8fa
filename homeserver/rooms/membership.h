// Joining, knocking, leaving, inviting: locally when this server is in the room, through other servers when it is not.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "homeserver/rooms/pipeline.h"
#include "homeserver/rooms/reader.h"

namespace skerry::homeserver {

// Thread-safe. Methods may wait for other servers: call them on the `outbound` pool.
class MembershipService {
 public:
  // The references must outlive it.
  MembershipService(PipelineContext& context, RoomPipeline& pipeline, RoomReader& reader);

  // `via`: resident servers to try, in order, when we are not in the room. Errors: forbidden, not_found, unreachable,
  // incompatible_room_version, unable_to_*.
  // `extra_content_json` is an object whose members go into the membership event beside those that the service puts
  // there (membership, and the local user's displayname and avatar_url): reason, is_direct and what clients add.
  Result<RoomId> join(const UserId& user, const RoomId& room, std::vector<ServerName> via,
                      const std::string& extra_content_json);
  // Asks to be let in; the room's answer is an invitation, or a leave. `via` and errors as join().
  Result<RoomId> knock(const UserId& user, const RoomId& room, const std::vector<ServerName>& via,
                       const std::string& extra_content_json);
  // Leaves, turns an invitation down or takes a knock back.
  Result<void> leave(const UserId& user, const RoomId& room, const std::string& extra_content_json);
  Result<void> invite(const UserId& sender, const UserId& target, const RoomId& room,
                      const std::string& extra_content_json);

  // An alias of any server, asked over federation when it is not ours: room and servers. Errors: not_found,
  // unreachable.
  struct Resolved {
    RoomId room;
    std::vector<ServerName> servers;
  };
  Result<Resolved> resolve_alias(const RoomAlias& alias);

 private:
  class JoinTurn;
  Result<Json> member_content(const UserId& about, const std::string& membership,
                              const std::string& extra_content_json);
  Result<EventId> submit(const UserId& sender, const UserId& target, const RoomId& room, const Json& content);
  Result<bool> join_here(const UserId& user, const RoomId& room, const Json& content,
                         std::optional<Error>* why_not = nullptr);
  Result<void> join_through(const ServerName& server, const UserId& user, const RoomId& room, const Json& content);
  Result<void> knock_through(const ServerName& server, const UserId& user, const RoomId& room, const Json& content);
  Result<void> leave_through(const ServerName& server, const UserId& user, const RoomId& room, const Json& content);
  Result<void> invite_through(const UserId& sender, const UserId& target, const RoomId& room, const Json& content);
  // The member event that another server proposes, checked and with our content.
  struct Proposed {
    const RoomRules* rules;
    std::string version;
    std::shared_ptr<Json> pdu;
    EventId id;
  };
  Result<Proposed> propose(const ServerName& server, const UserId& user, const RoomId& room, const Json& content);
  std::vector<ServerName> candidates(const UserId& user, const RoomId& room, const std::vector<ServerName>& via);
  void remove_stripped_invite(const UserId& user, const RoomId& room);

  PipelineContext& context_;
  RoomPipeline& pipeline_;
  RoomReader& reader_;
  std::mutex mutex_;
  std::condition_variable joined_;
  std::set<RoomId> being_joined_;  // through other servers, one user at a time
};

}  // namespace skerry::homeserver
