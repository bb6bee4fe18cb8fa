// A server that says what a test tells it to, and a thread-less owner for what runs on one thread.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/sdk/transport.h"
#include "core/json.h"
#include "net/runtime.h"

namespace skerry::client {

// Requests wait here until the test answers them.
class ScriptedTransport final : public Transport {
 public:
  struct Waiting {
    ApiRequest request;
    Done done;
  };

  void send(ApiRequest request, Done done) override {
    if (auto_answer) {
      ApiRequest copy = request;
      if (auto answer = auto_answer(copy)) return done(std::move(*answer));
    }
    waiting.push_back({std::move(request), std::move(done)});
  }

  bool has(const std::string& part) const {
    for (const Waiting& each : waiting) {
      if (each.request.target.find(part) != std::string::npos) return true;
    }
    return false;
  }

  // The first waiting request whose target holds `part`. Throws when there is none.
  Waiting take(const std::string& part) {
    for (auto each = waiting.begin(); each != waiting.end(); ++each) {
      if (each->request.target.find(part) == std::string::npos) continue;
      Waiting out = std::move(*each);
      waiting.erase(each);
      return out;
    }
    std::string all;
    for (const Waiting& each : waiting) all += "\n  " + each.request.method + " " + each.request.target;
    throw std::runtime_error("nobody asks for " + part + "; waiting:" + all);
  }

  // Answers it, and returns what was asked.
  ApiRequest answer(const std::string& part, int status, const Json& body) {
    Waiting found = take(part);
    found.done(net::HttpResponse{status, {}, body.dump()});
    return found.request;
  }
  ApiRequest ok(const std::string& part, const Json& body = Json::object()) { return answer(part, 200, body); }
  ApiRequest break_off(const std::string& part) {
    Waiting found = take(part);
    found.done(fail(ErrorCode::unreachable, "connection refused"));
    return found.request;
  }

  std::vector<Waiting> waiting;
  // Answers at once, where it gives something.
  std::function<std::optional<net::HttpResponse>(const ApiRequest&)> auto_answer;
};

class FakeClock final : public net::Clock {
 public:
  std::int64_t now_ms() const override { return now; }
  std::int64_t now = 1'741'078'800'000;  // a Tuesday in March 2025
};

class CountingRandom final : public net::Random {
 public:
  std::string bytes(std::size_t count) override {
    std::string out(count, '\0');
    out[0] = static_cast<char>(++calls_);
    return out;
  }

 private:
  int calls_ = 0;
};

// Delays that end when the test says so.
class FakeScheduler final : public net::Scheduler {
 public:
  Handle after(std::chrono::milliseconds delay, std::function<void()> task) override {
    auto handle = std::make_shared<std::function<void()>>(std::move(task));
    delays_.push_back({delay, handle});
    return handle;
  }
  // Ends all delays that were not dropped; the longest of them.
  std::chrono::milliseconds run() {
    std::chrono::milliseconds longest{0};
    const auto now = std::exchange(delays_, {});
    for (const auto& [delay, handle] : now) {
      if (const auto task = handle.lock()) {
        longest = std::max(longest, delay);
        (*task)();
      }
    }
    return longest;
  }

 private:
  std::vector<std::pair<std::chrono::milliseconds, std::weak_ptr<std::function<void()>>>> delays_;
};

inline Json event(const std::string& type, const std::string& sender, Json content, const std::string& id,
                  std::int64_t ts = 1'741'078'800'000) {
  return {
      {"type", type}, {"sender", sender}, {"content", std::move(content)}, {"event_id", id}, {"origin_server_ts", ts}};
}

inline Json message(const std::string& sender, const std::string& body, const std::string& id,
                    std::int64_t ts = 1'741'078'800'000) {
  return event("m.room.message", sender, {{"msgtype", "m.text"}, {"body", body}}, id, ts);
}

inline Json state(const std::string& type, const std::string& key, const std::string& sender, Json content,
                  const std::string& id = "") {
  Json out = event(type, sender, std::move(content), id.empty() ? "$" + type + key : id);
  out["state_key"] = key;
  return out;
}

inline Json member(const std::string& user, const std::string& name, const std::string& membership = "join") {
  Json content = {{"membership", membership}};
  if (!name.empty()) content["displayname"] = name;
  return state("m.room.member", user, user, content);
}

// A /sync answer with one joined room.
inline Json sync_of(const std::string& next, const std::string& room_id, Json state_events, Json timeline_events,
                    Json more = Json::object()) {
  Json room = {{"state", {{"events", std::move(state_events)}}},
               {"timeline", {{"events", std::move(timeline_events)}, {"limited", false}, {"prev_batch", "p_" + next}}}};
  room.update(more);
  return {{"next_batch", next}, {"rooms", {{"join", {{room_id, std::move(room)}}}}}};
}

}  // namespace skerry::client
