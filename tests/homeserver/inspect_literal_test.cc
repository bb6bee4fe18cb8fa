// `skerry room resolve` and the words of the specification, on any history.
#include <fstream>
#include <set>
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <rapidcheck/catch.h>

#include "homeserver/inspect/resolve.h"
#include "tests/core/literal_resolution.h"
#include "tests/core/random_history.h"
#include "tests/support/homeserver_process.h"

namespace skerry::test {
namespace {

const char* const versions[] = {"1", "2", "6", "11", "12"};

// All that the states rest on, as a file of PDUs; `ids` are given, as for events from elsewhere.
Json events_behind(const RoomBuilder& room, const std::vector<StateMap>& states) {
  std::vector<EventId> open;
  for (const auto& state : states) {
    for (const auto& [key, id] : state) open.push_back(id);
  }
  std::set<EventId> seen;
  Json list = Json::array();
  while (!open.empty()) {
    const EventPtr event = room.find(open.back());
    open.pop_back();
    if (!seen.insert(event->id()).second) continue;
    open.insert(open.end(), event->auth_events().begin(), event->auth_events().end());
    Json pdu = event->pdu();
    pdu["event_id"] = event->id().str();
    list.push_back(std::move(pdu));
  }
  return list;
}

std::string write(const TemporaryFolder& folder, const std::string& name, const Json& content) {
  const std::string file = folder.path() + "/" + name;
  std::ofstream(file) << content.dump();
  return file;
}

}  // namespace

TEST_CASE("the command's resolution of any history is what the words of the specification give") {
  for (const char* version : versions) {
    rc::prop("literal", [version] {
      RoomBuilder room(version);
      std::vector<StateMap> states;
      for (auto& fork : random_forks(room)) states.push_back(std::move(fork.state));

      const TemporaryFolder folder;
      homeserver::inspect::ResolveOptions options;
      options.room_version = version;
      options.json = true;
      options.event_files.push_back(write(folder, "events.json", events_behind(room, states)));
      for (const auto& state : states) {
        Json ids = Json::array();
        for (const auto& [key, id] : state) ids.push_back(id.str());
        options.state_files.push_back(write(folder, "state" + std::to_string(options.state_files.size()), ids));
      }
      std::ostringstream printed;
      RC_ASSERT(homeserver::inspect::resolve(options, printed).has_value());

      Json expected = Json::object();
      for (const auto& [key, id] : resolve_literally(room, states)) expected[key.type + "|" + key.state_key] = id.str();
      RC_ASSERT(printed.str() == expected.dump() + "\n");
    });
  }
}

}  // namespace skerry::test
