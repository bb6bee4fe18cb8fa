// Whose word about a server's keys counts, for what and for how long.
#include <atomic>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/federation/internet.h"

using namespace skerry;
using namespace skerry::federation;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t day_ms = 24 * hour_ms;

Json key_entry(const SigningKey& key) {
  const auto& bytes = key.public_key();
  return {{"key", base64_encode(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()))}};
}

SigningKey another_key(const std::string& id, char seed) {
  return SigningKey::from_seed(*KeyId::parse(id), std::string(32, seed));
}

// What GET /_matrix/key/v2/server answers, signed by `key`.
Json response_of(const ServerName& server, const SigningKey& key, std::int64_t valid_until_ms) {
  Json response = {{"server_name", server.str()},
                   {"verify_keys", {{key.id().str(), key_entry(key)}}},
                   {"old_verify_keys", Json::object()},
                   {"valid_until_ts", valid_until_ms}};
  (void)sign_json(response, server.str(), key);
  return response;
}

// Another server: answers for its own keys, and as a notary with what it is told to say.
class Peer {
 public:
  explicit Peer(Internet& internet)
      : clock_(internet.clock()),
        server_(internet.serve({"peer.net.test"},
                               [this](net::HttpRequest request, net::Responder responder) {
                                 take(std::move(request), std::move(responder));
                               })),
        name_(name_of(*server_)) {}

  const ServerName& name() const { return name_; }
  SigningKey key() const { return test::key_of(name_); }
  void set_own(Json response) {
    std::scoped_lock lock(mutex_);
    own_ = std::move(response);
  }
  // As a notary: adds its signature to what it is told to say.
  void say(std::vector<Json> responses, bool sign = true) {
    std::scoped_lock lock(mutex_);
    for (Json& response : responses) {
      if (sign) (void)sign_json(response, name_.str(), test::key_of(name_));
    }
    said_ = std::move(responses);
  }
  int asked() const { return asked_; }
  int asked_as_notary() const { return asked_as_notary_; }
  Held held;
  std::atomic<bool> holds = false;
  std::atomic<bool> away = false;  // no answer but a gateway's

 private:
  void take(net::HttpRequest request, net::Responder responder) {
    const bool as_notary = request.target == "/_matrix/key/v2/query";
    ++(as_notary ? asked_as_notary_ : asked_);
    if (away) return responder.respond({502, {}, ""});
    if (holds) return held.hold(std::move(responder));
    std::scoped_lock lock(mutex_);
    if (own_.is_null()) own_ = response_of(name_, test::key_of(name_), clock_.now_ms() + day_ms);
    responder.respond({200, {}, dump(as_notary ? Json{{"server_keys", said_}} : own_)});
  }

  FakeClock& clock_;
  std::mutex mutex_;
  Json own_;
  std::vector<Json> said_;
  std::atomic<int> asked_ = 0;
  std::atomic<int> asked_as_notary_ = 0;
  std::unique_ptr<net::HttpServer> server_;
  const ServerName name_;
};

struct Ring {
  Internet internet;
  Discovery discovery{internet.http(), internet.resolver(), internet.clock(), internet.discovery_options()};
  ServerName us = test::server("us.net.test");
  FederationClient client{
      internet.http(), discovery, internet.clock(), us, test::key_of(us), {milliseconds(1'000), milliseconds(8'000)}};
  Folder folder;
  std::unique_ptr<storage::Database> database = std::move(*storage::open_sqlite(folder.path, us));
  std::unique_ptr<KeyRing> keys = make({});
  // Never there.
  ServerName away = test::server("127.0.0.1:1");
  SigningKey away_key = test::key_of(away);

  ~Ring() { internet.stop(); }

  std::unique_ptr<KeyRing> make(const std::vector<ServerName>& trusted) {
    return std::make_unique<KeyRing>(client, database->federation(), internet.clock(), internet.pool(), us,
                                     test::key_of(us), trusted);
  }
  Waited<bool> begin_fetch(const ServerName& server, const KeyId& key, const std::vector<ServerName>& peers = {}) {
    Waited<bool> waited;
    keys->fetch({{server, key}}, peers, [give = waited.giver()] { give(true); });
    return waited;
  }
  void fetch(const ServerName& server, const KeyId& key, const std::vector<ServerName>& peers = {}) {
    REQUIRE(begin_fetch(server, key, peers).came());
  }
  bool for_requests(const ServerName& server, const SigningKey& key) const {
    const auto found = keys->find(server, key.id());
    return found && found->key == key.public_key();
  }
  bool for_events(const ServerName& server, const SigningKey& key) const {
    const auto found = keys->lookup()(server, key.id());
    return found && found->key == key.public_key();
  }
  std::int64_t now_ms() const { return internet.now_ms(); }
  std::optional<Json> as_notary(const ServerName& server, const std::vector<KeyId>& wanted = {},
                                std::int64_t until_ms = 0) {
    Waited<std::optional<Json>> waited;
    keys->notary_answer(server, wanted, until_ms, waited.giver());
    return waited.get();
  }
};

}  // namespace

