// When and what the outbox sends: on a store in memory, with time that the test moves.
#include <atomic>
#include <filesystem>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "federation/outbox.h"
#include "tests/federation/internet.h"

using namespace skerry;
using namespace skerry::federation;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// What is owed to each server, and how far it was acknowledged.
class MemoryStore : public storage::FederationStore {
 public:
  void owe(const ServerName& server, int first, int last) {
    std::scoped_lock lock(mutex_);
    for (int n = first; n <= last; ++n) {
      owed_[server].push_back({n, test::event_id("$event" + std::to_string(n)), RoomId(),
                               R"({"content":{"n":)" + std::to_string(n) + R"(},"type":"m.test"})"});
    }
  }
  std::atomic<bool> fails_to_save = false;
  storage::Destination stored(const ServerName& server) {
    std::scoped_lock lock(mutex_);
    return destinations_[server];
  }

  Result<storage::Destination> destination(const ServerName& server) override { return stored(server); }
  Result<std::vector<ServerName>> servers_owed() override {
    std::scoped_lock lock(mutex_);
    std::vector<ServerName> servers;
    for (const auto& [server, events] : owed_) {
      if (events.back().position > destinations_[server].sent_up_to) servers.push_back(server);
    }
    return servers;
  }
  Result<std::vector<Owed>> owed_events(const ServerName& server, storage::StreamPosition after,
                                        std::size_t limit) override {
    std::scoped_lock lock(mutex_);
    std::vector<Owed> list;
    for (const Owed& event : owed_[server]) {
      if (event.position > after && list.size() < limit) list.push_back(event);
    }
    return list;
  }
  void save_cursor(const ServerName& server, storage::StreamPosition sent_up_to, storage::Saved done) override {
    if (fails_to_save) return done(fail(ErrorCode::storage, "the disk is full"));
    {
      std::scoped_lock lock(mutex_);
      destinations_[server] = {server, sent_up_to, 0, 0};
    }
    done({});
  }
  Result<void> save_retry(const ServerName& server, std::int64_t retry_at_ms, std::int64_t backoff_ms) override {
    saved_.change([&] {
      std::scoped_lock lock(mutex_);
      destinations_[server].retry_at_ms = retry_at_ms;
      destinations_[server].backoff_ms = backoff_ms;
    });
    return {};
  }
  bool wait_for_backoff(const ServerName& server, std::int64_t backoff_ms) {
    return saved_.wait([&] { return stored(server).backoff_ms == backoff_ms; });
  }
  Result<void> add_edus(const std::vector<ServerName>& servers, const std::string& edu_json) override {
    std::scoped_lock lock(mutex_);
    for (const auto& server : servers) edus_[server].push_back({++last_edu_, edu_json});
    return {};
  }
  Result<std::vector<storage::OutboxEdu>> edus(const ServerName& server, std::size_t limit) override {
    std::scoped_lock lock(mutex_);
    auto list = edus_[server];
    if (list.size() > limit) list.resize(limit);
    return list;
  }
  Result<void> remove_edus(const ServerName& server, std::int64_t up_to_id) override {
    std::scoped_lock lock(mutex_);
    std::erase_if(edus_[server], [&](const auto& edu) { return edu.id <= up_to_id; });
    return {};
  }

  Result<void> save_server_keys(const ServerName&, const std::vector<storage::StoredServerKey>&,
                                const std::string&) override {
    return {};
  }
  Result<std::vector<storage::StoredServerKey>> server_keys(const ServerName&) override {
    return std::vector<storage::StoredServerKey>();
  }
  Result<std::optional<std::string>> server_keys_response(const ServerName&) override {
    return std::optional<std::string>();
  }
  Result<std::optional<std::string>> transaction_response(const ServerName&, const std::string&) override {
    return std::optional<std::string>();
  }
  void save_transaction_response(const ServerName&, const std::string&, const std::string&,
                                 storage::Saved done) override {
    done({});
  }

