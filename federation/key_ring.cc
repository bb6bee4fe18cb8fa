#include "federation/key_ring.h"

#include <algorithm>
#include <list>
#include <map>
#include <mutex>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "core/crypto.h"
#include "federation/server_keys.h"
#include "net/http.h"
#include "net/log.h"

namespace skerry::federation {

namespace {

constexpr std::int64_t validity_ms = 24 * 3'600'000;
constexpr std::int64_t ask_again_ms = 60'000;  // after an answer that did not hold the key asked for
constexpr std::size_t most_servers = 10'000;
constexpr std::size_t keys_bytes = 256 * 1'024;
constexpr std::size_t most_fetches = 1'000;       // under way at once
constexpr std::size_t most_notary_fetches = 100;  // the same, as far as somebody else's question may start new ones
constexpr std::chrono::seconds fetch_time{10};

using Keys = std::vector<storage::StoredServerKey>;

// Empty when the answer does not prove itself.
Keys read_keys(const Json& answer, const ServerName& server, std::int64_t now_ms) {
  auto read = parse_server_keys(answer, server, now_ms);
  return read ? std::move(read->keys) : Keys();
}

}  // namespace

struct KeyRing::Impl : std::enable_shared_from_this<Impl> {
  Impl(FederationClient& federation_client, storage::FederationStore& federation_store, net::Clock& time,
       net::WorkerPool& workers, ServerName name, SigningKey key, std::vector<ServerName> trusted_notaries)
      : client(federation_client),
        store(federation_store),
        clock(time),
        pool(workers),
        us(std::move(name)),
        our_key(std::move(key)),
        trusted(std::move(trusted_notaries)) {}

  using Wanted = std::vector<std::pair<ServerName, KeyId>>;
  struct Fetch {
    std::vector<std::function<void()>> waiting;
  };

  FederationClient& client;
  storage::FederationStore& store;
  net::Clock& clock;
  net::WorkerPool& pool;  // for what waits for the store
  const ServerName us;
  const SigningKey our_key;
  const std::vector<ServerName> trusted;
  mutable std::mutex mutex;
  mutable std::unordered_map<ServerName, Keys> cache;
  std::unordered_map<ServerName, Keys> vouched;  // by peers, until the server itself or a trusted notary is heard
  std::map<ServerName, Fetch> fetches;
  std::unordered_map<ServerName, std::int64_t> answered_at_ms;
  std::unordered_map<ServerName, std::int64_t> asked_in_vain_at_ms;

