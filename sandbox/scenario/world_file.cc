#include "sandbox/scenario/world_file.h"

#include <algorithm>
#include <array>
#include <set>

#include "core/crypto.h"
#include "core/ids.h"
#include "core/room_rules.h"
#include "sandbox/scenario/toml_reader.h"
#include "sandbox/world/names.h"

namespace skerry::sandbox {

namespace {

constexpr std::int64_t most_seed = 9'007'199'254'740'991;
constexpr std::size_t most_servers = 100;
constexpr std::size_t most_users = 5'000;
constexpr std::size_t most_rooms = 500;
constexpr std::int64_t most_messages = 50'000;
constexpr std::size_t most_memberships = 50'000;
constexpr std::size_t text_bytes = 4'000;
constexpr std::size_t hash_bytes = 15;       // of a password made from the seed
constexpr std::size_t chatter_stretch = 20;  // messages, on average, until the talk goes over to any server
constexpr std::int64_t creator_power = 100;

// Of each crowd the members' names are its name and a number: 1, 2 ...
std::string numbered(const std::string& name, std::size_t number) { return name + std::to_string(number); }

bool good_handle(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

std::string password_of(std::uint64_t seed, const std::string& user_id) {
  const auto hash = sha256("skerry world " + std::to_string(seed) + " " + user_id);
  return base64url_encode(std::string_view(reinterpret_cast<const char*>(hash.data()), hash_bytes));
}

class WorldReader {
 public:
  WorldReader(Reader& top, World& world) : top_(top), world_(world) {}

  void read(std::optional<std::uint64_t> seed) {
    std::int64_t number = 1;
    top_.get("seed", number, 0, most_seed);
    world_.seed = seed.value_or(static_cast<std::uint64_t>(number));
    std::int64_t servers = 3;
    top_.get("servers", servers, 1, most_servers);
    world_.servers = server_names(static_cast<std::size_t>(servers));
    top_.get_tables("users", most_users, [this](Reader& users) { read_users(users); });
    top_.get_tables("rooms", most_rooms, [this](Reader& room) { read_room(room); });
  }

 private:
  void read_users(Reader& table) {
    WorldUser user;
    std::string typed;
    std::int64_t count = 0;
    if (table.required("name")) table.get("name", typed, typed_name_bytes);
    table.get("display_name", user.display_name, typed_name_bytes);
    table.get("password", user.password, typed_name_bytes);
    table.get("count", count, 1, static_cast<std::int64_t>(most_users));
    for (const Entry& device : table.get_list("devices")) {
      const auto& known = user.devices;
      if (!device.text.empty() && device.text.size() <= typed_name_bytes &&
          std::find(known.begin(), known.end(), device.text) == known.end()) {
        user.devices.push_back(device.text);
      } else {
        table.problem_at(device.line, "devices", "must be different names, none of them empty");
      }
    }
    if (user.devices.empty()) user.devices = {"SEEDED"};
    const auto homes = read_homes(table, typed);
    if (typed.empty() || homes.empty()) return;
    const std::string name = typed.substr(0, typed.find('@'));
    if (!good_handle(name)) {
      return table.problem("name", "must be of a-z, 0-9, '.', '_' and '-', as alice@alpha");
    }
    if (!table.has("count")) return add(table, user, name, homes.front());
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      add(table, user, numbered(name, i + 1), homes[i % homes.size()]);
    }
  }

  // The servers on which a user or a crowd live: the one behind the '@', or those of `on`, in turns.
  std::vector<std::string> read_homes(Reader& table, const std::string& typed) {
    std::vector<std::string> homes;
    std::vector<Entry> named = table.get_list("on");
    const auto at = typed.find('@');
    if (at != std::string::npos) named.push_back({typed.substr(at + 1), table.line_of("name")});
    for (const Entry& entry : named) {
      auto home = find_server(world_.servers, entry.text);
      if (home) {
        homes.push_back(std::move(*home));
      } else {
        table.problem_at(entry.line, at != std::string::npos ? "name" : "on", home.error().text);
      }
    }
    if (named.empty()) table.problem("name", "lives on no server: write alice@alpha, or add on = [\"alpha\"]");
    if (named.size() > 1 && !table.has("count")) table.problem("on", "one user lives on one server");
    return homes;
  }

  void add(Reader& table, WorldUser user, const std::string& name, const std::string& home) {
    user.localpart = name;
    user.server = home;
    if (world_.users.size() >= most_users) {
      if (world_.users.size() == most_users) table.problem("count", "more than 5000 users in all");
      return;
    }
    if (!UserId::parse(user.id())) return table.problem("name", user.id() + " is no user id");
    if (!known_.insert(user.id()).second) return table.problem("name", user.id() + " is there already");
    if (user.password.empty()) user.password = password_of(world_.seed, user.id());
    world_.users.push_back(std::move(user));
  }

  void read_room(Reader& table) {
    WorldRoom room;
    if (table.required("name")) table.get("name", room.name, typed_name_bytes);
    table.get("title", room.title, typed_name_bytes);
    table.get("topic", room.topic, text_bytes);
    table.get("version", room.version, typed_name_bytes);
    table.get("open", room.open);
    if (!room.name.empty() && !good_handle(room.name)) table.problem("name", "must be of a-z, 0-9, '.', '_' and '-'");
    if (find_room(world_, room.name)) table.problem("name", "there is a room " + room.name + " already");
    if (!room.version.empty() && find_room_rules(room.version) == nullptr) {
      table.problem("version", "must be a room version, \"1\" to \"12\"");
    }
    const bool created = read_creator(table, room);
    std::set<std::size_t> taken = {room.creator};  // in a list already
    for (const auto& [key, list] : {std::pair{"members", &room.members}, std::pair{"invited", &room.invited}}) {
      for (const Entry& entry : table.get_list(key)) add_all(table, key, entry, taken, *list);
    }
    read_powers(table, room, created);
    read_messages(table, room);
    world_.rooms.push_back(std::move(room));
  }

  bool read_creator(Reader& table, WorldRoom& room) {
    std::string typed;
    if (!table.required("by")) return false;
    table.get("by", typed, typed_name_bytes);
    const auto found = one(table, "by", {typed, table.line_of("by")});
    if (found) room.creator = *found;
    return found.has_value();
  }

  std::optional<std::size_t> one(Reader& table, const char* key, const Entry& entry) {
    std::string problem;
    const auto found = find_users(world_, entry.text, true, problem);
    if (!found.empty()) return found.front();
    table.problem_at(entry.line, key, problem);
    return std::nullopt;
  }

  void add_all(Reader& table, const char* key, const Entry& entry, std::set<std::size_t>& taken,
               std::vector<std::size_t>& list) {
    std::string problem;
    const auto found = find_users(world_, entry.text, false, problem);
    if (found.empty()) table.problem_at(entry.line, key, problem);
    memberships_ += found.size();
    if (memberships_ > most_memberships) {
      return table.problem_at(entry.line, key, "more than 50000 memberships in all");
    }
    for (const std::size_t user : found) {
      if (taken.insert(user).second) {
        list.push_back(user);
      } else if (!entry.text.ends_with('*')) {
        table.problem_at(entry.line, key, entry.text + " is in it already");
      }
    }
  }

  void read_powers(Reader& table, WorldRoom& room, bool created) {
    const RoomRules* rules = find_room_rules(room.version.empty() ? "12" : room.version);
    const bool privileged = rules != nullptr && rules->creators_are_privileged;
    for (const auto& [entry, power] : table.get_numbers("powers", -most_seed, most_seed)) {
      const auto user = one(table, "powers", entry);
      if (!user || !created) continue;
      if (*user == room.creator && privileged) {
        table.problem_at(entry.line, "powers", "the creator's power has no bounds in this room version");
      } else {
        room.powers[*user] = power;
      }
    }
    if (!room.powers.empty() && !privileged) room.powers.emplace(room.creator, creator_power);
  }

  // "alice: Hello", line by line; then chatter as the seed has it.
  void read_messages(Reader& table, WorldRoom& room) {
    std::vector<std::size_t> speakers = room.members;
    speakers.insert(speakers.begin(), room.creator);
    for (const Entry& entry : table.get_list("say")) {
      const auto colon = entry.text.find(": ");
      if (colon == std::string::npos || colon + 2 >= entry.text.size() || entry.text.size() > text_bytes) {
        table.problem_at(entry.line, "say", "must be as \"alice: Hello\", at most 4000 bytes");
        continue;
      }
      const auto speaker = one(table, "say", {entry.text.substr(0, colon), entry.line});
      if (!speaker) continue;
      if (std::find(speakers.begin(), speakers.end(), *speaker) == speakers.end()) {
        table.problem_at(entry.line, "say", entry.text.substr(0, colon) + " is not a member");
      } else {
        room.messages.push_back({*speaker, entry.text.substr(colon + 2)});
      }
    }
    std::int64_t chatter = 0;
    table.get("chatter", chatter, 0, most_messages);
    if (world_.users.empty() || world_.messages() + static_cast<std::size_t>(chatter) > most_messages) {
      if (chatter > 0) table.problem("chatter", "must be of users who are there, and 50000 messages in all at most");
      return;
    }
    add_chatter(room, speakers, static_cast<std::size_t>(chatter));
  }

  // The talk stays on one server for a while: going over to another takes the time in which that one hears.
  void add_chatter(WorldRoom& room, const std::vector<std::size_t>& speakers, std::size_t count) const {
    Decisions decisions(world_.seed * 1'000'003 + world_.rooms.size());
    std::map<std::string, std::vector<std::size_t>> by_server;
    for (const std::size_t speaker : speakers) by_server[world_.users[speaker].server].push_back(speaker);
    const std::vector<std::size_t>* talking = nullptr;
    for (std::size_t i = 0; i < count; ++i) {
      if (talking == nullptr || decisions.below(chatter_stretch) == 0) {
        talking = &by_server[world_.users[speakers[decisions.below(speakers.size())]].server];
      }
      const std::size_t speaker = (*talking)[decisions.below(talking->size())];
      room.messages.push_back({speaker, make_text(decisions)});
    }
  }

  Reader& top_;
  World& world_;
  std::set<std::string> known_;
  std::size_t memberships_ = 0;
};

}  // namespace

std::uint64_t Decisions::next() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::size_t World::messages() const {
  std::size_t count = 0;
  for (const WorldRoom& room : rooms) count += room.messages.size();
  return count;
}

std::string World::alias_of(const WorldRoom& room) const { return "#" + room.name + ":" + users[room.creator].server; }

World read_world(Reader& top, std::optional<std::uint64_t> seed) {
  World world;
  WorldReader(top, world).read(seed);
  return world;
}

Result<World> parse_world(const std::string& text, const std::string& file, std::optional<std::uint64_t> seed) {
  World world;
  auto read = read_toml(text, file, [&](Reader& top) { world = read_world(top, seed); });
  if (!read) return tl::make_unexpected(read.error());
  return world;
}

std::vector<std::size_t> find_users(const World& world, const std::string& typed, bool only_one, std::string& problem) {
  const auto at = typed.find('@');
  std::string name = typed.substr(0, at);
  const bool crowd = name.ends_with('*');
  if (crowd) name.pop_back();
  const auto server =
      at == std::string::npos ? Result<std::string>("") : find_server(world.servers, typed.substr(at + 1));
  std::vector<std::size_t> found;
  for (std::size_t i = 0; server && i < world.users.size(); ++i) {
    const WorldUser& user = world.users[i];
    if (!server->empty() && user.server != *server) continue;
    if (crowd ? user.localpart.starts_with(name) : user.localpart == name) found.push_back(i);
  }
  if (!server) {
    problem = server.error().text;
  } else if (found.empty()) {
    problem = "there is no user " + typed + " above";
  } else if (found.size() > 1 && (only_one || !crowd)) {
    problem = typed + " may be " + world.users[found[0]].id() + " or " + world.users[found[1]].id() +
              ": write which, as " + world.users[found[0]].localpart + "@" + world.users[found[0]].server;
    found.clear();
  }
  return found;
}

std::optional<std::size_t> find_room(const World& world, const std::string& name) {
  for (std::size_t i = 0; i < world.rooms.size(); ++i) {
    if (world.rooms[i].name == name) return i;
  }
  return std::nullopt;
}

std::string make_text(Decisions& decisions) {
  static constexpr std::array<const char*, 32> words = {
      "tide",  "rock",  "harbour", "signal", "fog",   "light", "north", "rope",   "sail",    "gull",   "storm",
      "calm",  "boat",  "channel", "reef",   "buoy",  "watch", "night", "bell",   "current", "island", "ferry",
      "quiet", "heavy", "bright",  "early",  "again", "soon",  "under", "beyond", "before",  "with"};
  std::string text;
  const std::size_t count = 3 + decisions.below(8);
  for (std::size_t i = 0; i < count; ++i)
    text += (i == 0 ? "" : " ") + std::string(words[decisions.below(words.size())]);
  return text;
}

}  // namespace skerry::sandbox
