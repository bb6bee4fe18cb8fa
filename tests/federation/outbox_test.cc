#include "federation/outbox.h"

#include <atomic>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/federation/peers.h"

using namespace skerry;
using namespace skerry::federation;

namespace {

// Another server that keeps what it acknowledged, and fails as often as told.
class Peer {
 public:
  explicit Peer(net::Loopback& loopback)
      : server_(loopback.serve(true, [this](net::HttpRequest request, net::Responder responder) {
          take(std::move(request), std::move(responder));
        })) {}

  ServerName name() const { return name_of(*server_); }
  void fail_next(int times) { failures_ = times; }
  bool wait_for_edus(std::size_t count, std::chrono::milliseconds time = std::chrono::seconds(10)) {
    return changed_.wait([&] { return edus_.size() >= count; }, time);
  }
  std::vector<int> edus() {
    std::vector<int> copy;
    changed_.change([&] { copy = edus_; });
    return copy;
  }
  std::vector<std::string> ids() {
    std::vector<std::string> copy;
    changed_.change([&] { copy = ids_; });
    return copy;
  }

 private:
  void take(net::HttpRequest request, net::Responder responder) {
    changed_.change([&] { ids_.push_back(request.target.substr(request.target.rfind('/') + 1)); });
    if (failures_ > 0) {
      --failures_;
      return responder.respond({500, {}, "{}"});
    }
    const Json body = Json::parse(request.body);
    changed_.change([&] {
      for (const Json& edu : body["edus"]) edus_.push_back(edu["content"]["n"].get<int>());
    });
    responder.respond({200, {}, R"({"pdus":{}})"});
  }

  std::atomic<int> failures_ = 0;
  Condition changed_;
  std::vector<int> edus_;
  std::vector<std::string> ids_;
  std::unique_ptr<net::HttpServer> server_;
};

Json edu(int n) { return {{"edu_type", "test"}, {"content", {{"n", n}}}}; }

struct Sending {
  Federation federation;
  Folder folder;
  std::unique_ptr<storage::Database> database = std::move(*storage::open_sqlite(folder.path, federation.us));
  std::unique_ptr<Outbox> outbox = make();

  std::unique_ptr<Outbox> make(BackoffOptions backoff = {std::chrono::milliseconds(5), std::chrono::milliseconds(20)}) {
    return std::make_unique<Outbox>(federation.client, database->federation(), federation.loopback.io(),
                                    federation.pool, net::system_clock(), federation.us, backoff);
  }
  ~Sending() {
    outbox->stop();
    federation.stop();
  }
};

}  // namespace

TEST_CASE("what is owed arrives in order and once") {
  Sending sending;
  Peer peer(sending.federation.loopback);
  std::vector<int> expected;
  for (int n = 0; n < 300; ++n) {
    REQUIRE(sending.outbox->queue_edu({peer.name()}, edu(n)));
    expected.push_back(n);
  }
  REQUIRE(peer.wait_for_edus(300));
  CHECK(peer.edus() == expected);
}

TEST_CASE("a transaction that failed is sent again as the same one until it is acknowledged") {
  Sending sending;
  Peer peer(sending.federation.loopback);
  peer.fail_next(3);
  REQUIRE(sending.outbox->queue_edu({peer.name()}, edu(1)));
  REQUIRE(peer.wait_for_edus(1));
  const auto ids = peer.ids();
  REQUIRE(ids.size() >= 4);
  CHECK(ids[0] == ids[1]);
  CHECK(ids[0] == ids[3]);
}

TEST_CASE("what was owed when the program ended is sent when it starts again") {
  Sending sending;
  Peer peer(sending.federation.loopback);
  sending.outbox->stop();
  REQUIRE(sending.outbox->queue_edu({peer.name()}, edu(7)));
  sending.outbox = sending.make();
  sending.outbox->start();
  REQUIRE(peer.wait_for_edus(1));
  CHECK(peer.edus() == std::vector<int>{7});
}

TEST_CASE("a sign of life ends the rest of a destination") {
  Sending sending;
  Peer peer(sending.federation.loopback);
  sending.outbox = sending.make({std::chrono::minutes(10), std::chrono::minutes(10)});
  peer.fail_next(1);
  REQUIRE(sending.outbox->queue_edu({peer.name()}, edu(1)));
  // The rest begins at some moment after the failed answer: signs of life keep coming until one falls into it.
  bool arrived = false;
  for (int i = 0; i < 2'000 && !arrived; ++i) {
    sending.outbox->saw_alive(peer.name());
    arrived = peer.wait_for_edus(1, std::chrono::milliseconds(5));
  }
  CHECK(arrived);
}

TEST_CASE("a destination that is away delays nobody else") {
  Sending sending;
  Peer good(sending.federation.loopback);
  std::vector<ServerName> servers;
  for (int port = 1; port <= 200; ++port) servers.push_back(test::server("127.0.0.1:" + std::to_string(port)));
  servers.push_back(good.name());
  REQUIRE(sending.outbox->queue_edu(servers, edu(1)));
  REQUIRE(good.wait_for_edus(1));
}

TEST_CASE("what passes is replaced by what is newer and may say the same twice") {
  Sending sending;
  Peer peer(sending.federation.loopback);
  sending.outbox->send_ephemeral_edu({peer.name()}, "typing", edu(1));
  REQUIRE(peer.wait_for_edus(1));
  sending.outbox->send_ephemeral_edu({peer.name()}, "typing", edu(1));
  REQUIRE(peer.wait_for_edus(2));
  CHECK(peer.ids()[0] != peer.ids()[1]);
}
