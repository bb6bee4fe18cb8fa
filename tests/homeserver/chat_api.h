// What people do in rooms, by the client-server API, for tests. Each call fails the test when it is refused.
#pragma once

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "net/http.h"
#include "tests/support/api.h"
#include "tests/support/homeserver_process.h"

namespace skerry::test {

inline std::string encoded(const std::string& text) { return net::percent_encode(text); }
inline std::string room_path(const std::string& room) { return std::string(v3) + "/rooms/" + encoded(room); }

inline Json must(const Answer& answer) {
  INFO(answer.status << " " << answer.text);
  REQUIRE(answer.status == 200);
  return answer.json;
}

inline std::string create_room(const Api& api, const Json& body = Json::object()) {
  return must(api.post(std::string(v3) + "/createRoom", body)).at("room_id");
}
inline std::string public_room(const Api& api) { return create_room(api, {{"preset", "public_chat"}}); }
inline void join(const Api& api, const std::string& room) { must(api.post(room_path(room) + "/join")); }
inline Answer try_say(const Api& api, const std::string& room, const std::string& text,
                      const std::string& transaction) {
  return api.put(room_path(room) + "/send/m.room.message/" + encoded(transaction),
                 {{"msgtype", "m.text"}, {"body", text}});
}
// The event's id. Texts are their own transaction ids: say each once.
inline std::string say(const Api& api, const std::string& room, const std::string& text) {
  return must(try_say(api, room, text, text)).at("event_id");
}
inline std::string set_state(const Api& api, const std::string& room, const std::string& type, const Json& content,
                             const std::string& key = {}) {
  return must(api.put(room_path(room) + "/state/" + encoded(type) + "/" + encoded(key), content)).at("event_id");
}

inline Json sync(const Api& api, const std::string& since = {}, const std::string& more = {}) {
  return must(api.get(std::string(v3) + "/sync?timeout=0" + (since.empty() ? "" : "&since=" + since) + more));
}
inline Json sync_filtered(const Api& api, const Json& filter, const std::string& since = {},
                          const std::string& more = {}) {
  return sync(api, since, "&filter=" + encoded(filter.dump()) + more);
}

// A member of nested objects, null where it is not.
inline Json at(const Json& json, const std::vector<std::string>& path) {
  const Json* here = &json;
  for (const std::string& name : path) {
    const auto found = here->find(name);
    if (found == here->end()) return nullptr;
    here = &*found;
  }
  return *here;
}
inline Json room_of(const Json& sync, const std::string& room, const std::string& section = "join") {
  return at(sync, {"rooms", section, room});
}
inline std::vector<std::string> bodies(const Json& events) {
  std::vector<std::string> list;
  for (const Json& event : events) {
    if (event.at("type") == "m.room.message") list.push_back(event.at("content").value("body", "(redacted)"));
  }
  return list;
}
// "TYPE STATE_KEY" of state events.
inline std::vector<std::string> keys(const Json& events) {
  std::vector<std::string> list;
  for (const Json& event : events) {
    if (event.contains("state_key"))
      list.push_back(event.at("type").get<std::string>() + " " + event.at("state_key").get<std::string>());
  }
  return list;
}
inline bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

using Texts = std::vector<std::string>;

}  // namespace skerry::test
