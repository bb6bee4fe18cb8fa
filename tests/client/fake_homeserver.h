// Enough of a homeserver for one user and one room, in memory, saying whatever a test wants said.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/json.h"
#include "tests/support/scripted_server.h"

namespace skerry::test {

class FakeHomeserver {
 public:
  static constexpr const char* room_id = "!lobby:fake.test";
  static constexpr const char* user_id = "@alice:fake.test";

  FakeHomeserver();
  ~FakeHomeserver();

  std::string url() const { return server_.url(); }
  ScriptedServer& server() { return server_; }
  // Someone says something; the event id. Thread-safe, as all here.
  std::string say(const std::string& sender, const std::string& body);
  std::string add(Json event);
  std::vector<std::string> said_by(const std::string& sender) const;  // bodies
  // The bodies of requests whose path holds `part`.
  std::vector<Json> bodies(const std::string& part) const;
  // What the next calls of PUT .../send/ answer instead of sending; 0: as usual.
  void refuse_sending(int status);

 private:
  struct Poll {
    std::size_t since = 0;
    net::Responder responder;
    net::Scheduler::Handle timer;
  };

  void handle(const net::HttpRequest& request, net::Responder responder);
  net::HttpResponse answer(const net::HttpRequest& request, const std::string& path);
  net::HttpResponse send(const net::HttpRequest& request, const std::string& path);
  net::HttpResponse messages(const net::HttpRequest& request) const;
  void sync(const net::HttpRequest& request, net::Responder responder);
  Json sync_answer(std::size_t since) const;
  std::string add_locked(Json event);
  void answer_polls();

  mutable std::mutex mutex_;
  std::vector<Json> events_;
  std::map<std::string, std::string> sent_;  // transaction id -> event id
  std::map<int, Poll> polls_;
  int next_poll_ = 0;
  int refuse_ = 0;
  ScriptedServer server_;
};

}  // namespace skerry::test
