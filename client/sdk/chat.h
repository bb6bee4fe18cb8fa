// The rooms of one account, kept up to date, and what a person does in them.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/sdk/outbox.h"
#include "client/sdk/room.h"
#include "client/sdk/sync_loop.h"
#include "client/sdk/ui_calls.h"

namespace skerry::client {

// What Chat tells its owner, on the owning thread.
struct ChatObserver {
  std::function<void()> changed = [] {};                                 // anything to be drawn anew
  std::function<void(const SafeText&)> notice = [](const SafeText&) {};  // a sentence for the person
  // After a /sync answer was applied: what to store. `touched` may name rooms that are no more.
  std::function<void(const std::string& next_batch, const std::set<std::string>& touched)> synced =
      [](const std::string&, const std::set<std::string>&) {};
  std::function<void(const std::string& room_id)> joined = [](const std::string&) {};  // after we asked for it
};

// Lives on one thread, the owning one; nothing here waits.
class Chat {
 public:
  // REQUIRES: the arguments outlive it (`post`'s target too).
  Chat(Session& session, net::Scheduler& scheduler, net::Clock& clock, net::Random& random, Post post,
       ChatObserver observer);

  // Before start(): a room from the cache.
  void restore(const std::string& room_id, const std::string& snapshot);
  // Begins to sync. `since` is empty or belongs to the restored rooms.
  void start(const std::string& since);

  const std::string& user_id() const { return user_id_; }
  const std::map<std::string, Room>& rooms() const { return rooms_; }
  Room* find(const std::string& room_id);
  Link link() const { return sync_.link(); }
  const SafeText& link_error() const { return link_error_; }
  bool first_sync_done() const { return synced_once_; }
  const SafeText& own_name() const { return own_name_; }

  void send_message(const std::string& room_id, const std::string& kind, const std::string& body);
  void retry_failed(const std::string& room_id);
  int unsent() const;  // own messages that did not reach the server yet
  // One more page of earlier messages. After a failure only when `again` is set, or once the server was away.
  void load_history(const std::string& room_id, bool again = false);
  // All members, once per room and start; then `done`.
  void load_members(const std::string& room_id, std::function<void()> done);
  // Says that the person saw the newest event.
  void mark_read(const std::string& room_id);
  void set_typing(const std::string& room_id, bool typing);

  void join(const std::string& room_id_or_alias, std::vector<std::string> via);
  void create(const api::CreateRoom& room);
  void invite(const std::string& room_id, const std::string& user_id);
  void leave(const std::string& room_id);
  void set_own_name(const std::string& name);
  void set_topic(const std::string& room_id, const std::string& topic);
  void hurry() { sync_.hurry(); }

 private:
  void on_response(SyncResponse response);
  void on_left(const LeftRoomUpdate& update);
  void on_link(Link link, const ApiError* error);
  void on_reset();
  void fetch_own_name();
  void fetch_page(const std::string& room_id, const std::string& from);
  void on_page(const std::string& room_id, ApiResult<api::Messages> page);
  // Runs a call whose success is told as a sentence, and whose failure as `what` and the reason.
  template <class T>
  void act(Call<T> call, const SafeText& what, std::function<void(const T&)> done);

  ChatObserver observer_;
  std::string user_id_;
  std::map<std::string, Room> rooms_;
  UiCalls calls_;
  Outbox outbox_;
  SyncLoop sync_;
  std::set<std::string> members_loaded_;
  SafeText link_error_;
  SafeText own_name_;
  bool synced_once_ = false;
};

// The error as one sentence for people.
SafeText explain(const ApiError& error);

}  // namespace skerry::client
