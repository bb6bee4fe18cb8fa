#include "tests/crash/watcher.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "homeserver/sync/tokens.h"

namespace skerry::crash {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds look_pause{20};
constexpr std::chrono::milliseconds answer_time{20'000};
constexpr const char* path =
    "/sync?timeout=5000&filter=%7B%22room%22%3A%7B%22timeline%22%3A%7B%22limit%22%3A1000%7D%7D%7D";

// Positions compare as numbers; a token is opaque to clients, but not to this test of the server.
std::int64_t position(const std::string& token) { return homeserver::parse_stream_token(token).value_or(0); }

}  // namespace

Watcher::Watcher(Account& account, Ledger& ledger) : account_(account), ledger_(ledger), thread_([this] { run(); }) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !since_.empty(); });
}

Watcher::~Watcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  account_.close();
  thread_.join();
}

void Watcher::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::string target = path + (since_.empty() ? "" : "&since=" + net::percent_encode(since_));
    lock.unlock();
    const auto response = account_.api().get(target, answer_time);
    lock.lock();
    if (response) {
      take(*response);
    } else {
      changed_.wait_for(lock, look_pause, [this] { return stopping_; });
    }
    changed_.notify_all();
  }
}

void Watcher::take(const Json& response) {
  const std::string* next = find_string(response, "next_batch");
  if (next == nullptr) return ledger_.finding("/sync without next_batch");
  if (position(*next) < position(since_))
    ledger_.finding("/sync of " + account_.user_id() + " went back from " + since_ + " to " + *next);
  const bool is_first = since_.empty();
  since_ = *next;
  const Json* rooms = find_object(response, "rooms");
  const Json* joined = rooms != nullptr ? find_object(*rooms, "join") : nullptr;
  if (joined == nullptr) return;
  for (const auto& [room, entry] : joined->items()) {
    const Json* timeline = find_object(entry, "timeline");
    if (timeline == nullptr) continue;
    if (!is_first && timeline->value("limited", false))
      ledger_.finding("/sync of " + account_.user_id() + " left a gap in " + room);
    take_timeline(room, *timeline);
  }
}

void Watcher::take_timeline(const std::string& room, const Json& timeline) {
  const Json* events = find_array(timeline, "events");
  if (events == nullptr) return;
  for (const Json& event : *events) {
    const std::string* id = find_string(event, "event_id");
    if (id == nullptr) continue;
    if (!seen_.insert(*id).second)
      ledger_.finding("/sync showed " + account_.user_id() + " twice: " + *id + " of " + room);
  }
}

std::vector<Sent> Watcher::wait_for_all(const std::vector<Sent>& sent, std::chrono::seconds patience) {
  std::unique_lock lock(mutex_);
  std::vector<Sent> unseen = sent;
  for (;;) {
    const std::size_t before = unseen.size();
    const bool progressed = changed_.wait_until(lock, Steady::now() + patience, [&] {
      std::erase_if(unseen, [&](const Sent& one) { return seen_.contains(one.event); });
      return unseen.size() < before || unseen.empty();
    });
    if (unseen.empty() || !progressed) return unseen;
  }
}

}  // namespace skerry::crash