TEST_CASE("however many wait for a server's keys it is asked once") {
  Ring ring;
  Peer peer(ring.internet);
  peer.holds = true;
  std::vector<Waited<bool>> all;
  for (int i = 0; i < 30; ++i) all.push_back(ring.begin_fetch(peer.name(), peer.key().id()));
  REQUIRE(peer.held.wait(1));
  peer.held.answer_all({200, {}, dump(response_of(peer.name(), peer.key(), ring.now_ms() + day_ms))});
  for (auto& one : all) CHECK(one.came());
  CHECK(peer.asked() == 1);
  CHECK(ring.for_requests(peer.name(), peer.key()));
}

TEST_CASE("keys are believed for seven days at most and not after the time that their server names") {
  Ring ring;
  Peer peer(ring.internet);
  peer.set_own(response_of(peer.name(), peer.key(), ring.now_ms() + 365 * day_ms));
  ring.fetch(peer.name(), peer.key().id());
  CHECK(ring.keys->find(peer.name(), peer.key().id())->valid_until_ms == ring.now_ms() + 7 * day_ms);
  Peer other(ring.internet);
  other.set_own(response_of(other.name(), other.key(), ring.now_ms() + hour_ms));
  ring.fetch(other.name(), other.key().id());
  CHECK(ring.keys->find(other.name(), other.key().id())->valid_until_ms == ring.now_ms() + hour_ms);
}

TEST_CASE("a server that answered without the key is left alone for a minute") {
  Ring ring;
  Peer peer(ring.internet);
  const KeyId wanted = *KeyId::parse("ed25519:new");
  for (int i = 0; i < 5; ++i) ring.fetch(peer.name(), wanted);
  CHECK(peer.asked() == 1);
  ring.internet.clock().advance(seconds(61));
  ring.fetch(peer.name(), wanted);
  CHECK(peer.asked() == 2);
}

TEST_CASE("a key that is new since a server was asked a moment ago is got at once") {
  Ring ring;
  Peer peer(ring.internet);
  ring.fetch(peer.name(), peer.key().id());
  const SigningKey rotated = another_key("ed25519:rotated", 'r');
  Json response = response_of(peer.name(), rotated, ring.now_ms() + day_ms);
  peer.set_own(response);
  ring.fetch(peer.name(), rotated.id());
  CHECK(peer.asked() == 2);
  CHECK(ring.for_requests(peer.name(), rotated));
  // Keys that nobody has do not make it ask on and on.
  for (int i = 0; i < 5; ++i) ring.fetch(peer.name(), *KeyId::parse("ed25519:nobodys" + std::to_string(i)));
  CHECK(peer.asked() == 3);
}

TEST_CASE("an old key signs events of its time and no requests") {
  Ring ring;
  Peer peer(ring.internet);
  const SigningKey old = another_key("ed25519:old", 'o');
  Json response = response_of(peer.name(), peer.key(), ring.now_ms() + day_ms);
  response["old_verify_keys"][old.id().str()] = key_entry(old);
  response["old_verify_keys"][old.id().str()]["expired_ts"] = ring.now_ms() + 5 * hour_ms;  // even if it says so
  (void)sign_json(response, peer.name().str(), peer.key());
  peer.set_own(response);
  ring.fetch(peer.name(), old.id());
  CHECK(ring.for_requests(peer.name(), peer.key()));
  CHECK_FALSE(ring.for_requests(peer.name(), old));
  CHECK(ring.for_events(peer.name(), old));
  CHECK(ring.keys->lookup()(peer.name(), old.id())->valid_until_ms == ring.now_ms() + 5 * hour_ms);
}

