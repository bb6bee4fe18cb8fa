// Reads a play act by act, and follows what it does to servers and rooms, as far as that is certain: what cannot be is
// a problem of its line.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sandbox/scenario/scenario_file.h"
#include "sandbox/scenario/toml_reader.h"

namespace skerry::sandbox {

class PlayReader {
 public:
  explicit PlayReader(Scenario& scenario);
  void read(Reader& act);
  bool asserted() const { return asserted_; }

 private:
  enum class Health { well, killed, blocked };
  struct Label {
    std::size_t room = 0;
    std::set<std::size_t> speakers;
  };

  void read_talk(Reader& table, Act& act);
  void read_say(Reader& table, Act& act, bool known);
  void read_chatter(Reader& table, Act& act);
  void read_member(Reader& table, Act& act);
  void follow_member(Reader& table, const Act& act);
  void read_server(Reader& table, Act& act);
  void read_assertion(Reader& table, Act& act);
  void read_audience(Reader& table, Act& act, const std::set<std::size_t>& speakers);
  void read_among(Reader& table, Act& act);

  std::optional<std::size_t> user(Reader& table, const char* key);
  std::optional<std::size_t> room(Reader& table, const char* key);
  // What stands between a user and their server: "" for nothing.
  std::string cut_off(std::size_t user, bool beside) const;
  void must_reach(Reader& table, const char* key, const Act& act);

  Scenario& scenario_;
  const World& world_;
  Decisions decisions_;
  std::map<std::string, Health> health_;
  std::vector<std::set<std::size_t>> members_;  // of each room
  std::map<std::string, Label> labels_;
  std::map<std::string, std::string> chosen_;  // servers, by what an act calls them
  std::int64_t now_ms_ = 0;
  bool asserted_ = false;
};

}  // namespace skerry::sandbox
