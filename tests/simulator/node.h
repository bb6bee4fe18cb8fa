// One server of the simulation: the real store, room pipeline, memberships and outbox, without their threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "federation/outbox.h"
#include "homeserver/rooms/membership.h"
#include "homeserver/rooms/pipeline.h"
#include "homeserver/rooms/reader.h"
#include "net/worker_pool.h"
#include "tests/simulator/network.h"
#include "tests/simulator/recorder.h"
#include "tests/storage/faulty_disk.h"
#include "tests/support/room_builder.h"

namespace skerry::simulator {

class Node {
 public:
  struct Surroundings {
    Network& network;
    test::FaultyDisk& disk;
    Recorder::Watch watch;
    std::string folder;  // below it, the server's own
    std::function<void(const std::string& what)> complain;
  };
  Node(Surroundings surroundings, ServerName name, std::uint64_t seed);
  ~Node();

  const ServerName& name() const { return name_; }
  UserId user(int number) const;
  bool is_up() const { return running_ != nullptr && *alive_; }
  // Of this process: false once it has died.
  std::shared_ptr<const bool> alive() const { return alive_; }

  homeserver::RoomPipeline& pipeline();
  homeserver::RoomReader& reader();
  homeserver::MembershipService& membership();
  storage::RoomStore& store();

  // Sends an event of a user of this server, and remembers it when it is acknowledged.
  void submit(homeserver::EventDraft draft);
  // Lets everything that the event needs happen, and nothing else. For what comes before the play.
  Result<EventId> submit_and_wait(homeserver::EventDraft draft);
  Result<RoomId> create_room(const std::string& version, std::vector<homeserver::EventDraft> rest);

  // Answers by `answer`, or never. As homeserver/federation_api/send_transaction.cc does it.
  using TransactionAnswer = std::function<void(Result<Json>)>;
  void receive_transaction(const ServerName& from, const std::string& id, const std::string& body,
                           TransactionAnswer answer);
  // An event that came in some other way.
  void receive(const ServerName& from, const Json& pdu);

  // The process ends at once; what waits to be written is gone.
  void kill();
  // Power goes at the n-th write from now on.
  void lose_power_at(std::uint64_t write, std::uint64_t seed);
  // True when power was lost and the process still acts as if it lived: it is to be killed.
  bool is_doomed() const { return doomed_; }
  void start();

  // Events that somebody was told to be safe here, and are not.
  std::vector<EventId> lost_events();
  const std::set<EventId>& acknowledged() const { return acknowledged_; }
  const std::set<EventId>& sent() const { return sent_; }

 private:
  struct Running;
  class Incoming;

  Surroundings surroundings_;
  const ServerName name_;
  std::string folder_;
  std::string folder_after_loss_;
  int starts_ = 0;
  DiceBytes random_;
  bool doomed_ = false;
  std::shared_ptr<bool> alive_;
  std::unique_ptr<Running> running_;
  std::set<EventId> acknowledged_;  // to clients and to other servers
  std::set<EventId> sent_;          // those of this server's users among them
};

}  // namespace skerry::simulator
