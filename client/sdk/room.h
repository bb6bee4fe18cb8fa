// A room as this user sees it: state, timeline, own messages on their way. No drawing, no network.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "client/sdk/sync_response.h"
#include "client/sdk/timeline.h"
#include "client/text/safe_text.h"

namespace skerry::client {

// An own message between the return key and its coming back in /sync. Its transaction id stays the same over all tries,
// so that the server stores it once.
struct PendingMessage {
  enum class State { queued, sending, sent, failed } state = State::queued;
  std::string transaction_id;
  std::string kind;  // a msgtype
  std::string body;
  std::int64_t created_ms = 0;
  std::string event_id;  // once sent
  std::string error;     // once failed: from the server
  int attempts = 0;
};

// Not thread-safe.
class Room {
 public:
  enum class Membership { joined, invited };

  Room(std::string room_id, std::string own_user_id);

  const std::string& id() const { return id_; }
  Membership membership() const { return membership_; }
  bool invited() const { return membership_ == Membership::invited; }

  // State, by type and state key; null when there is none.
  const RoomEvent* state_event(const std::string& type, const std::string& state_key = "") const;
  // 'Calculating the display name for a room'.
  SafeText name() const;
  SafeText topic() const;
  bool encrypted() const { return state_event("m.room.encryption") != nullptr; }
  // A member's display name; with the user id beside it when two have the same. The user id where there is none.
  SafeText member_name(const std::string& user_id) const;
  // The same for narrow columns: the localpart where there is no display name, the user id where two would look the
  // same.
  SafeText short_name(const std::string& user_id) const;
  std::string membership_of(const std::string& user_id) const;  // "join"; empty: not known
  std::vector<std::string> known_members() const;               // who is joined or invited, as far as was loaded
  // Who invited us, when this is an invitation.
  std::string inviter() const;
  int joined_count() const { return joined_count_; }
  const std::vector<std::string>& heroes() const { return heroes_; }

  void apply(JoinedRoomUpdate update);
  void apply(const InvitedRoomUpdate& update);
  void set_state(const RoomEvent& event);

  Timeline timeline;
  std::deque<PendingMessage> pending;
  std::vector<std::string> typing;  // without us
  int unread = 0;
  int highlights = 0;
  std::string receipt_sent;  // the event of our last read receipt
  bool loading_history = false;
  bool history_failed = false;  // the last page could not be loaded: not to be asked for again without a reason

 private:
  void forget_pending(const RoomEvent& echo);
  void count_label(const RoomEvent* member, int change);
  bool shared_label(const std::string& label, const std::string& user_id) const;
  std::vector<std::string> others() const;
  SafeText name_by_members() const;

  std::string id_;
  std::string own_user_id_;
  Membership membership_ = Membership::joined;
  std::map<std::pair<std::string, std::string>, RoomEvent> state_;
  std::map<std::string, int> label_uses_;  // display name or localpart -> members present who go by it
  std::vector<std::string> heroes_;
  int joined_count_ = 0;
  int invited_count_ = 0;
};

// The room as JSON text, for the cache: what a first look at it needs.
std::string room_snapshot(const Room& room);
// The reverse, into a new room. False when the text is not such JSON.
bool restore_room(Room& room, const std::string& snapshot);

}  // namespace skerry::client
