#include "homeserver/accounts/accounts.h"

#include <array>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "core/crypto.h"
#include "core/limits.h"
#include "homeserver/accounts/password_hasher.h"

namespace skerry::homeserver {

namespace {

constexpr std::string_view token_prefix = "skt_";
constexpr std::string_view refresh_token_prefix = "skr_";
constexpr std::size_t token_bytes = 32;
constexpr std::size_t token_text_bytes_at_most = 256;
constexpr std::size_t device_id_bytes = 255;
constexpr std::size_t device_name_bytes = 255;
constexpr std::size_t cached_tokens = 10'000;

std::string random_letters(net::Random& random, std::size_t count, char first) {
  // Bytes of 234 and more are thrown away, so that every letter is as likely as the others.
  std::string letters;
  while (letters.size() < count) {
    for (const char byte : random.bytes(2 * count)) {
      const auto value = static_cast<unsigned char>(byte);
      if (value < 9 * 26 && letters.size() < count) letters += static_cast<char>(first + value % 26);
    }
  }
  return letters;
}

std::string hash_of_token(const std::string& token) {
  const Sha256 hash = sha256(token);
  return base64url_encode({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

// Tokens that were looked up lately. An entry made from a read that began before a removal must not outlive it: each
// removal begins a new generation, and entries of older reads are not taken.
class TokenCache {
 public:
  struct Entry {
    Caller caller;
    std::optional<std::int64_t> expires_ms;
  };

  std::optional<Entry> find(const std::string& token_hash, std::uint64_t& generation) {
    std::scoped_lock lock(mutex_);
    generation = generation_;
    const auto found = entries_.find(token_hash);
    if (found == entries_.end()) return std::nullopt;
    return found->second;
  }

  void add(const std::string& token_hash, const Entry& entry, std::uint64_t generation) {
    std::scoped_lock lock(mutex_);
    if (generation != generation_) return;
    if (entries_.size() >= cached_tokens) make_room();
    entries_.emplace(token_hash, entry);
    hashes_[entry.caller.user].insert(token_hash);
  }

  // All of a user's tokens: whoever comes with one that still holds is read from the store again.
  void forget(const UserId& user) {
    std::scoped_lock lock(mutex_);
    ++generation_;
    const auto found = hashes_.find(user);
    if (found == hashes_.end()) return;
    for (const std::string& hash : found->second) entries_.erase(hash);
    hashes_.erase(found);
  }

 private:
  void make_room() {
    const auto any = entries_.begin();
    const auto of_user = hashes_.find(any->second.caller.user);
    of_user->second.erase(any->first);
    if (of_user->second.empty()) hashes_.erase(of_user);
    entries_.erase(any);
  }

  std::mutex mutex_;
  std::uint64_t generation_ = 0;
  std::unordered_map<std::string, Entry> entries_;
  std::unordered_map<UserId, std::unordered_set<std::string>> hashes_;  // of the entries
};

// New tokens, and what is stored of them.
struct MadeTokens {
  Session session;
  storage::Tokens stored;
};

}  // namespace

tl::unexpected<Error> locked_out() { return fail(ErrorCode::user_locked, "this account is locked"); }

struct Accounts::Impl {
  storage::AccountStore& store;
  net::Clock& clock;
  net::Random& random;
  const ServerName us;
  const std::chrono::milliseconds access_token_lifetime;
  PasswordHasher hasher;
  TokenCache cache;
  std::function<void(const UserId&)> tell_change;
  std::array<std::mutex, 16> locks;  // by hash of the user
  std::once_flag decoy_made;
  std::string decoy;  // hash of a random password: checked for users that are not there

  void changed(const UserId& user) {
    cache.forget(user);
    if (tell_change) tell_change(user);
  }

  const std::string& decoy_hash() {
    std::call_once(decoy_made, [this] { decoy = hasher.hash(base64_encode(random.bytes(16))).value_or(""); });
    return decoy;
  }

  std::string new_token(std::string_view prefix) {
    return std::string(prefix) + base64url_encode(random.bytes(token_bytes));
  }

  MadeTokens new_tokens(bool refreshable) {
    MadeTokens made;
    made.session.access_token = new_token(token_prefix);
    made.stored.access_hash = hash_of_token(made.session.access_token);
    if (!refreshable) return made;
    made.session.refresh = Session::Refresh{new_token(refresh_token_prefix), access_token_lifetime};
    made.stored.refresh_hash = hash_of_token(made.session.refresh->token);
    made.stored.expires_ms = clock.now_ms() + access_token_lifetime.count();
    return made;
  }
};

Accounts::Accounts(storage::AccountStore& store, net::Clock& clock, net::Random& random, ServerName us,
                   Config::Passwords passwords, Config::Sessions sessions)
    : impl_(new Impl{store,
                     clock,
                     random,
                     std::move(us),
                     sessions.access_token_lifetime,
                     PasswordHasher(passwords),
                     {},
                     {},
                     {},
                     {},
                     {}}) {}

Accounts::~Accounts() = default;

void Accounts::on_change(std::function<void(const UserId&)> changed) { impl_->tell_change = std::move(changed); }

Result<UserId> Accounts::available(const std::string& localpart) {
  auto user = UserId::make_local(localpart, impl_->us);
  if (!user) return user;
  auto exists = impl_->store.user_exists(*user);
  if (!exists) return tl::make_unexpected(exists.error());
  if (*exists) return fail(ErrorCode::user_in_use, "that user name is taken");
  return user;
}

std::string Accounts::generate_localpart() { return random_letters(impl_->random, 12, 'a'); }

Result<void> Accounts::check_new_password(const std::string& password) {
  if (password.empty()) return fail(ErrorCode::invalid_param, "the password is empty");
  if (password.size() > limits::password_bytes) {
    return fail(ErrorCode::invalid_param,
                "the password is longer than " + std::to_string(limits::password_bytes) + " bytes");
  }
  return {};
}

Result<UserId> Accounts::register_user(const std::string& localpart, const std::string& password, bool admin) {
  auto user = available(localpart);
  if (!user) return user;
  if (auto good = check_new_password(password); !good) return tl::make_unexpected(good.error());
  auto hash = impl_->hasher.hash(password);
  if (!hash) return tl::make_unexpected(hash.error());
  auto created = impl_->store.create_user(*user, *hash, impl_->clock.now_ms(), admin);
  if (!created) return tl::make_unexpected(created.error());
  return user;
}

Result<void> Accounts::register_passwordless(const UserId& user) {
  return impl_->store.create_user(user, "", impl_->clock.now_ms(), false);
}

Result<void> Accounts::check_password(const UserId& user, const std::string& password) {
  auto hash = impl_->store.password_hash(user);
  if (!hash) return tl::make_unexpected(hash.error());
  const bool fits =
      password.size() <= limits::password_bytes && impl_->hasher.verify(hash->value_or(impl_->decoy_hash()), password);
  if (!*hash || !fits) return fail(ErrorCode::forbidden, "user name or password is wrong");
  return {};
}

Result<void> Accounts::set_password(const UserId& user, const std::string& password) {
  if (auto good = check_new_password(password); !good) return good;
  auto hash = impl_->hasher.hash(password);
  if (!hash) return tl::make_unexpected(hash.error());
  return impl_->store.set_password_hash(user, *hash);
}

Result<Session> Accounts::open_session(const UserId& user, const NewSession& wanted) {
  MadeTokens made = impl_->new_tokens(wanted.refreshable);
  made.session.user = user;
  made.session.device = wanted.device ? *wanted.device : random_letters(impl_->random, 10, 'A');
  if (made.session.device.empty() || made.session.device.size() > device_id_bytes) {
    return fail(ErrorCode::invalid_param, "a device id has 1 to 255 bytes");
  }
  if (wanted.device_name.size() > device_name_bytes) {
    return fail(ErrorCode::invalid_param, "the device's name is longer than 255 bytes");
  }
  auto standing = impl_->store.standing(user);
  if (!standing) return tl::make_unexpected(standing.error());
  if (*standing && (*standing)->locked) return locked_out();
  const storage::Device device{made.session.device, wanted.device_name, impl_->clock.now_ms()};
  auto put = impl_->store.put_device(user, device, made.stored);
  impl_->changed(user);
  if (!put) return tl::make_unexpected(put.error());
  return std::move(made.session);
}

Result<Session> Accounts::refresh_session(const std::string& refresh_token) {
  const auto unknown = [] { return fail(ErrorCode::unknown_token, "this refresh token is not known, or was used"); };
  if (refresh_token.size() > token_text_bytes_at_most) return unknown();
  MadeTokens made = impl_->new_tokens(true);
  auto owner = impl_->store.offer_tokens(hash_of_token(refresh_token), made.stored);
  if (!owner) return tl::make_unexpected(owner.error());
  if (!*owner) return unknown();
  if ((*owner)->standing.locked) return locked_out();
  if ((*owner)->offered) impl_->changed((*owner)->user);  // the tokens before them ended
  made.session.user = std::move((*owner)->user);
  made.session.device = std::move((*owner)->device);
  return std::move(made.session);
}

Result<Caller> Accounts::authenticate(const std::string& access_token) {
  const auto unknown = [] { return fail(ErrorCode::unknown_token, "this access token is not known"); };
  if (access_token.empty() || access_token.size() > token_text_bytes_at_most) return unknown();
  const std::string hash = hash_of_token(access_token);
  const auto unless_expired = [this](TokenCache::Entry entry) -> Result<Caller> {
    if (entry.expires_ms && *entry.expires_ms <= impl_->clock.now_ms())
      return fail(ErrorCode::expired_token, "this access token's time is over");
    return std::move(entry.caller);
  };
  std::uint64_t generation = 0;
  if (auto cached = impl_->cache.find(hash, generation)) return unless_expired(std::move(*cached));
  auto owner = impl_->store.token_owner(hash);
  if (!owner) return tl::make_unexpected(owner.error());
  if (!*owner) return unknown();
  TokenCache::Entry entry;
  entry.caller.user = (*owner)->user;
  entry.caller.device = (*owner)->device;
  entry.caller.standing = (*owner)->standing;
  entry.expires_ms = (*owner)->expires_ms;
  auto caller = unless_expired(entry);
  if (!caller) return caller;
  if (!(*owner)->offered) {
    impl_->cache.add(hash, entry, generation);
    return caller;
  }
  auto there = impl_->store.accept_tokens(hash);
  impl_->changed(caller->user);  // the tokens before these ended
  if (!there) return tl::make_unexpected(there.error());
  if (!*there) return unknown();
  return caller;
}

Result<void> Accounts::close_session(const Caller& caller) { return close_sessions(caller.user, {caller.device}); }

Result<void> Accounts::close_sessions(const UserId& user, const std::vector<std::string>& devices) {
  Result<void> closed;
  for (const std::string& device : devices) {
    closed = impl_->store.remove_device(user, device);
    if (!closed && closed.error().code == ErrorCode::not_found) closed = {};
    if (!closed) break;
  }
  impl_->changed(user);
  return closed;
}

Result<void> Accounts::close_all_sessions(const UserId& user) {
  auto closed = impl_->store.remove_all_devices(user);
  impl_->changed(user);
  return closed;
}

Result<void> Accounts::set_locked(const UserId& user, bool locked) {
  auto set = impl_->store.set_locked(user, locked);
  impl_->changed(user);
  return set;
}

Result<void> Accounts::set_suspended(const UserId& user, bool suspended) {
  auto set = impl_->store.set_suspended(user, suspended);
  impl_->changed(user);
  return set;
}

Result<void> Accounts::deactivate(const UserId& user) {
  auto ended = impl_->store.deactivate(user);
  impl_->changed(user);
  return ended;
}

Result<std::string> Accounts::make_pass(storage::PassKind kind, const UserId& user,
                                        std::chrono::milliseconds lifetime) {
  const std::string token = base64url_encode(impl_->random.bytes(token_bytes));
  const std::int64_t now_ms = impl_->clock.now_ms();
  auto put = impl_->store.put_pass(kind, user, hash_of_token(token), now_ms + lifetime.count(), now_ms);
  if (!put) return tl::make_unexpected(put.error());
  return token;
}

Result<UserId> Accounts::openid_user(const std::string& token) {
  auto owner = impl_->store.pass_owner(storage::PassKind::openid, hash_of_token(token), impl_->clock.now_ms());
  if (!owner) return tl::make_unexpected(owner.error());
  if (!*owner) return fail(ErrorCode::unknown_token, "this token is not known, or its time is over");
  return std::move(**owner);
}

Result<UserId> Accounts::spend_login_token(const std::string& token) {
  auto owner = impl_->store.take_pass(storage::PassKind::login, hash_of_token(token), impl_->clock.now_ms());
  if (!owner) return tl::make_unexpected(owner.error());
  if (!*owner) return fail(ErrorCode::forbidden, "this login token is not known, or its time is over");
  return std::move(**owner);
}

std::unique_lock<std::mutex> Accounts::lock(const UserId& user) {
  return std::unique_lock(impl_->locks[std::hash<UserId>{}(user) % impl_->locks.size()]);
}

}  // namespace skerry::homeserver
