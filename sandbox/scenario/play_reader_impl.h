// Reads a play act by act, and follows what it does to servers and rooms, as far as that is certain: what cannot be is
// a problem of its line.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sandbox/scenario/scenario_file.h"
#include "sandbox/scenario/toml_reader.h"
#include "sandbox/world/fault_board.h"

namespace skerry::sandbox {

class PlayReader {
 public:
  explicit PlayReader(Scenario& scenario);
  void read(Reader& act);
  bool asserted() const { return asserted_; }

 private:
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
  void choose_server(Reader& table, Act& act);
  void read_server_fault(Reader& table, Act& act);
  void read_link(Reader& table, Act& act);
  void read_partition(Reader& table, Act& act);
  void read_backoff(Reader& table, Act& act);
  void read_heal(Reader& table, Act& act);
  std::optional<std::vector<Fault>> request(Reader& table, Verb verb, const Json& fault) const;
  void take_hold(const Act& act);
  // What an act calls a server by what one was chosen as, or as it is.
  std::string chosen(const std::string& typed) const;
  bool fits(Verb verb, const std::string& server) const;
  std::string condition(const std::string& server) const;
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
  std::set<std::string> killed_;
  FaultBoard faults_;                           // in force at this time, as far as the play has been read
  std::vector<std::set<std::size_t>> members_;  // of each room
  std::map<std::string, Label> labels_;
  std::map<std::string, std::string> chosen_;  // servers, by what an act calls them
  std::int64_t now_ms_ = 0;
  bool asserted_ = false;
};

}  // namespace skerry::sandbox
