// Someone who looks at their rooms all the time: a /sync that never ends, with the time at which each event came.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "sandbox/people/client_api.h"
#include "sandbox/world/web.h"

namespace skerry::sandbox {

struct HeardEvent {
  std::string room_id;
  std::string event_id;
  std::string sender;
  std::string type;
  std::optional<std::string> state_key;
  std::string text;  // content.body of a message; else the content as JSON
  std::chrono::steady_clock::time_point when;
};

// Thread-safe. Goes on trying while its server does not answer.
class Listener {
 public:
  Listener(Web& web, const std::string& base_url, std::string access_token);
  ~Listener();

  // Everything heard so far, in the order in which it came.
  std::vector<HeardEvent> heard() const;
  // Waits until an event is heard, or was. Nothing when none is in time, or interrupted().
  std::optional<HeardEvent> wait_for(const std::function<bool(const HeardEvent&)>& wanted,
                                     std::chrono::milliseconds timeout);
  std::optional<HeardEvent> wait_for_event(const std::string& event_id, std::chrono::milliseconds timeout);
  // Waits for an invitation to this room.
  bool wait_for_invitation(const std::string& room_id, std::chrono::milliseconds timeout);
  // Waits until the next /sync is under way: what is sent from then on is heard as it comes.
  bool wait_until_listening(std::chrono::milliseconds timeout);

 private:
  void run();
  void take(const Json& response);
  void take_events(const std::string& room_id, const Json& room, const char* part);

  std::unique_ptr<net::HttpClient> http_;
  const ClientApi api_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::string since_;  // empty until the first answer
  std::vector<HeardEvent> heard_;
  std::vector<std::string> invitations_;
  std::thread thread_;
};

}  // namespace skerry::sandbox
