// The servers of a script and the room that they share: makes them, plays the actions, and brings everything to rest.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulator/liar.h"
#include "tests/simulator/node.h"
#include "tests/simulator/play.h"

namespace skerry::simulator {

// Below the system's folder for temporary files; removed with everything in it.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class World {
 public:
  explicit World(const Script& script);

  void play();
  // Everything is mended, started and delivered, and everybody says a last word on all that they know.
  void settle();

  const Script& script() const { return script_; }
  const RoomRules& rules() const { return rules_; }
  const RoomId& room() const { return room_; }
  const AllEvents& events() const { return events_; }
  Node& node(int number) { return *nodes_[static_cast<std::size_t>(number)]; }
  bool is_liar(int number) const { return number >= script_.servers - script_.liars; }
  UserId user(int number) { return node(number / users_per_server).user(number % users_per_server); }
  Tally& tally() { return tally_; }
  const Network& network() const { return network_; }
  void complain(const std::string& what);
  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  void found_room();
  void act(const Action& action);
  void act_of_user(const Action& action, Node& node);
  void act_of_fate(const Action& action, Node& node);
  homeserver::EventDraft draft(const UserId& sender, const std::string& type, Json content) const;
  homeserver::EventDraft state(const UserId& sender, const std::string& type, Json content,
                               const std::string& key = "") const;
  homeserver::EventDraft member(const UserId& sender, const UserId& target, const std::string& membership) const;
  homeserver::EventDraft levels(Node& node, const UserId& sender, const UserId& whom, int level) const;
  std::optional<EventId> something_said(Node& node, Dice& dice);
  void join(Node& node, const UserId& user);
  void run(int steps, std::int64_t time_ms);
  void bury_the_dead();
  void watch_head(Node& node, const storage::EventCommit& commit, const StatePtr& current, const StatePtr& before);

  const Script& script_;
  const RoomRules& rules_;
  Tally tally_;
  std::vector<std::string> complaints_;
  ScratchFolder folder_;
  test::FaultyDisk disk_;
  Schedule schedule_;
  Network network_;
  AllEvents events_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<Liar>> liars_;
  RoomId room_;
  bool loss_is_due_ = false;
};

}  // namespace skerry::simulator
