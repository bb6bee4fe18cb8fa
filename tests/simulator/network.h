// The wires between the servers: who reaches whom, what is lost, doubled and late.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/ids.h"
#include "federation/client.h"
#include "homeserver/rooms/remote_rooms.h"
#include "tests/simulator/schedule.h"

namespace skerry::simulator {

class FalseAnswers;
class Node;

// What happened, to see that a run exercises what it should.
struct Tally {
  std::uint64_t events = 0;
  std::uint64_t merges = 0;
  std::uint64_t rejected = 0;
  std::uint64_t soft_failed = 0;
  std::uint64_t kills = 0;
  std::uint64_t power_losses = 0;
  std::uint64_t lies = 0;
  std::uint64_t cuts = 0;
  std::uint64_t lost = 0;
  std::uint64_t repeated = 0;
  std::uint64_t transactions = 0;
  std::uint64_t questions = 0;
  std::uint64_t false_answers = 0;
  std::uint64_t compared = 0;   // pairs of servers at the end
  std::uint64_t forgetful = 0;  // pairs that are not compared, since one forgot what it knew before it left (judge.cc)
  std::uint64_t misled = 0;     // servers that are not compared, since they were told a state that was none
  void add(const Tally& other);
  std::string summary() const;
};

class Network {
 public:
  Network(Schedule& schedule, Tally& tally);
  ~Network();

  void add(Node& node);
  Node* at(const ServerName& name);
  const std::vector<Node*>& nodes() const { return nodes_; }

  void set_weather(int loss, int repeats, int delay_ms);
  void cut(const ServerName& a, const ServerName& b);
  void mend() { cuts_.clear(); }
  bool reachable(const ServerName& from, const ServerName& to);

  // A transaction. `done` once: with the answer, or unreachable.
  void send(const ServerName& from, federation::FederationRequest request, federation::RequestSender::Done done);
  // True when a question of one server to another gets through, and so does its answer.
  bool gets_through(const ServerName& from, const ServerName& to);
  std::int64_t delay();

  void add_liar(const ServerName& name, std::unique_ptr<FalseAnswers> answers);
  void end_lies();
  // What `server` answers instead of the truth, this time; null: the truth.
  const FalseAnswers* false_answers(const ServerName& server);
  // Took a state that was never the room's, from a liar or from another that was misled.
  void mislead(const ServerName& server) { misled_.insert(server); }
  bool is_misled(const ServerName& server) const { return misled_.contains(server); }

  Schedule& schedule() { return schedule_; }
  Tally& tally() { return tally_; }

 private:
  void deliver(const ServerName& from, const ServerName& to, const std::string& transaction, const std::string& body,
               const std::function<void(Result<Json>)>& answer);

  Schedule& schedule_;
  Tally& tally_;
  std::vector<Node*> nodes_;
  std::map<ServerName, Node*> by_name_;
  std::set<std::pair<ServerName, ServerName>> cuts_;
  std::map<ServerName, std::unique_ptr<FalseAnswers>> liars_;
  std::set<ServerName> misled_;
  int loss_ = 0;
  int repeats_ = 0;
  int delay_ms_ = 1;
};

// One server's way to ask the others: straight from their stores and pipelines, by what the handlers in
// homeserver/federation_api would answer.
std::unique_ptr<homeserver::RemoteRooms> make_telephone(Network& network, Node& us);
// One server's way to send transactions.
std::unique_ptr<federation::RequestSender> make_post(Network& network, const Node& us);

// Keys are known to everybody.
const SigningKey& signing_key(const ServerName& server);

}  // namespace skerry::simulator