 private:
  std::mutex mutex_;
  Condition saved_;
  std::map<ServerName, std::vector<Owed>> owed_;
  std::map<ServerName, std::vector<storage::OutboxEdu>> edus_;
  std::map<ServerName, storage::Destination> destinations_;
  std::int64_t last_edu_ = 0;
};

struct Received {
  std::string id;
  std::vector<int> events;
  std::vector<int> edus;
};

// All names under net.test, at one listener: what came for each.
class Receiver {
 public:
  explicit Receiver(Internet& internet) {
    server_ = internet.serve({"*.net.test"}, [this](net::HttpRequest request, net::Responder responder) {
      take(std::move(request), std::move(responder));
    });
  }
  ServerName name(const std::string& label) const {
    return test::server(label + ".net.test:" + std::to_string(server_->port(0)));
  }
  std::atomic<int> status = 200;
  std::atomic<bool> holds = false;
  Held held;

  bool wait(const ServerName& server, std::size_t transactions) {
    return changed_.wait([&] { return received_[server.str()].size() >= transactions; });
  }
  std::vector<Received> received(const ServerName& server) {
    std::vector<Received> copy;
    changed_.change([&] { copy = received_[server.str()]; });
    return copy;
  }
  std::size_t at_once(const ServerName& server) {
    std::size_t most = 0;
    changed_.change([&] { most = most_at_once_[server.str()]; });
    return most;
  }

 private:
  void take(net::HttpRequest request, net::Responder responder) {
    const std::string name = net::find_header(request.headers, "Host").value_or("");
    const Json body = Json::parse(request.body);
    Received transaction{request.target.substr(request.target.rfind('/') + 1), {}, {}};
    for (const Json& pdu : body["pdus"]) transaction.events.push_back(pdu["content"]["n"].get<int>());
    for (const Json& edu : body["edus"]) transaction.edus.push_back(edu["content"]["n"].get<int>());
    changed_.change([&] {
      most_at_once_[name] = std::max(most_at_once_[name], ++under_way_[name]);
      received_[name].push_back(std::move(transaction));
    });
    if (holds) return held.hold(std::move(responder));
    changed_.change([&] { --under_way_[name]; });
    responder.respond({status, {}, R"({"pdus":{"$event2":{"error":"no"}}})"});
  }

  Condition changed_;
  std::map<std::string, std::vector<Received>> received_;
  std::map<std::string, std::size_t> under_way_, most_at_once_;
  std::unique_ptr<net::HttpServer> server_;
};

struct Sending {
  Internet internet;
  FakeScheduler scheduler;
  MemoryStore store;
  Receiver receiver{internet};
  Discovery discovery{internet.http(), internet.resolver(), internet.clock(), internet.discovery_options()};
  ServerName us = test::server("us.net.test");
  const BackoffOptions backoff{milliseconds(1'000), milliseconds(8'000)};
  FederationClient client{internet.http(), discovery, internet.clock(), us, test::key_of(us), backoff};
  std::unique_ptr<Outbox> outbox = make();

  ~Sending() {
    outbox->stop();
    internet.stop();
  }
  std::unique_ptr<Outbox> make() {
    return std::make_unique<Outbox>(client, store, scheduler, internet.pool(), internet.clock(), us, backoff);
  }
  // The process ends and another starts.
  void restart() {
    outbox->stop();
    outbox = make();
    outbox->start();
  }
  void advance(milliseconds time) {
    internet.clock().advance(time);
    scheduler.advance(time);
  }
  // Milliseconds until the next try; waits until there is one.
  std::int64_t rests() {
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    while (std::chrono::steady_clock::now() < until) {
      if (const auto next = scheduler.next_in()) return *next;
      std::this_thread::yield();
    }
    return -1;
  }
  bool goes_idle(const ServerName& server, std::int64_t cursor) {
    const auto until = std::chrono::steady_clock::now() + seconds(10);
    while (std::chrono::steady_clock::now() < until) {
      if (store.stored(server).sent_up_to == cursor) return true;
      std::this_thread::yield();
    }
    return false;
  }
};