  static const storage::StoredServerKey* key_in(const Keys& keys, const KeyId& id) {
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.key_id == id; });
    return found == keys.end() ? nullptr : &*found;
  }

  std::optional<KnownKey> find(const ServerName& server, const KeyId& id) const {
    if (server == us && id == our_key.id()) return own_key();
    const Keys keys = keys_of(server);
    const auto* key = key_in(keys, id);
    if (key == nullptr || key->old) return std::nullopt;
    return KnownKey{key->key, key->valid_until_ms};
  }

  std::optional<KnownKey> find_for_event(const ServerName& server, const KeyId& id) const {
    if (server == us && id == our_key.id()) return own_key();
    const Keys known = keys_of(server);
    const Keys heard = vouched_of(server);
    const auto* key = key_in(known, id);
    const auto* word = key_in(heard, id);
    if (key == nullptr && word == nullptr) return std::nullopt;
    if (key == nullptr) return KnownKey{word->key, word->valid_until_ms};
    const bool longer = word != nullptr && !key->old && word->valid_until_ms > key->valid_until_ms;
    return KnownKey{key->key, longer ? word->valid_until_ms : key->valid_until_ms};
  }

  KnownKey own_key() const { return {our_key.public_key(), clock.now_ms() + validity_ms}; }

  Keys vouched_of(const ServerName& server) const {
    std::scoped_lock lock(mutex);
    const auto found = vouched.find(server);
    return found == vouched.end() ? Keys{} : found->second;
  }

  Keys keys_of(const ServerName& server) const {
    {
      std::scoped_lock lock(mutex);
      if (const auto found = cache.find(server); found != cache.end()) return found->second;
    }
    auto stored = store.server_keys(server);
    if (!stored || stored->empty()) return {};
    remember(server, *stored);
    return *stored;
  }

  void remember(const ServerName& server, const Keys& keys) const {
    std::scoped_lock lock(mutex);
    if (cache.size() >= most_servers) cache.clear();
    cache[server] = keys;
  }

  // -- fetching
  enum class Known { no, expired, valid };
  Known known(const ServerName& server, const KeyId& id) const {
    const Keys keys = keys_of(server);
    const auto* key = key_in(keys, id);
    if (key == nullptr) return Known::no;
    return is_current(*key) ? Known::valid : Known::expired;
  }

  struct Round {
    Wanted wanted;
    std::vector<Known> before;         // of each that is wanted
    std::vector<ServerName> asked;     // the origins
    std::vector<ServerName> notaries;  // trusted ones first
    std::function<void()> done;
    std::size_t open = 0;  // guarded by `mutex`
    std::mutex mutex;
  };

  void fetch(Wanted wanted, const std::vector<ServerName>& peers, std::function<void()> done) {
    auto round = std::make_shared<Round>();
    round->wanted = std::move(wanted);
    round->notaries = trusted;
    round->notaries.insert(round->notaries.end(), peers.begin(), peers.end());
    round->done = std::move(done);
    std::vector<ServerName> servers;
    for (const auto& [server, key] : round->wanted) {
      round->before.push_back(known(server, key));
      if (server != us && std::find(servers.begin(), servers.end(), server) == servers.end()) servers.push_back(server);
    }
    std::erase_if(servers, [&](const ServerName& server) { return within_a_minute(asked_in_vain_at_ms, server); });
    round->asked = servers;
    round->open = servers.size() + 1;
    const auto one_ended = [self = shared_from_this(), round] {
      {
        std::scoped_lock lock(round->mutex);
        if (--round->open > 0) return;
      }
      self->note_what_was_in_vain(*round);
      self->ask_notaries(round, 0);
    };
    for (const ServerName& server : servers) fetch_from_origin(server, one_ended);
    one_ended();
  }

  // A server that answered and brought nothing new of what was wanted. One that did may have another new key at once.
  void note_what_was_in_vain(const Round& round) {
    for (std::size_t i = 0; i < round.wanted.size(); ++i) {
      const auto& [server, key] = round.wanted[i];
      const bool asked = std::find(round.asked.begin(), round.asked.end(), server) != round.asked.end();
      if (asked && asked_lately(server) && known(server, key) <= round.before[i])
        note_time(asked_in_vain_at_ms, server);
    }
  }

  using Times = std::unordered_map<ServerName, std::int64_t>;

  bool within_a_minute(const Times& times, const ServerName& server) const {
    std::scoped_lock lock(mutex);
    const auto found = times.find(server);
    return found != times.end() && found->second + ask_again_ms > clock.now_ms();
  }

  void note_time(Times& times, const ServerName& server) {
    std::scoped_lock lock(mutex);
    if (times.size() >= most_servers) times.clear();
    times[server] = clock.now_ms();
  }

  bool asked_lately(const ServerName& server) const { return within_a_minute(answered_at_ms, server); }

  void fetch_from_origin(const ServerName& server, std::function<void()> ended, std::size_t most = most_fetches) {
    switch (join_fetch(server, ended, most)) {
      case Joined::first:
        break;
      case Joined::waits:
        return;
      case Joined::refused:
        return ended();
    }
    FederationRequest request;
    request.destination = server;
    request.target = "/_matrix/key/v2/server";
    request.timeout = fetch_time;
    request.max_response_bytes = keys_bytes;
    request.sign = false;
    client.send(std::move(request), [self = shared_from_this(), server](Result<Json> answer, const RemoteFailure&) {
      auto shared = std::make_shared<Result<Json>>(std::move(answer));
      const bool queued = self->pool.post([self, server, shared] {
        if (*shared) {
          // In this order: who finds that the server was asked lately must find what it answered.
          self->take_in(server, **shared);
          self->note_time(self->answered_at_ms, server);
        } else {
          log::debug("keys", "no keys from " + server.str() + ": " + shared->error().text);
        }
        self->end_fetch(server);
      });
      if (!queued) self->end_fetch(server);
    });
  }

  enum class Joined { first, waits, refused };

  Joined join_fetch(const ServerName& server, const std::function<void()>& ended, std::size_t most) {
    std::scoped_lock lock(mutex);
    if (!fetches.contains(server) && fetches.size() >= most) return Joined::refused;
    auto& fetch = fetches[server];
    fetch.waiting.push_back(ended);
    return fetch.waiting.size() == 1 ? Joined::first : Joined::waits;
  }

  void end_fetch(const ServerName& server) {
    std::vector<std::function<void()>> waiting;
    {
      std::scoped_lock lock(mutex);
      auto fetch = fetches.extract(server);
      if (!fetch.empty()) waiting = std::move(fetch.mapped().waiting);
    }
    for (const auto& ended : waiting) ended();
  }

  // From the server itself or a trusted notary: kept, also for other servers that ask us as their notary.
  void take_in(const ServerName& server, const Json& response) {
    const Keys keys = read_keys(response, server, clock.now_ms());
    if (keys.empty()) return log::warn("keys", "the keys of " + server.str() + " do not prove themselves");
    if (auto saved = store.save_server_keys(server, keys, dump(response)); !saved)
      log::error("keys", saved.error().text);
    // What the store holds is the union with what was known before.
    auto stored = store.server_keys(server);
    remember(server, stored ? *stored : keys);
    std::scoped_lock lock(mutex);
    vouched.erase(server);
  }

  // A peer could make up keys of a server that cannot be asked, and speak in its name. So its word is only kept in
  // memory, only for events, and only about servers never heard themselves; of others it may say that a key that they
  // gave us is still in use.
  void take_word(const ServerName& server, const Json& response) {
    if (asked_lately(server)) return;
    const Keys known = keys_of(server);
    Keys keys = read_keys(response, server, clock.now_ms());
    std::erase_if(keys, [&](const auto& key) {
      const auto* ours = key_in(known, key.key_id);
      return !known.empty() && (ours == nullptr || ours->key != key.key || ours->old);
    });
    if (keys.empty()) return;
    std::scoped_lock lock(mutex);
    if (vouched.size() >= most_servers) vouched.clear();
    vouched[server] = std::move(keys);
  }

  // -- notaries, one after the other, for what the origins did not give
  bool is_missing(const ServerName& server, const KeyId& key, bool peers_count) const {
    const auto known = peers_count ? find_for_event(server, key) : find(server, key);
    return server != us && (!known || known->valid_until_ms < clock.now_ms());
  }

  void ask_notaries(const std::shared_ptr<Round>& round, std::size_t next) {
    Json query = Json::object();
    for (const auto& [server, key] : round->wanted) {
      if (is_missing(server, key, next >= trusted.size()))
        query[server.str()][key.str()] = {{"minimum_valid_until_ts", clock.now_ms()}};
    }
    while (next < round->notaries.size() && round->notaries[next] == us) ++next;
    if (query.empty() || next >= round->notaries.size()) return round->done();
    // What it signs can only be checked with its own key.
    const ServerName notary = round->notaries[next];
    auto ask = [self = shared_from_this(), round, next, query = std::move(query)] {
      self->ask_notary(round, next, query);
    };
    if (has_current_key(notary) || asked_lately(notary)) return ask();
    fetch_from_origin(notary, ask);
  }

  void ask_notary(const std::shared_ptr<Round>& round, std::size_t next, const Json& query) {
    FederationRequest request;
    request.destination = round->notaries[next];
    request.method = "POST";
    request.target = "/_matrix/key/v2/query";
    request.body = dump(Json{{"server_keys", query}});
    request.timeout = fetch_time;
    request.sign = false;
    client.send(std::move(request),
                [self = shared_from_this(), round, next](Result<Json> answer, const RemoteFailure&) {
                  auto shared = std::make_shared<Result<Json>>(std::move(answer));
                  const bool queued = self->pool.post([self, round, next, shared] {
                    if (*shared) self->take_in_notary(*round, next, **shared);
                    self->ask_notaries(round, next + 1);
                  });
                  if (!queued) round->done();
                });
  }

  // A notary's word counts when it signed what it passes on, that proves itself as well, and it was asked for.
  void take_in_notary(const Round& round, std::size_t place, const Json& answer) {
    const Json* responses = answer.is_object() ? find_array(answer, "server_keys") : nullptr;
    if (responses == nullptr) return;
    const ServerName& notary = round.notaries[place];
    for (const Json& response : *responses) {
      const std::string* name = response.is_object() ? find_string(response, "server_name") : nullptr;
      if (name == nullptr) continue;
      const auto asked = std::find_if(round.wanted.begin(), round.wanted.end(),
                                      [&](const auto& wanted) { return wanted.first.str() == *name; });
      if (asked == round.wanted.end() || asked->first == us || !signed_by(notary, response)) continue;
      if (place < trusted.size()) {
        take_in(asked->first, response);
      } else {
        take_word(asked->first, response);
      }
    }
  }

  bool has_current_key(const ServerName& server) const {
    const Keys keys = keys_of(server);
    return std::any_of(keys.begin(), keys.end(), [&](const auto& key) { return is_current(key); });
  }

  bool is_current(const storage::StoredServerKey& key) const {
    return !key.old && key.valid_until_ms >= clock.now_ms();
  }

  bool signed_by(const ServerName& notary, const Json& response) const {
    const Keys keys = keys_of(notary);
    return std::any_of(keys.begin(), keys.end(), [&](const auto& key) {
      return is_current(key) && verify_json(response, notary.str(), key.key_id, key.key);
    });
  }

  // -- our own keys, and our word for others'
  // What signs no more is among our own server's stored keys, and is published for the events that it signed.
  Json own_keys() const {
    const auto text_of = [](const Ed25519PublicKey& key) {
      return base64_encode(std::string(reinterpret_cast<const char*>(key.data()), key.size()));
    };
    Json old = Json::object();
    for (const auto& key : keys_of(us)) {
      if (key.key_id == our_key.id()) continue;
      old[key.key_id.str()] = {{"key", text_of(key.key)}, {"expired_ts", key.valid_until_ms}};
    }
    Json keys = {{"server_name", us.str()},
                 {"verify_keys", {{our_key.id().str(), {{"key", text_of(our_key.public_key())}}}}},
                 {"old_verify_keys", std::move(old)},
                 {"valid_until_ts", clock.now_ms() + validity_ms}};
    (void)sign_json(keys, us.str(), our_key);
    return keys;
  }

  std::optional<Json> stored_answer(const ServerName& server) const {
    auto text = store.server_keys_response(server);
    if (!text || !*text) return std::nullopt;
    auto response = parse_stored(**text);
    if (!response) return std::nullopt;
    if (!sign_json(*response, us.str(), our_key)) return std::nullopt;
    return std::move(*response);
  }

  // True when the stored response holds all the keys and is valid for long enough.
  static bool is_enough(const Json& response, const std::vector<KeyId>& keys, std::int64_t minimum_valid_until_ms) {
    const Json* until = find_member(response, "valid_until_ts");
    if (until == nullptr || !until->is_number_integer() || until->get<std::int64_t>() < minimum_valid_until_ms)
      return false;
    const Json* current = find_object(response, "verify_keys");
    const Json* old = find_object(response, "old_verify_keys");
    return std::all_of(keys.begin(), keys.end(), [&](const KeyId& key) {
      return (current != nullptr && current->contains(key.str())) || (old != nullptr && old->contains(key.str()));
    });
  }

  void notary_answer(const ServerName& server, const std::vector<KeyId>& keys, std::int64_t minimum_valid_until_ms,
                     std::function<void(std::optional<Json>)> done) {
    if (server == us) return done(own_keys());
    auto known = stored_answer(server);
    if (known && is_enough(*known, keys, std::max(minimum_valid_until_ms, clock.now_ms())))
      return done(std::move(known));
    if (asked_lately(server)) return done(std::move(known));
    auto ended = [self = shared_from_this(), server, done = std::move(done)] { done(self->stored_answer(server)); };
    fetch_from_origin(server, std::move(ended), most_notary_fetches);
  }
};

