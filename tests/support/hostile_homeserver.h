// A homeserver that speaks the protocol and lies: about who asks, about its keys, about rooms, about where it is. It is
// honest in all that a test does not tell it otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/event.h"
#include "core/state.h"
#include "tests/support/api.h"
#include "tests/support/room_builder.h"
#include "tests/support/town.h"

namespace skerry::test {

// What the hostile server knows of a room of the victim that one of its users joined.
struct VictimRoom {
  const RoomRules* rules = nullptr;
  RoomId id;
  std::map<StateKey, EventPtr> state;
  std::vector<EventId> heads;
  std::int64_t depth = 0;
};

class HostileHomeserver {
 public:
  // `town` must outlive it. It lies to the server `victim`, whose plain listener is at `victim_url`.
  HostileHomeserver(Town& town, const std::string& name, const std::string& victim, const std::string& victim_url);
  ~HostileHomeserver();

  const ServerName& name() const { return name_; }
  const SigningKey& key() const { return key_; }
  UserId user(const std::string& localpart) const;

  // -- asking: signed as somebody for somebody
  struct Mask {
    ServerName origin;
    ServerName destination;
    SigningKey key;
  };
  Mask honest() const { return {name_, victim_, key_}; }
  std::string authorization(const Mask& mask, const std::string& method, const std::string& target,
                            const Json* body) const;
  Answer ask(const Mask& mask, const std::string& method, const std::string& target, const Json* body = nullptr) const;
  Answer get(const std::string& target) const { return ask(honest(), "GET", target); }
  Answer put(const std::string& target, const Json& body) const { return ask(honest(), "PUT", target, &body); }
  // The result of each PDU by event id, as the victim answers it.
  Json send(const std::vector<Json>& pdus, const std::vector<Json>& edus = {});
  const Api& victim() const { return victim_api_; }

  // -- rooms of the victim
  // Joins as an honest server does. Throws when that is refused.
  VictimRoom join(const RoomId& room, const UserId& user) const;
  // A PDU at the room's heads that cites what it should, hashed and signed by this server's key, whoever sends it.
  Json pdu(const VictimRoom& room, const Draft& draft) const;
  Json sign(const VictimRoom& room, Json pdu) const;

  // -- answering
  // What GET /_matrix/key/v2/server says; its own keys, honestly, if not told otherwise.
  Json honest_keys() const;
  void keys(std::function<net::HttpResponse()> answer);
  // What a path that begins so answers; it may keep the responder and never answer.
  using Handler = std::function<void(const net::HttpRequest&, net::Responder)>;
  void answer(const std::string& path, Handler handler);
  void answer_json(const std::string& path, std::function<Json()> make);
  int asked(const std::string& path) const;  // how often a path that begins so was asked for

  // Offers a room to be joined by `invited`. `lie` may change the answer to send_join.
  void host(RoomBuilder& room, const RoomBuilder::Tip& tip, const UserId& invited, std::function<void(Json&)> lie);

 private:
  void take(const net::HttpRequest& request, net::Responder responder);

  Town& town_;
  const ServerName name_;
  const ServerName victim_;
  const SigningKey key_;
  const Api victim_api_;
  std::atomic<int> transactions_{0};
  mutable std::mutex mutex_;
  std::function<net::HttpResponse()> keys_;
  std::map<std::string, Handler> handlers_;
  std::vector<std::string> requests_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace skerry::test