std::vector<int> numbers(int first, int last) {
  std::vector<int> list;
  for (int n = first; n <= last; ++n) list.push_back(n);
  return list;
}

Json edu(int n) { return {{"edu_type", "m.test"}, {"content", {{"n", n}}}}; }

std::ptrdiff_t threads_of_this_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

}  // namespace

TEST_CASE("events go in order fifty at a time and one transaction at a time") {
  Sending sending;
  const ServerName server = sending.receiver.name("a");
  sending.store.owe(server, 1, 120);
  for (int i = 0; i < 10; ++i) sending.outbox->wake({server});
  REQUIRE(sending.receiver.wait(server, 3));
  REQUIRE(sending.goes_idle(server, 120));
  const auto received = sending.receiver.received(server);
  REQUIRE(received.size() == 3);
  CHECK(received[0].events == numbers(1, 50));
  CHECK(received[1].events == numbers(51, 100));
  CHECK(received[2].events == numbers(101, 120));
  CHECK(sending.receiver.at_once(server) == 1);
}

TEST_CASE("an acknowledgement that is not kept is lost with the program and not before") {
  Sending sending;
  const ServerName server = sending.receiver.name("a");
  sending.store.owe(server, 1, 3);
  sending.store.fails_to_save = true;
  sending.outbox->wake({server});
  REQUIRE(sending.receiver.wait(server, 1));
  sending.restart();
  REQUIRE(sending.receiver.wait(server, 2));
  sending.store.owe(server, 4, 5);
  sending.outbox->wake({server});
  REQUIRE(sending.receiver.wait(server, 3));
  sending.store.fails_to_save = false;
  sending.store.owe(server, 6, 6);
  sending.outbox->wake({server});
  REQUIRE(sending.receiver.wait(server, 4));
  REQUIRE(sending.goes_idle(server, 6));
  const auto received = sending.receiver.received(server);
  CHECK(received[0].id == received[1].id);
  CHECK(received[1].events == numbers(1, 3));
  CHECK(received[2].events == numbers(4, 5));
  CHECK(received[3].events == numbers(6, 6));
}

TEST_CASE("a retry goes as far as the first try and the rest comes after it") {
  Sending sending;
  const ServerName server = sending.receiver.name("a");
  sending.store.owe(server, 1, 2);
  sending.receiver.status = 500;
  sending.outbox->wake({server});
  REQUIRE(sending.rests() >= 0);
  sending.store.owe(server, 3, 4);
  sending.outbox->wake({server});  // does not end the rest
  REQUIRE(sending.receiver.received(server).size() == 1);
  sending.receiver.status = 200;
  sending.advance(seconds(1));
  REQUIRE(sending.receiver.wait(server, 3));
  const auto received = sending.receiver.received(server);
  CHECK(received[1].id == received[0].id);
  CHECK(received[1].events == numbers(1, 2));
  CHECK(received[2].events == numbers(3, 4));
}

