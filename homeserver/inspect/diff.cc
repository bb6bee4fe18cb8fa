#include "homeserver/inspect/diff.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include <nlohmann/json.hpp>

#include "homeserver/inspect/graph.h"

namespace skerry::homeserver::inspect {

namespace {

constexpr std::size_t shown_events = 20;  // of those that a server lacks, in text

// What one server has of the room.
struct Side {
  std::string server;
  std::map<EventId, storage::StoredEvent> events;
  std::size_t without_place = 0;                                        // of them: outliers
  std::int64_t first_depth = std::numeric_limits<std::int64_t>::max();  // of the history that it has
  std::set<EventId> extremities;
  StateMap state;
};

struct Differences {
  std::vector<std::string> without_room;
  std::map<std::string, std::vector<EventId>> lacking;             // server: events that some other has
  std::map<std::string, std::size_t> earlier_history;              // server: the same, from before what it has
  std::map<EventId, std::map<std::string, std::string>> verdicts;  // event: server: verdict
  std::map<StateKey, std::map<std::string, EventId>> state;        // key: server: event, empty when it has none
  std::map<std::string, std::set<EventId>> extremities;            // all, when they differ
  std::map<EventId, std::string> words;                            // of the events above
  bool none() const { return lacking.empty() && verdicts.empty() && state.empty() && extremities.empty(); }
};

Result<std::optional<Side>> load_side(const NamedDatabase& from, const RoomId& room) {
  const auto head = from.database->head(room);
  if (!head) return tl::make_unexpected(head.error());
  if (!*head) return std::nullopt;
  Side side;
  side.server = from.server;
  side.extremities = {(*head)->heads.begin(), (*head)->heads.end()};
  auto state = from.database->state((*head)->current_state);
  if (!state) return tl::make_unexpected(state.error());
  side.state = std::move(*state);
  auto events = from.database->events(room);
  if (!events) return tl::make_unexpected(events.error());
  for (auto& stored : *events) {
    if (stored.outlier) {
      ++side.without_place;
    } else {
      side.first_depth = std::min(side.first_depth, stored.event->depth());
    }
    side.events.emplace(stored.event->id(), std::move(stored));
  }
  return side;
}

void compare_events(const std::vector<Side>& sides, Differences& differences) {
  std::map<EventId, const storage::StoredEvent*> all;
  for (const Side& side : sides) {
    for (const auto& [id, stored] : side.events) all.emplace(id, &stored);
  }
  for (const auto& [id, stored] : all) {
    std::map<std::string, std::string> verdicts;
    std::set<std::string> distinct;
    for (const Side& side : sides) {
      const auto own = side.events.find(id);
      if (own == side.events.end() && stored->event->depth() < side.first_depth) {
        ++differences.earlier_history[side.server];
      } else if (own == side.events.end()) {
        differences.lacking[side.server].push_back(id);
        differences.words.emplace(id, summary(*stored->event));
      } else {
        if (own->second.outlier) continue;  // judged by its auth events only
        verdicts[side.server] = verdict_word(own->second.judgement.verdict);
        distinct.insert(verdicts[side.server]);
      }
    }
    if (distinct.size() < 2) continue;
    differences.verdicts.emplace(id, std::move(verdicts));
    differences.words.emplace(id, summary(*stored->event));
  }
}

void compare_states(const std::vector<Side>& sides, Differences& differences) {
  std::set<StateKey> keys;
  for (const Side& side : sides) {
    for (const auto& [key, id] : side.state) keys.insert(key);
  }
  for (const StateKey& key : keys) {
    std::map<std::string, EventId> values;
    std::set<EventId> distinct;
    for (const Side& side : sides) {
      const auto entry = side.state.find(key);
      values[side.server] = entry == side.state.end() ? EventId() : entry->second;
      distinct.insert(values[side.server]);
    }
    if (distinct.size() > 1) differences.state.emplace(key, std::move(values));
  }
}

void compare_extremities(const std::vector<Side>& sides, Differences& differences) {
  std::set<std::set<EventId>> distinct;
  for (const Side& side : sides) distinct.insert(side.extremities);
  if (distinct.size() < 2) return;
  for (const Side& side : sides) differences.extremities[side.server] = side.extremities;
}

std::size_t earlier(const Differences& differences, const std::string& server) {
  const auto found = differences.earlier_history.find(server);
  return found == differences.earlier_history.end() ? 0 : found->second;
}

template <class Ids>
Json ids_json(const Ids& ids) {
  Json list = Json::array();
  for (const EventId& id : ids) list.push_back(id.str());
  return list;
}

void print_json(const std::vector<Side>& sides, const Differences& differences, const RoomId& room, std::ostream& out) {
  Json servers = Json::object();
  for (const Side& side : sides) {
    const auto lacking = differences.lacking.find(side.server);
    servers[side.server] = {
        {"events", side.events.size()},
        {"without_place", side.without_place},
        {"earlier_history", earlier(differences, side.server)},
        {"lacking", lacking == differences.lacking.end() ? Json::array() : ids_json(lacking->second)},
        {"extremities", ids_json(side.extremities)}};
  }
  Json state = Json::object(), verdicts = Json::object();
  for (const auto& [key, values] : differences.state) {
    Json& entry = state[key.type + "|" + key.state_key];
    for (const auto& [server, id] : values) entry[server] = id.empty() ? Json() : Json(id.str());
  }
  for (const auto& [id, values] : differences.verdicts) verdicts[id.str()] = values;
  out << dump({{"room_id", room.str()},
               {"agree", differences.none()},
               {"servers", std::move(servers)},
               {"without_room", differences.without_room},
               {"state", std::move(state)},
               {"verdicts", std::move(verdicts)}})
      << "\n";
}

void print_text(const std::vector<Side>& sides, const Differences& differences, const RoomId& room, std::ostream& out) {
  out << room.str() << "\n";
  for (const Side& side : sides) {
    out << "  " << side.server << ": " << side.events.size() << " events, " << side.extremities.size()
        << (side.extremities.size() == 1 ? " extremity, " : " extremities, ") << side.state.size()
        << " entries of state\n";
    if (side.without_place > 0)
      out << "    of its events " << side.without_place << " without their place in the history\n";
    if (const auto count = earlier(differences, side.server); count > 0) {
      out << "    and not the " << count << " from before the history that it has: it can still ask for them\n";
    }
  }
  for (const std::string& server : differences.without_room) out << "  " << server << ": does not know the room\n";
  if (differences.none()) {
    out << "They agree.\n";
    return;
  }
  for (const auto& [server, ids] : differences.lacking) {
    out << server << " lacks " << ids.size() << (ids.size() == 1 ? " event\n" : " events\n");
    for (std::size_t i = 0; i < std::min(ids.size(), shown_events); ++i) {
      out << "  " << ids[i].str() << "  " << differences.words.at(ids[i]) << "\n";
    }
    if (ids.size() > shown_events) out << "  ... and " << ids.size() - shown_events << " more\n";
  }
  if (!differences.extremities.empty()) out << "The forward extremities differ\n";
  for (const auto& [server, ids] : differences.extremities) {
    for (const EventId& id : ids) out << "  " << server << "  " << id.str() << "\n";
  }
  if (!differences.state.empty()) out << "The current states differ\n";
  for (const auto& [key, values] : differences.state) {
    out << "  " << key.type << " '" << key.state_key << "'\n";
    for (const auto& [server, id] : values) out << "    " << server << "  " << (id.empty() ? "none" : id.str()) << "\n";
  }
  if (!differences.verdicts.empty()) out << "The verdicts differ (soft failure depends on when an event came)\n";
  for (const auto& [id, values] : differences.verdicts) {
    out << "  " << id.str() << "  " << differences.words.at(id) << "\n";
    for (const auto& [server, verdict] : values) out << "    " << server << "  " << verdict << "\n";
  }
}

}  // namespace

Result<bool> diff(const std::vector<NamedDatabase>& servers, const RoomId& room, bool json, std::ostream& out) {
  std::vector<Side> sides;
  Differences differences;
  for (const NamedDatabase& server : servers) {
    auto side = load_side(server, room);
    if (!side) return tl::make_unexpected(side.error());
    if (*side) {
      sides.push_back(std::move(**side));
    } else {
      differences.without_room.push_back(server.server);
    }
  }
  if (sides.empty()) return fail(ErrorCode::not_found, "no server here knows the room " + room.str());
  compare_events(sides, differences);
  compare_states(sides, differences);
  compare_extremities(sides, differences);
  json ? print_json(sides, differences, room, out) : print_text(sides, differences, room, out);
  return differences.none();
}

}  // namespace skerry::homeserver::inspect
