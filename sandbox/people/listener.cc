#include "sandbox/people/listener.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "sandbox/world/interrupt.h"

namespace skerry::sandbox {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds long_poll{30'000};
constexpr std::chrono::milliseconds sync_answer_time{45'000};
constexpr std::chrono::milliseconds retry_pause{20};
constexpr std::chrono::milliseconds listen_step{50};
// What came at once is heard whole: without this the oldest of more than ten events of a room would be left out.
constexpr const char* whole_timeline = R"({"room":{"timeline":{"limit":1000}}})";

// Waits on the condition in steps, so that Ctrl-C is noticed.
template <class Holds>
bool wait(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, std::chrono::milliseconds timeout,
          const Holds& holds) {
  const auto deadline = Steady::now() + timeout;
  while (!holds()) {
    if (Steady::now() >= deadline || interrupted()) return false;
    changed.wait_until(lock, std::min(deadline, Steady::now() + listen_step));
  }
  return true;
}

}  // namespace

Listener::Listener(Web& web, const std::string& base_url, std::string access_token)
    : http_(web.make_client()), api_(*http_, base_url, std::move(access_token)), thread_([this] { run(); }) {}

Listener::~Listener() {
  {
    std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  http_->close();
  thread_.join();
}

void Listener::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::string path =
        "/sync?filter=" + net::percent_encode(whole_timeline) +
        (since_.empty() ? ""
                        : "&since=" + net::percent_encode(since_) + "&timeout=" + std::to_string(long_poll.count()));
    lock.unlock();
    const auto response = api_.get(path, sync_answer_time);
    lock.lock();
    if (response) {
      take(*response);
    } else {
      changed_.wait_for(lock, retry_pause, [this] { return stopping_; });
    }
    changed_.notify_all();
  }
}

// REQUIRES: the mutex is held.
void Listener::take(const Json& response) {
  if (const std::string* next = find_string(response, "next_batch")) since_ = *next;
  const Json* rooms = find_object(response, "rooms");
  if (rooms == nullptr) return;
  for (const char* kind : {"join", "leave"}) {
    const Json* list = find_object(*rooms, kind);
    if (list == nullptr) continue;
    for (const auto& [room_id, room] : list->items()) {
      take_events(room_id, room, "state");
      take_events(room_id, room, "timeline");
    }
  }
  if (const Json* invitations = find_object(*rooms, "invite")) {
    for (const auto& [room_id, room] : invitations->items()) invitations_.push_back(room_id);
  }
}

// REQUIRES: the mutex is held.
void Listener::take_events(const std::string& room_id, const Json& room, const char* part) {
  const auto now = Steady::now();
  const Json* section = find_object(room, part);
  const Json* events = section != nullptr ? find_array(*section, "events") : nullptr;
  if (events == nullptr) return;
  for (const Json& event : *events) {
    const std::string* id = find_string(event, "event_id");
    const std::string* sender = find_string(event, "sender");
    const std::string* type = find_string(event, "type");
    const Json* content = find_object(event, "content");
    if (id == nullptr || sender == nullptr || type == nullptr || content == nullptr) continue;
    const std::string* state_key = find_string(event, "state_key");
    const std::string* body = find_string(*content, "body");
    heard_.push_back({room_id, *id, *sender, *type, state_key != nullptr ? std::optional(*state_key) : std::nullopt,
                      body != nullptr ? *body : dump(*content), now});
  }
}

std::vector<HeardEvent> Listener::heard() const {
  std::scoped_lock lock(mutex_);
  return heard_;
}

std::optional<HeardEvent> Listener::wait_for(const std::function<bool(const HeardEvent&)>& wanted,
                                             std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  auto found = heard_.end();
  const bool came = wait(changed_, lock, timeout, [&] {
    found = std::find_if(heard_.begin(), heard_.end(), wanted);
    return found != heard_.end();
  });
  return came ? std::optional(*found) : std::nullopt;
}

std::optional<HeardEvent> Listener::wait_for_event(const std::string& event_id, std::chrono::milliseconds timeout) {
  return wait_for([&](const HeardEvent& event) { return event.event_id == event_id; }, timeout);
}

bool Listener::wait_for_invitation(const std::string& room_id, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return wait(changed_, lock, timeout,
              [&] { return std::find(invitations_.begin(), invitations_.end(), room_id) != invitations_.end(); });
}

bool Listener::wait_until_listening(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return wait(changed_, lock, timeout, [this] { return !since_.empty(); });
}

}  // namespace skerry::sandbox