TEST_CASE("the rest after failures doubles up to its bound and begins anew after a success") {
  Sending sending;
  const ServerName server = sending.receiver.name("a");
  sending.store.owe(server, 1, 1);
  sending.receiver.status = 503;
  sending.outbox->wake({server});
  std::size_t tries = 0;
  for (const int expected : {1'000, 2'000, 4'000, 8'000, 8'000}) {
    REQUIRE(sending.receiver.wait(server, ++tries));
    const auto rest = sending.rests();
    CHECK(rest <= expected);
    CHECK(rest > expected * 3 / 4 - 1);  // up to a quarter earlier, so that not all come back at once
    CHECK(sending.store.wait_for_backoff(server, expected));
    sending.advance(milliseconds(rest - 1));
    CHECK(sending.receiver.received(server).size() == tries);
    if (tries == 5) sending.receiver.status = 200;
    sending.advance(milliseconds(1));
  }
  REQUIRE(sending.goes_idle(server, 1));
  sending.receiver.status = 503;
  sending.store.owe(server, 2, 2);
  sending.outbox->wake({server});
  CHECK(sending.store.wait_for_backoff(server, 1'000));
}

TEST_CASE("a rest goes on after a restart and a sign of life ends it") {
  Sending sending;
  const ServerName server = sending.receiver.name("a");
  sending.store.owe(server, 1, 1);
  sending.receiver.status = 503;
  sending.outbox->wake({server});
  REQUIRE(sending.store.wait_for_backoff(server, 1'000));
  sending.restart();
  REQUIRE(sending.rests() > 0);
  CHECK(sending.receiver.received(server).size() == 1);
  sending.receiver.status = 200;
  sending.outbox->saw_alive(server);
  REQUIRE(sending.goes_idle(server, 1));
  CHECK(sending.receiver.received(server).size() == 2);
}

TEST_CASE("two hundred destinations are served at once by no more threads") {
  Sending sending;
  std::vector<ServerName> servers;
  for (int i = 0; i < 200; ++i) {
    servers.push_back(sending.receiver.name("s" + std::to_string(i)));
    sending.store.owe(servers.back(), 1, 60);
  }
  sending.receiver.holds = true;
  sending.outbox->wake(servers);
  REQUIRE(sending.receiver.held.wait(200));  // each has its own under way
  CHECK(threads_of_this_process() < 20);
  sending.receiver.holds = false;
  sending.receiver.held.answer_all({200, {}, R"({"pdus":{}})"});
  for (const auto& server : servers) {
    REQUIRE(sending.goes_idle(server, 60));
    const auto received = sending.receiver.received(server);
    REQUIRE(received.size() == 2);
    CHECK(received[1].events == numbers(51, 60));
  }
}

TEST_CASE("what passes is not kept for a server that is away") {
  Sending sending;
  const ServerName server = sending.receiver.name("a");
  sending.receiver.status = 503;
  REQUIRE(sending.outbox->queue_edu({server}, edu(1)));
  REQUIRE(sending.rests() >= 0);
  sending.outbox->send_ephemeral_edu({server}, "typing", edu(2));
  sending.receiver.status = 200;
  sending.advance(seconds(1));
  REQUIRE(sending.receiver.wait(server, 2));
  sending.outbox->send_ephemeral_edu({server}, "typing", edu(3));
  REQUIRE(sending.receiver.wait(server, 3));
  const auto received = sending.receiver.received(server);
  CHECK(received[0].id == received[1].id);
  CHECK(received[1].edus == std::vector<int>{1});
  CHECK(received[2].edus == std::vector<int>{3});
}

TEST_CASE("a hundred EDUs go in one transaction and the newest of each passing kind with them") {
  Sending sending;
  const ServerName server = sending.receiver.name("a");
  sending.receiver.holds = true;
  REQUIRE(sending.outbox->queue_edu({server}, edu(0)));
  REQUIRE(sending.receiver.held.wait(1));
  for (int n = 1; n <= 150; ++n) REQUIRE(sending.outbox->queue_edu({server}, edu(n)));
  for (int n = 1'000; n < 1'010; ++n) sending.outbox->send_ephemeral_edu({server}, "typing", edu(n));
  sending.receiver.holds = false;
  sending.receiver.held.answer_all({200, {}, R"({"pdus":{}})"});
  REQUIRE(sending.receiver.wait(server, 3));
  const auto received = sending.receiver.received(server);
  auto expected = numbers(1, 99);
  expected.push_back(1'009);
  CHECK(received[1].edus == expected);
  CHECK(received[2].edus == numbers(100, 150));
}
