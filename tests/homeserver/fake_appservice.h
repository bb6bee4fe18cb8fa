// An application service that a test plays: a real HTTP server, and the registration file that lets it in.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "tests/homeserver/chat_api.h"
#include "tests/support/processes.h"
#include "tests/support/scripted_server.h"

namespace skerry::test {

inline const std::string as_token = "as-token-of-the-bridge";
inline const std::string hs_token = "hs-token-of-the-bridge";

class FakeAppservice {
 public:
  struct Transaction {
    std::string id;
    Json body;
    bool accepted = false;
  };

  // Answers what is not a transaction: queries, pings. Runs on an Io thread of its own server.
  std::function<int(const net::HttpRequest&)> others = [](const net::HttpRequest&) { return 404; };
  // Answers what is asked in JSON; null: `others` does.
  std::function<Json(const std::string& target)> answer_json = [](const std::string&) { return Json(); };
  std::atomic<int> status = 200;  // for transactions

  FakeAppservice() = default;

  // The registration, in a file of `folder`. `more` are further lines.
  std::string write_registration(const TemporaryFolder& folder, const std::string& more = {}) const {
    const std::string file = folder.path() + "/bridge.yaml";
    write_file(file, "id: bridge\nurl: " + server_.url() + "/base\nas_token: " + as_token + "\nhs_token: " + hs_token +
                         "\nsender_localpart: _bridge_bot\nnamespaces:\n  users:\n    - exclusive: true\n      regex: "
                         "'@_bridge_.*:alpha\\.test'\n  aliases:\n    - exclusive: true\n      regex: "
                         "'#_bridge_.*:alpha\\.test'\n  rooms: []\n" +
                         more);
    return file;
  }

  void stop() { server_.stop(); }
  void start() { server_.start(); }
  std::string url() const { return server_.url(); }

  std::vector<Transaction> transactions() const {
    const std::lock_guard lock(mutex_);
    return transactions_;
  }
  // Events of all accepted transactions, each transaction once, in order.
  std::vector<Json> events(const std::string& member = "events") const {
    std::vector<Json> list;
    std::map<std::string, bool> seen;
    for (const Transaction& transaction : transactions()) {
      if (!transaction.accepted || seen[transaction.id]) continue;
      seen[transaction.id] = true;
      if (!transaction.body.contains(member)) continue;
      for (const Json& event : transaction.body.at(member)) list.push_back(event);
    }
    return list;
  }
  Texts texts() const { return bodies(Json(events())); }
  // Requests other than transactions, as "METHOD TARGET".
  Texts asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

 private:
  void answer(const net::HttpRequest& request, net::Responder responder) {
    const std::string prefix = "/base/_matrix/app/v1/transactions/";
    if (net::find_header(request.headers, "Authorization") != "Bearer " + hs_token)
      return responder.respond({403, {}, R"({"errcode":"M_FORBIDDEN"})"});
    if (request.target.rfind(prefix, 0) != 0) {
      {
        const std::lock_guard lock(mutex_);
        asked_.push_back(request.method + " " + request.target);
      }
      if (const Json json = answer_json(request.target); !json.is_null())
        return responder.respond({200, {}, json.dump()});
      const int others_status = others(request);
      return responder.respond({others_status, {}, others_status == 404 ? R"({"errcode":"M_NOT_FOUND"})" : "{}"});
    }
    const int now = status;
    {
      const std::lock_guard lock(mutex_);
      transactions_.push_back({request.target.substr(prefix.size()), Json::parse(request.body), now == 200});
    }
    responder.respond({now, {}, "{}"});
  }

  mutable std::mutex mutex_;
  std::vector<Transaction> transactions_;
  Texts asked_;
  ScriptedServer server_{
      [this](const net::HttpRequest& request, net::Responder responder) { answer(request, std::move(responder)); }};
};

// Waits until it holds; fails the test, naming what was waited for, when it does not in time.
inline void eventually(const std::string& what, const std::function<bool()>& holds) {
  INFO("waits until " << what);
  REQUIRE(eventually(holds));
}

// A homeserver with this application service. The file is beside its configuration.
struct Bridged {
  FakeAppservice appservice;
  TemporaryFolder files;
  HomeserverProcess server;
  Api bot = Api(server.url(), as_token);

  explicit Bridged(const std::string& more = {}, HomeserverOptions options = {})
      : server(with_registration(appservice.write_registration(files, more), std::move(options))) {}

  static HomeserverOptions with_registration(const std::string& file, HomeserverOptions options) {
    options.tables += "[appservices]\nregistrations = [\"" + file +
                      "\"]\n[federation]\nbackoff_first_ms = 50\nbackoff_max_ms = 200\n";
    return options;
  }
  std::string as_user(const std::string& target, const std::string& localpart) const {
    return target + (target.find('?') == std::string::npos ? "?" : "&") +
           "user_id=" + encoded("@" + localpart + ":alpha.test");
  }
  Answer register_ghost(const std::string& localpart, const Json& more = Json::object()) const {
    Json body = {{"type", "m.login.application_service"}, {"username", localpart}};
    body.update(more);
    return bot.post(std::string(v3) + "/register", body);
  }
  void start_again() {
    server.start();
    bot = Api(server.url(), as_token);
  }
};

}  // namespace skerry::test
