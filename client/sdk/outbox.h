// Own messages on their way: in order, each stored once by the server however often it is tried.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "client/sdk/room.h"
#include "client/sdk/ui_calls.h"

namespace skerry::client {

// Lives on the owning thread. What waits is in Room::pending.
class Outbox {
 public:
  using FindRoom = std::function<Room*(const std::string& room_id)>;
  Outbox(UiCalls& calls, net::Clock& clock, net::Random& random, FindRoom find, std::function<void()> changed);

  void add(Room& room, const std::string& kind, const std::string& body);
  // Sends what waits in the room: one message at a time, so that they arrive in order.
  void pump(Room& room);
  // Tries failed messages again, with their transaction ids. How many.
  int retry_failed(Room& room);

 private:
  void on_answer(const std::string& room_id, const std::string& transaction_id, ApiResult<std::string> answer);
  void on_error(PendingMessage& message, const std::string& room_id, const ApiError& error);
  void pump_later(const std::string& room_id, std::chrono::milliseconds delay);

  UiCalls& calls_;
  net::Clock& clock_;
  net::Random& random_;
  FindRoom find_;
  std::function<void()> changed_;
  std::map<std::string, net::Scheduler::Handle> pauses_;  // by room
};

// A transaction id that no other message of any session has.
std::string make_transaction_id(net::Random& random);

}  // namespace skerry::client