TEST_CASE("our own old key is published and signs events of its time and no requests") {
  Ring ring;
  const SigningKey before = another_key("ed25519:before", 'b');
  const std::int64_t expired_ms = ring.now_ms() - 1'000;
  REQUIRE(ring.database->federation().save_server_keys(
      ring.us,
      {{before.id(), before.public_key(), expired_ms, true}, {test::key_of(ring.us).id(), {}, expired_ms, true}}, {}));
  const Json published = ring.keys->own_keys();
  CHECK(published.at("verify_keys").size() == 1);
  REQUIRE(published.at("old_verify_keys").size() == 1);  // and not that which is in use again
  CHECK(published["old_verify_keys"].at(before.id().str()).at("expired_ts") == expired_ms);
  CHECK(ring.for_events(ring.us, before));
  CHECK(ring.keys->lookup()(ring.us, before.id())->valid_until_ms == expired_ms);
  CHECK_FALSE(ring.for_requests(ring.us, before));
  CHECK(ring.for_requests(ring.us, test::key_of(ring.us)));
}

TEST_CASE("what a response says of keys it does not prove is not believed") {
  const SigningKey thief = another_key("ed25519:t", 't');
  const auto refuses = [&](const std::function<void(Json&, const Peer&)>& spoil, bool sign_again = true) {
    Ring ring;  // a port, and so a name, may come again: nothing is known of it from before
    Peer peer(ring.internet);
    Json response = response_of(peer.name(), peer.key(), ring.now_ms() + day_ms);
    spoil(response, peer);
    if (sign_again) (void)sign_json(response, peer.name().str(), peer.key());
    peer.set_own(response);
    ring.fetch(peer.name(), peer.key().id());
    return !ring.for_events(peer.name(), peer.key()) && !ring.for_events(peer.name(), thief);
  };
  CHECK_FALSE(refuses([](Json&, const Peer&) {}));
  CHECK(refuses([](Json& response, const Peer&) { response.erase("valid_until_ts"); }));
  CHECK(refuses([](Json& response, const Peer&) { response["valid_until_ts"] = "soon"; }));
  CHECK(refuses([](Json& response, const Peer&) { response["valid_until_ts"] = 1.5; }));
  CHECK(refuses([](Json& response, const Peer&) { response.erase("server_name"); }));
  CHECK(refuses([](Json& response, const Peer&) { response["verify_keys"] = Json::array(); }));
  CHECK(refuses([&](Json& response, const Peer&) { response["verify_keys"]["ed25519:t"] = key_entry(thief); }, false));
  CHECK(refuses([&](Json& response, const Peer& peer) {
    // Listed as old, it proves nothing.
    response["old_verify_keys"] = std::move(response["verify_keys"]);
    response["verify_keys"] = {{"ed25519:t", key_entry(thief)}};
    response["old_verify_keys"][peer.key().id().str()]["expired_ts"] = 5;
  }));
  CHECK(refuses(
      [](Json& response, const Peer& peer) { response["verify_keys"][peer.key().id().str()]["key"] = "AAAA"; }));
}

TEST_CASE("a trusted notary speaks for a server that cannot be asked") {
  Ring ring;
  Peer notary(ring.internet);
  ring.keys = ring.make({notary.name()});
  const Json response = response_of(ring.away, ring.away_key, ring.now_ms() + day_ms);
  SECTION("when it signed what it says") {
    notary.say({response});
    ring.fetch(ring.away, ring.away_key.id());
    CHECK(ring.for_requests(ring.away, ring.away_key));
    CHECK(ring.make({})->find(ring.away, ring.away_key.id()).has_value());  // also after a restart
    CHECK(notary.asked() == 1);                                             // its own key was fetched for that
  }
  SECTION("not when it did not sign") {
    notary.say({response}, false);
    ring.fetch(ring.away, ring.away_key.id());
    CHECK_FALSE(ring.for_events(ring.away, ring.away_key));
  }
  SECTION("not when the server itself did not") {
    Json forged = response;
    forged["signatures"] = Json::object();
    notary.say({forged});
    ring.fetch(ring.away, ring.away_key.id());
    CHECK_FALSE(ring.for_events(ring.away, ring.away_key));
  }
  SECTION("and not for servers that nobody asked about") {
    const ServerName other = test::server("other.net.test");
    notary.say({response_of(other, test::key_of(other), ring.now_ms() + day_ms), response});
    ring.fetch(ring.away, ring.away_key.id());
    CHECK(ring.for_requests(ring.away, ring.away_key));
    CHECK_FALSE(ring.for_events(other, test::key_of(other)));
  }
  SECTION("and is not asked when the server itself answers") {
    Peer peer(ring.internet);
    ring.fetch(peer.name(), peer.key().id());
    CHECK(notary.asked_as_notary() == 0);
  }
}

