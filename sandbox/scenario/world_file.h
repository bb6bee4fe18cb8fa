// A small world as a TOML file: servers, users, rooms, what is said. docs/scenarios.md tells every key.
//
// Pure: the same text and seed give the same world, everywhere. All that can be wrong with it is found here, by line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"

namespace skerry::sandbox {

class Reader;

// Numbers that follow from a seed alone, the same on every machine (SplitMix64).
class Decisions {
 public:
  explicit Decisions(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  // 0 to `below` - 1. REQUIRES: below > 0.
  std::size_t below(std::size_t below) { return static_cast<std::size_t>(next() % below); }

 private:
  std::uint64_t state_;
};

struct WorldUser {
  std::string localpart;
  std::string server;
  std::string display_name;          // empty: none is set
  std::string password;              // follows from the seed where the file has none
  std::vector<std::string> devices;  // device ids; at least one

  std::string id() const { return "@" + localpart + ":" + server; }
};

struct WorldMessage {
  std::size_t user = 0;
  std::string text;
};

// Users are indices into World::users.
struct WorldRoom {
  std::string name;  // and the local part of its alias, on its creator's server
  std::string title;
  std::string topic;
  std::string version;  // empty: the server's default
  bool open = true;     // anyone may join; else members are invited first
  std::size_t creator = 0;
  std::vector<std::size_t> members;  // without the creator
  std::vector<std::size_t> invited;
  std::map<std::size_t, std::int64_t> powers;  // the creator's too, where room versions name it
  std::vector<WorldMessage> messages;
};

struct World {
  std::uint64_t seed = 0;
  std::vector<std::string> servers;
  std::vector<WorldUser> users;
  std::vector<WorldRoom> rooms;

  std::size_t messages() const;
  std::string alias_of(const WorldRoom& room) const;  // on its creator's server
};

// `seed` takes the place of the file's. Errors: bad_json, with all problems, each as "FILE:LINE: key: what was
// expected".
Result<World> parse_world(const std::string& text_untrusted, const std::string& file,
                          std::optional<std::uint64_t> seed = std::nullopt);

// The same as a part of another file, whose keys these are besides its own. Problems go to the reader.
World read_world(Reader& top, std::optional<std::uint64_t> seed);

// "alice", "alice@alpha", or "guest*" for all whose local part begins so. Empty, with what is wrong in `problem`, when
// nobody or not one alone is meant where `only_one`.
std::vector<std::size_t> find_users(const World& world, const std::string& typed, bool only_one, std::string& problem);
std::optional<std::size_t> find_room(const World& world, const std::string& name);
// A sentence of common words.
std::string make_text(Decisions& decisions);

}  // namespace skerry::sandbox
