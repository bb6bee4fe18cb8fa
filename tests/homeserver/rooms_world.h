// Several servers' rooms in one process, joined by a network that is a set of function calls: events travel when a test
// says so, and servers can be cut off from each other.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/membership.h"
#include "homeserver/rooms/once.h"
#include "homeserver/rooms/pipeline.h"
#include "homeserver/rooms/reader.h"
#include "net/worker_pool.h"
#include "tests/homeserver/watched_rooms.h"
#include "tests/support/homeserver_process.h"
#include "tests/support/room_builder.h"

namespace skerry::test {

using homeserver::Answer;
using homeserver::EventDraft;

class World;

// A clock that moves on by itself: no two events of a test share a time.
class TickingClock : public net::Clock {
 public:
  std::int64_t now_ms() const override { return now_ += 1'000; }

 private:
  mutable std::atomic<std::int64_t> now_{1'700'000'000'000};
};

class CountingRandom : public net::Random {
 public:
  std::string bytes(std::size_t count) override;

 private:
  std::atomic<unsigned> next_{1};
};

class TestServer {
 public:
  TestServer(World& world, ServerName name);
  ~TestServer();

  // Ends the process, as it were, and starts another on the same database.
  void restart();

  homeserver::RoomPipeline& pipeline() { return *pipeline_; }
  homeserver::RoomReader& reader() { return *reader_; }
  homeserver::MembershipService& membership() { return *membership_; }
  WatchedRooms& rooms() { return *rooms_; }
  storage::Database& database();
  const ServerName& name() const { return name_; }
  UserId user(const std::string& localpart) const;

  // What users do, waiting for the answer.
  Result<RoomId> create(const std::string& version, const UserId& creator, const std::string& join_rule = "public",
                        std::vector<EventDraft> more = {});
  Result<EventId> send(const EventDraft& draft);
  Result<EventId> say(const RoomId& room, const UserId& sender, const std::string& body);
  Result<EventId> set(const RoomId& room, const UserId& sender, const std::string& type, const std::string& content,
                      const std::string& state_key = "");
  Result<EventId> member(const RoomId& room, const UserId& sender, const UserId& target, const std::string& membership);
  homeserver::RemoteOutcome receive(const ServerName& origin, Json pdu);
  // The same after a failure, as often as it takes: the errand that failed may not have ended yet, and what waits for
  // the same shares its outcome.
  homeserver::RemoteOutcome receive_again(const ServerName& origin, const Json& pdu);

  // What the rooms' policy servers refuse here; empty: there are none.
  std::function<std::optional<Refused>(const EventPtr&)> policy;

  // What this server knows.
  std::vector<std::string> bodies(const RoomId& room);  // of the live messages, in their order here
  std::vector<EventId> heads(const RoomId& room);
  StateMap state(const RoomId& room);
  std::optional<storage::StoredEvent> event(const EventId& id);
  std::string membership_of(const RoomId& room, const UserId& user);
  std::vector<UserId> notified() const;
  std::ptrdiff_t invites_of(const UserId& user);  // from rooms that this server is not in

 private:
  friend class World;
  class Store;
  class Network;
  void start();
  void stop();

  World& world_;
  ServerName name_;
  TemporaryFolder folder_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<WatchedRooms> rooms_;
  std::vector<WatchedRooms::Distributed> distributed_;  // outlives the process
  std::unique_ptr<Store> store_;
  std::unique_ptr<Network> network_;
  TickingClock clock_;
  CountingRandom random_;
  std::unique_ptr<net::WorkerPool> turns_;
  std::unique_ptr<net::WorkerPool> outbound_;
  std::unique_ptr<homeserver::PipelineContext> context_;
  std::unique_ptr<homeserver::RoomPipeline> pipeline_;
  std::unique_ptr<homeserver::RoomReader> reader_;
  std::unique_ptr<homeserver::MembershipService> membership_;
  mutable std::mutex mutex_;
  std::vector<UserId> notified_;
};

class World {
 public:
  TestServer& add(const std::string& name);
  TestServer& at(const ServerName& name) { return *servers_.at(name); }

  // Carries what servers distributed and others have not got yet, until nothing is left.
  void deliver();
  // The same for one direction, without what `lost` names.
  void deliver(TestServer& from, TestServer& to, const std::set<EventId>& lost = {});
  void cut(const ServerName& a, const ServerName& b);
  void mend();
  bool reachable(const ServerName& a, const ServerName& b);

  // Keys are known everywhere, but for these: they have to be fetched, or cannot be had.
  std::set<ServerName> keys_to_fetch;
  std::set<ServerName> keys_lost;
  // Questions for these get no answer.
  std::set<EventId> events_lost;
  // What servers say of their rooms to those who knock, if they lie.
  std::function<void(std::vector<Json>&)> twist_knock_state;
  std::map<std::string, int> requests;  // by the question's name
  void count(const std::string& question);
  int asked(const std::string& question);

 private:
  std::mutex mutex_;
  std::set<std::pair<ServerName, ServerName>> cuts_;
  std::map<std::pair<ServerName, ServerName>, std::size_t> cursors_;
  std::map<ServerName, std::unique_ptr<TestServer>> servers_;
};

}  // namespace skerry::test