TEST_CASE("a peer's word is for events only and goes when the server itself is heard") {
  Ring ring;
  Peer peer(ring.internet), subject(ring.internet);
  const SigningKey made_up = another_key("ed25519:made_up", 'm');
  subject.away = true;
  peer.say({response_of(subject.name(), made_up, ring.now_ms() + day_ms)});
  ring.fetch(subject.name(), made_up.id(), {peer.name()});
  CHECK(ring.for_events(subject.name(), made_up));
  CHECK_FALSE(ring.for_requests(subject.name(), made_up));
  CHECK_FALSE(ring.make({})->lookup()(subject.name(), made_up.id()).has_value());  // nothing of it is on disk
  CHECK_FALSE(ring.as_notary(subject.name()).has_value());                         // nor told to others
  subject.away = false;
  ring.internet.clock().advance(seconds(10));
  ring.fetch(subject.name(), subject.key().id());
  CHECK(ring.for_requests(subject.name(), subject.key()));
  CHECK_FALSE(ring.for_events(subject.name(), made_up));
}

TEST_CASE("a peer cannot give a known server another key but can tell that its key is still in use") {
  Ring ring;
  Peer peer(ring.internet), subject(ring.internet);
  const SigningKey made_up = another_key("ed25519:made_up", 'm');
  const SigningKey swapped = another_key(subject.key().id().str(), 's');
  ring.fetch(subject.name(), subject.key().id());
  subject.away = true;
  ring.internet.clock().advance(hours(48));  // its answer's validity is over
  for (const SigningKey& key : {made_up, swapped}) {
    peer.set_own(response_of(peer.name(), peer.key(), ring.now_ms() + day_ms));
    peer.say({response_of(subject.name(), key, ring.now_ms() + day_ms)});
    ring.fetch(subject.name(), key.id(), {peer.name()});
    CHECK_FALSE(ring.for_events(subject.name(), key));
  }
  CHECK(peer.asked_as_notary() == 2);
  CHECK(ring.keys->lookup()(subject.name(), subject.key().id())->valid_until_ms < ring.now_ms());
  peer.say({response_of(subject.name(), subject.key(), ring.now_ms() + day_ms)});
  ring.internet.clock().advance(seconds(20));
  ring.fetch(subject.name(), subject.key().id(), {peer.name()});
  CHECK(ring.keys->lookup()(subject.name(), subject.key().id())->valid_until_ms > ring.now_ms());
  CHECK(ring.keys->find(subject.name(), subject.key().id())->valid_until_ms < ring.now_ms());
}

TEST_CASE("as a notary this server signs what others answered and asks them when it must") {
  Ring ring;
  Peer peer(ring.internet);
  const auto answer = ring.as_notary(peer.name());
  REQUIRE(answer);
  CHECK(verify_json(*answer, peer.name().str(), peer.key().id(), peer.key().public_key()));
  CHECK(verify_json(*answer, "us.net.test", test::key_of(ring.us).id(), test::key_of(ring.us).public_key()));
  CHECK((*answer)["valid_until_ts"] == ring.now_ms() + day_ms);
  CHECK(peer.asked() == 1);
  ring.internet.clock().advance(seconds(61));
  CHECK(ring.as_notary(peer.name(), {peer.key().id()}).has_value());
  CHECK(peer.asked() == 1);  // still good
  CHECK(ring.as_notary(peer.name(), {*KeyId::parse("ed25519:new")}).has_value());
  CHECK(peer.asked() == 2);  // that key may be newer than the stored answer
  ring.internet.clock().advance(seconds(61));
  CHECK(ring.as_notary(peer.name(), {}, ring.now_ms() + 2 * day_ms).has_value());
  CHECK(peer.asked() == 3);  // it ends too soon
  peer.away = true;
  ring.internet.clock().advance(hours(48));
  CHECK(ring.as_notary(peer.name()).has_value());  // better than nothing, for the signatures of old events
  CHECK(peer.asked() == 4);
  CHECK_FALSE(ring.as_notary(ring.away).has_value());
}
