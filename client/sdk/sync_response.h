// What /sync answers, as far as this client looks at it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/sdk/event.h"

namespace skerry::client {

struct JoinedRoomUpdate {
  std::string room_id;
  std::vector<RoomEvent> state;  // before the timeline
  std::vector<RoomEvent> timeline;
  bool limited = false;  // there is a gap before the timeline
  std::string prev_batch;
  std::optional<std::vector<std::string>> heroes;
  std::optional<int> joined_count;
  std::optional<int> invited_count;
  std::optional<int> notification_count;
  std::optional<int> highlight_count;
  std::optional<std::vector<std::string>> typing;  // user ids
};

struct InvitedRoomUpdate {
  std::string room_id;
  std::vector<RoomEvent> invite_state;
};

struct LeftRoomUpdate {
  std::string room_id;
  std::vector<RoomEvent> timeline;
};

struct SyncResponse {
  std::string next_batch;
  std::vector<JoinedRoomUpdate> joined;
  std::vector<InvitedRoomUpdate> invited;
  std::vector<InvitedRoomUpdate> knocked;  // one knocked, and waits for an answer
  std::vector<LeftRoomUpdate> left;

  bool empty() const { return joined.empty() && invited.empty() && left.empty(); }
};

// Events that are no events are left out. Nothing without next_batch.
std::optional<SyncResponse> parse_sync_response(const Json& answer);

// One entry of rooms.join; also how a room is kept in the cache.
JoinedRoomUpdate parse_joined_room(const std::string& room_id, const Json& entry);

}  // namespace skerry::client
