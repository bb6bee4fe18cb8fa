#include "homeserver/rate_limiter.h"

#include <algorithm>
#include <cmath>
#include <list>
#include <mutex>
#include <unordered_map>

namespace skerry::homeserver {

namespace {

constexpr std::size_t buckets_at_most = 10'000;
constexpr int requests_at_once = 100;  // of one user

// One kind of limit: a bucket per key. The bucket used longest ago makes room for a new one.
class Buckets {
 public:
  explicit Buckets(RateLimit limit) : limit_(limit) {}

  RateLimiter::Wait take(const std::string& key, std::int64_t now_ms) {
    std::scoped_lock lock(mutex_);
    Bucket& bucket = at(key, now_ms);
    const double passed_ms = static_cast<double>(std::max<std::int64_t>(0, now_ms - bucket.at_ms));
    bucket.tokens = std::min(limit_.burst, bucket.tokens + passed_ms * limit_.per_second / 1'000);
    bucket.at_ms = now_ms;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return std::nullopt;
    }
    const double wait_ms = std::ceil((1 - bucket.tokens) / limit_.per_second * 1'000);
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(wait_ms, 86'400'000.0)));
  }

 private:
  struct Bucket {
    std::string key;
    double tokens;
    std::int64_t at_ms;
  };

  Bucket& at(const std::string& key, std::int64_t now_ms) {
    if (const auto found = by_key_.find(key); found != by_key_.end()) {
      by_use_.splice(by_use_.begin(), by_use_, found->second);
      return by_use_.front();
    }
    if (by_use_.size() >= buckets_at_most) {
      by_key_.erase(by_use_.back().key);
      by_use_.pop_back();
    }
    by_use_.push_front({key, limit_.burst, now_ms});
    by_key_[key] = by_use_.begin();
    return by_use_.front();
  }

  const RateLimit limit_;
  std::mutex mutex_;
  std::list<Bucket> by_use_;  // latest first
  std::unordered_map<std::string, std::list<Bucket>::iterator> by_key_;
};

// Requests under way, by user.
class InFlight : public std::enable_shared_from_this<InFlight> {
 public:
  std::shared_ptr<void> begin(const UserId& user) {
    std::scoped_lock lock(mutex_);
    int& count = requests_[user];
    if (count >= requests_at_once) return nullptr;
    ++count;
    return {static_cast<void*>(this), [self = shared_from_this(), user](void*) { self->end(user); }};
  }

 private:
  void end(const UserId& user) {
    std::scoped_lock lock(mutex_);
    const auto found = requests_.find(user);
    if (--found->second == 0) requests_.erase(found);
  }

  std::mutex mutex_;
  std::unordered_map<UserId, int> requests_;
};

}  // namespace

struct RateLimiter::Impl {
  Impl(net::Clock& time, const Config::RateLimits& limits)
      : clock(time),
        enabled(limits.enabled),
        login_by_address(limits.login),
        login_by_user(limits.login),
        registration(limits.registration),
        message(limits.message),
        join(limits.join),
        media(limits.media),
        federation(limits.federation),
        invite_by_server(limits.invite),
        invite_of_user(limits.invite) {}

  Wait take(Buckets& buckets, const std::string& key) {
    if (!enabled) return std::nullopt;
    return buckets.take(key, clock.now_ms());
  }

  net::Clock& clock;
  const bool enabled;
  Buckets login_by_address;
  Buckets login_by_user;
  Buckets registration;
  Buckets message;
  Buckets join;
  Buckets media;
  Buckets federation;
  Buckets invite_by_server;
  Buckets invite_of_user;
  const std::shared_ptr<InFlight> in_flight = std::make_shared<InFlight>();
};

RateLimiter::RateLimiter(net::Clock& clock, Config::RateLimits limits) : impl_(std::make_shared<Impl>(clock, limits)) {}
RateLimiter::~RateLimiter() = default;

RateLimiter::Wait RateLimiter::login(const std::string& peer_address, const std::string& user) {
  if (auto wait = impl_->take(impl_->login_by_address, peer_address)) return wait;
  return impl_->take(impl_->login_by_user, user);
}

RateLimiter::Wait RateLimiter::registration(const std::string& peer_address) {
  return impl_->take(impl_->registration, peer_address);
}

RateLimiter::Wait RateLimiter::message(const Caller& caller) {
  return caller.limited ? impl_->take(impl_->message, caller.user.str()) : std::nullopt;
}

RateLimiter::Wait RateLimiter::join(const Caller& caller) {
  return caller.limited ? impl_->take(impl_->join, caller.user.str()) : std::nullopt;
}

RateLimiter::Wait RateLimiter::media(const UserId& user) { return impl_->take(impl_->media, user.str()); }

RateLimiter::Wait RateLimiter::federation(const ServerName& origin) {
  return impl_->take(impl_->federation, origin.str());
}

RateLimiter::Wait RateLimiter::invite(const ServerName& origin, const UserId& invited) {
  if (auto wait = impl_->take(impl_->invite_by_server, origin.str())) return wait;
  return impl_->take(impl_->invite_of_user, invited.str());
}

std::shared_ptr<void> RateLimiter::begin_request(const Caller& caller) {
  if (!impl_->enabled || !caller.limited) return impl_;
  return impl_->in_flight->begin(caller.user);
}

}  // namespace skerry::homeserver