KeyRing::KeyRing(FederationClient& client, storage::FederationStore& store, net::Clock& clock, net::WorkerPool& pool,
                 ServerName us, SigningKey our_key, std::vector<ServerName> trusted_notaries)
    : impl_(std::make_shared<Impl>(client, store, clock, pool, std::move(us), std::move(our_key),
                                   std::move(trusted_notaries))) {}

KeyRing::~KeyRing() = default;

std::optional<KnownKey> KeyRing::find(const ServerName& server, const KeyId& key) const {
  return impl_->find(server, key);
}

KeyLookup KeyRing::lookup() const {
  return [impl = impl_](const ServerName& server, const KeyId& key) { return impl->find_for_event(server, key); };
}

void KeyRing::fetch(std::vector<std::pair<ServerName, KeyId>> keys, const std::vector<ServerName>& peers,
                    std::function<void()> done) {
  impl_->fetch(std::move(keys), peers, std::move(done));
}

Json KeyRing::own_keys() const { return impl_->own_keys(); }

void KeyRing::notary_answer(const ServerName& server, const std::vector<KeyId>& keys,
                            std::int64_t minimum_valid_until_ms, std::function<void(std::optional<Json>)> done) {
  impl_->notary_answer(server, keys, minimum_valid_until_ms, std::move(done));
}

}  // namespace skerry::federation
