// Looking into rooms: states resolved from files, histories replayed, graphs laid out.
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "homeserver/inspect/lanes.h"
#include "homeserver/inspect/resolve.h"
#include "tests/support/homeserver_process.h"

using namespace skerry;        // NOLINT(google-build-using-namespace)
using namespace skerry::test;  // NOLINT(google-build-using-namespace)
using homeserver::inspect::ResolveOptions;

namespace {

constexpr const char* alice = "@alice:alpha.test";
constexpr const char* bob = "@bob:alpha.test";
constexpr const char* carol = "@carol:alpha.test";

// Events by made-up ids, as somebody would write them by hand.
class Files {
 public:
  void event(const std::string& id, const std::string& sender, const std::string& type, const Json& content,
             const std::optional<std::string>& key, const std::vector<std::string>& prev,
             const std::vector<std::string>& auth) {
    Json pdu = {
        {"event_id", id},     {"room_id", "!room:alpha.test"}, {"sender", sender},    {"type", type},
        {"content", content}, {"prev_events", prev},           {"auth_events", auth}, {"origin_server_ts", ++time_}};
    if (key) pdu["state_key"] = *key;
    events_.push_back(std::move(pdu));
  }
  void member(const std::string& id, const std::string& user, const std::string& membership,
              const std::vector<std::string>& prev, const std::vector<std::string>& auth) {
    event(id, user, "m.room.member", {{"membership", membership}}, user, prev, auth);
  }
  // A public room of version 11 with alice at 100, and bob in it.
  void begin() {
    event("$create", alice, "m.room.create", {{"room_version", "11"}}, "", {}, {});
    member("$alice", alice, "join", {"$create"}, {"$create"});
    event("$power", alice, "m.room.power_levels", {{"users", {{alice, 100}}}}, "", {"$alice"}, {"$create", "$alice"});
    event("$rules", alice, "m.room.join_rules", {{"join_rule", "public"}}, "", {"$power"},
          {"$create", "$alice", "$power"});
    member("$bob", bob, "join", {"$rules"}, {"$create", "$power", "$rules"});
  }
  Json& events() { return events_; }

  std::string write(const std::string& name, const Json& content) {
    const std::string file = folder_.path() + "/" + name;
    std::ofstream(file) << content.dump();
    return file;
  }
  Result<Json> resolve(const std::vector<Json>& states = {}, bool explain = false, const std::string& version = "11") {
    ResolveOptions options{version, {write("events.json", events_)}, {}, explain, true};
    for (const Json& state : states) {
      options.state_files.push_back(write("state" + std::to_string(options.state_files.size()), state));
    }
    std::ostringstream out;
    if (auto done = homeserver::inspect::resolve(options, out); !done) return tl::make_unexpected(done.error());
    return Json::parse(out.str());
  }

 private:
  TemporaryFolder folder_;
  Json events_ = Json::array();
  int time_ = 0;
};

std::vector<std::string> verdicts(const Json& explained) {
  std::vector<std::string> list;
  for (const Json& event : explained.at("explain").at("events")) {
    list.push_back(event.at("event_id").get<std::string>() + " " + event.at("verdict").get<std::string>());
  }
  return list;
}

}  // namespace

TEST_CASE("two states resolve to one and each step is told") {
  Files files;
  files.begin();
  // Alice bans bob on one side and sets a topic on the other.
  files.event("$ban", alice, "m.room.member", {{"membership", "ban"}}, bob, {"$bob"},
              {"$create", "$alice", "$power", "$bob"});
  files.event("$topic", alice, "m.room.topic", {{"topic", "a"}}, "", {"$bob"}, {"$create", "$alice", "$power"});
  const Json with_ban = {"$create", "$alice", "$power", "$rules", "$ban"};
  const Json with_topic = {"$create", "$alice", "$power", "$rules", "$bob", "$topic"};
  const auto state = files.resolve({with_ban, with_topic});
  REQUIRE(state);
  CHECK(*state == Json{{"m.room.create|", "$create"},
                       {"m.room.join_rules|", "$rules"},
                       {"m.room.member|@alice:alpha.test", "$alice"},
                       {"m.room.member|@bob:alpha.test", "$ban"},
                       {"m.room.power_levels|", "$power"},
                       {"m.room.topic|", "$topic"}});
  CHECK(files.resolve({with_topic, with_ban}).value() == *state);
  const auto explained = files.resolve({with_ban, with_topic}, true);
  REQUIRE(explained);
  CHECK(explained->at("state") == *state);
  const Json& why = explained->at("explain");
  CHECK(why.at("conflicted") == Json{"$ban", "$bob", "$topic"});
  CHECK(why.at("power_ordering") == Json{"$bob", "$ban"});
  CHECK(why.at("mainline") == Json{"$power"});
  CHECK(why.at("mainline_ordering") == Json{"$topic"});
  CHECK(why.at("checks").size() == 3);
}

