// State resolution over any graph of auth events: it ends, whatever is missing or rejected, and does not depend on the
// order of the forks. The bytes are a script: the room version, then events, each with the forks it stands in.
#include "core/state_resolution.h"

#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "tests/fuzz/fuzz.h"

using namespace skerry;
using skerry::test::must_hold;

namespace {

constexpr std::size_t most_events = 32;
constexpr std::array<const char*, 4> people = {"@a:a.test", "@b:b.test", "@c:c.test", "@d:d.test"};

class Script {
 public:
  explicit Script(std::string_view bytes) : bytes_(bytes) {}
  bool ended() const { return at_ >= bytes_.size(); }
  // The next byte, 0 when there are no more.
  unsigned next() { return ended() ? 0 : static_cast<unsigned char>(bytes_[at_++]); }
  unsigned next(std::size_t below) { return next() % static_cast<unsigned>(below); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

// `$` and 43 characters: what version 12 makes a room id of.
EventId id_of(std::size_t index) {
  std::string text = "$" + std::string(41, 'A');
  text += static_cast<char>('a' + index / 26);
  text += static_cast<char>('a' + index % 26);
  return *EventId::parse(text);
}

class Room {
 public:
  explicit Room(std::string_view bytes)
      : script_(bytes), rules_(*all_room_rules()[script_.next(all_room_rules().size())]) {
    forks_.resize(2 + script_.next(3));
    const Json create{{"creator", people[0]}, {"room_version", rules_.version}};
    add("m.room.create", "", 0, create, {}, 0xff);
    while (!script_.ended() && events_.size() < most_events) add_any();
  }

  std::variant<StateMap, Missing> resolve(bool other_way_round) const {
    std::vector<StatePtr> forks;
    for (const StateMap& fork : forks_) forks.push_back(std::make_shared<const StateMap>(fork));
    if (other_way_round) std::reverse(forks.begin(), forks.end());
    const EventLookup find = [this](const EventId& id) {
      const auto found = events_.find(id);
      return found == events_.end() || absent_.contains(id) ? nullptr : found->second;
    };
    return resolve_state(rules_, forks, find, [this](const EventId& id) { return rejected_.contains(id); });
  }

  const std::vector<StateMap>& forks() const { return forks_; }

 private:
  void add_any() {
    constexpr std::array<const char*, 7> types = {"m.room.member", "m.room.power_levels", "m.room.join_rules",
                                                  "m.room.topic",  "m.room.member",       "m.room.third_party_invite",
                                                  "m.room.create"};
    const std::string type = types[script_.next(types.size())];
    const unsigned sender = script_.next(people.size());
    const unsigned value = script_.next();
    const std::string key = type == "m.room.member" ? people[script_.next(people.size())] : "";
    std::vector<std::size_t> cited;
    for (unsigned count = script_.next(8); count > 0; --count) cited.push_back(script_.next(events_.size() + 1));
    add(type, key, sender, content_of(type, value), cited, script_.next());
  }

  static Json content_of(const std::string& type, unsigned value) {
    if (type == "m.room.member") {
      constexpr std::array<const char*, 5> memberships = {"join", "leave", "ban", "invite", "knock"};
      Json content{{"membership", memberships[value % memberships.size()]}};
      if (value >= 128) content["join_authorised_via_users_server"] = people[value % people.size()];
      return content;
    }
    if (type == "m.room.join_rules") {
      constexpr std::array<const char*, 4> join_rules = {"public", "invite", "knock", "restricted"};
      return {{"join_rule", join_rules[value % join_rules.size()]}};
    }
    if (type == "m.room.power_levels") {
      Json users{{people[value % people.size()], value}, {people[value / 64 % people.size()], 100}};
      return {{"users", users}, {"users_default", value % 3 * 50}, {"state_default", value % 2 * 50}};
    }
    return {{"creator", people[0]}, {"value", value}};
  }

  // `cited` names events by their number; one that is not there yet is missing. `place`: bits 0 to 4 are the forks it
  // stands in, bit 6 rejects it, bit 7 hides it.
  void add(const std::string& type, const std::string& key, unsigned sender, const Json& content,
           const std::vector<std::size_t>& cited, unsigned place) {
    const std::size_t index = events_.size();
    const EventId id = id_of(index);
    Json pdu{{"type", type},
             {"state_key", key},
             {"sender", people[sender]},
             {"content", content},
             {"origin_server_ts", 1'000'000 + (place >> 2) % 8},
             {"depth", index + 1},
             {"prev_events", Json::array()},
             {"auth_events", Json::array()}};
    if (!rules_.room_id_is_create_hash) {
      pdu["room_id"] = "!r:a.test";
    } else if (index > 0) {
      pdu["room_id"] = "!" + id_of(0).str().substr(1);
    }
    for (const std::size_t number : cited) pdu["auth_events"].push_back(id_of(number < index ? number : 600).str());
    const auto text = canonical_json(pdu);
    auto event = Event::from_stored(id, *text);
    if (!event) return;  // a second create event would need an id that is its hash
    events_.emplace(id, *event);
    for (std::size_t fork = 0; fork < forks_.size(); ++fork) {
      if ((place >> fork & 1) != 0) forks_[fork][{type, key}] = id;
    }
    if (index == 0) return;
    if ((place & 0x40) != 0) rejected_.insert(id);
    if ((place & 0xC0) == 0xC0) absent_.insert(id);
  }

  Script script_;
  const RoomRules& rules_;
  std::unordered_map<EventId, EventPtr> events_;
  std::set<EventId> rejected_;
  std::set<EventId> absent_;
  std::vector<StateMap> forks_;
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Room room(test::text_of(data, std::min<std::size_t>(size, 4'096)));
  const auto resolved = room.resolve(false);
  const auto again = room.resolve(true);
  must_hold(resolved.index() == again.index(), "what is missing does not depend on the order of the forks");
  if (const auto* missing = std::get_if<Missing>(&resolved)) {
    must_hold(!missing->ids.empty(), "what is missing has a name");
    return 0;
  }
  const auto& state = std::get<StateMap>(resolved);
  must_hold(state == std::get<StateMap>(again), "the resolution does not depend on the order of the forks");
  for (const auto& [key, id] : room.forks().front()) {
    const auto agrees = [&key = key, &id = id](const StateMap& fork) {
      const auto found = fork.find(key);
      return found != fork.end() && found->second == id;
    };
    if (!std::all_of(room.forks().begin(), room.forks().end(), agrees)) continue;
    must_hold(state.contains(key) && state.at(key) == id, "what the forks agree on stays");
  }
  return 0;
}
