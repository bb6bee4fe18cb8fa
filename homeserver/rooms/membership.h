// Joining, leaving, inviting: locally when this server is in the room, through other servers when it is not.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "homeserver/rooms/pipeline.h"
#include "homeserver/rooms/reader.h"

namespace skerry::homeserver {

// Thread-safe. Methods may wait for other servers: call them on the `outbound` pool.
class MembershipService {
 public:
  MembershipService(PipelineContext& context, RoomPipeline& pipeline, RoomReader& reader);

  // `via`: resident servers to try, in order, when we are not in the room. Errors: forbidden, not_found, unreachable,
  // incompatible_room_version, unable_to_*.
  // `extra_content_json` is an object whose members go into the membership event beside those that the service puts there
  // (membership, and the local user's displayname and avatar_url): reason, is_direct and what clients add.
  Result<RoomId> join(const UserId& user, const RoomId& room, std::vector<ServerName> via, const std::string& extra_content_json);
  Result<void> leave(const UserId& user, const RoomId& room, const std::string& extra_content_json);
  Result<void> invite(const UserId& sender, const UserId& target, const RoomId& room, const std::string& extra_content_json);

  // An alias of any server, asked over federation when it is not ours: room and servers. Errors: not_found, unreachable.
  struct Resolved { RoomId room; std::vector<ServerName> servers; };
  Result<Resolved> resolve_alias(const RoomAlias& alias);

 private:
  PipelineContext& context_;
  RoomPipeline& pipeline_;
  RoomReader& reader_;
};

}  // namespace skerry::homeserver