TEST_CASE("a history in any order is replayed to the state at its ends") {
  Files files;
  files.begin();
  files.event("$name", bob, "m.room.name", {{"name", "mine"}}, "", {"$bob"}, {"$create", "$power", "$bob"});
  files.member("$carol", carol, "join", {"$bob"}, {"$create", "$power", "$rules"});
  files.event("$hello", carol, "m.room.message", {{"body", "hello"}}, {}, {"$carol"}, {"$create", "$power", "$carol"});
  Json& events = files.events();
  std::reverse(events.begin(), events.end());
  const auto explained = files.resolve({}, true);
  REQUIRE(explained);
  CHECK_FALSE(explained->at("state").contains("m.room.name|"));
  CHECK(explained->at("state").at("m.room.member|@carol:alpha.test") == "$carol");
  CHECK(explained->at("explain").at("extremities") == Json{"$hello"});
  const auto list = verdicts(*explained);
  CHECK(std::find(list.begin(), list.end(), "$name rejected") != list.end());
  CHECK(std::find(list.begin(), list.end(), "$carol accepted") != list.end());
}

TEST_CASE("lines of history that meet are resolved where they meet") {
  Files files;
  files.begin();
  files.event("$topic1", alice, "m.room.topic", {{"topic", "1"}}, "", {"$bob"}, {"$create", "$alice", "$power"});
  files.event("$topic2", alice, "m.room.topic", {{"topic", "2"}}, "", {"$bob"}, {"$create", "$alice", "$power"});
  files.event("$both", bob, "m.room.message", {{"body", "x"}}, {}, {"$topic1", "$topic2"},
              {"$create", "$power", "$bob"});
  const auto explained = files.resolve({}, true);
  REQUIRE(explained);
  // Equal mainline positions: the later one is applied last.
  CHECK(explained->at("state").at("m.room.topic|") == "$topic2");
  REQUIRE(explained->at("explain").at("resolutions_before").size() == 1);
  CHECK(explained->at("explain").at("resolutions_before")[0].at("before") == "$both");
}

TEST_CASE("what is absent or makes no sense is named") {
  const auto error_of = [](const Result<Json>& result) { return result ? std::string() : result.error().text; };
  Files files;
  files.begin();
  CHECK(error_of(files.resolve({Json{"$nobody"}})).find("there is no event $nobody") != std::string::npos);
  CHECK(error_of(files.resolve({}, false, "99")).find("there are:") != std::string::npos);
  files.event("$second", alice, "m.room.topic", Json::object(), "", {"$lost"}, {"$create", "$alice", "$power"});
  CHECK(error_of(files.resolve()).find("$lost, which comes before $second, is absent") != std::string::npos);
  files.event("$third", alice, "m.room.topic", Json::object(), "", {"$bob"}, {"$gone"});
  CHECK(error_of(files.resolve()).find("$gone, which $third cites, is absent") != std::string::npos);
  files.events() = Json{{{"type", "x"}}};
  CHECK(error_of(files.resolve()).find("entry 1: has no event_id") != std::string::npos);
  files.events() = Json::object();
  CHECK(error_of(files.resolve()).find("is no JSON array") != std::string::npos);
}

TEST_CASE("events that follow each other stand in one lane and forks beside it") {
  const auto event = [](const std::string& id, const Json& prev) {
    return *Event::from_stored(*EventId::parse(id), Json{{"room_id", "!room:alpha.test"},
                                                         {"sender", alice},
                                                         {"type", "m.room.message"},
                                                         {"content", Json::object()},
                                                         {"depth", 1},
                                                         {"origin_server_ts", 1},
                                                         {"prev_events", prev},
                                                         {"auth_events", Json::array()}}
                                                        .dump());
  };
  //   a - b - d
  //     \ c /
  const auto rows = homeserver::inspect::lay_out(
      {event("$a", Json::array()), event("$b", {"$a"}), event("$c", {"$a"}), event("$d", {"$b", "$c"})});
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].event == 3);
  CHECK(rows[0].lane == 0);
  CHECK(rows[0].leaving == std::vector<std::size_t>{1});
  CHECK(rows[1].event == 2);
  CHECK(rows[1].lane == 1);
  CHECK(rows[1].passing == std::vector<std::size_t>{0});
  CHECK(rows[2].lane == 0);
  CHECK(rows[3].event == 0);
  CHECK(rows[3].lane == 0);
  CHECK(rows[3].joining == std::vector<std::size_t>{1});
}
