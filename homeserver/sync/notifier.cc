#include "homeserver/sync/notifier.h"

#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

namespace skerry::homeserver {

namespace {

struct Subscriber {
  UserId user;
  std::function<void()> reached;
};

}  // namespace

struct Notifier::Impl {
  using SubscriberPtr = std::shared_ptr<Subscriber>;

  std::mutex mutex;
  bool closed = false;
  storage::StreamPosition visible = 0;
  std::unordered_map<UserId, std::unordered_set<SubscriberPtr>> subscribers;
  std::map<storage::StreamPosition, std::vector<UserId>> not_yet_visible;

  // Takes the subscribers of these users out. REQUIRES: `lock` holds the mutex.
  void take(const std::unique_lock<std::mutex>& lock, const std::vector<UserId>& users,
            std::vector<SubscriberPtr>& out) {
    (void)lock;
    for (const UserId& user : users) {
      auto found = subscribers.find(user);
      if (found == subscribers.end()) continue;
      out.insert(out.end(), found->second.begin(), found->second.end());
      subscribers.erase(found);
    }
  }
};

Notifier::Notifier() : impl_(std::make_shared<Impl>()) {}
Notifier::~Notifier() = default;

void Notifier::notify(storage::StreamPosition position, const std::vector<UserId>& users) {
  std::vector<Impl::SubscriberPtr> woken;
  {
    std::unique_lock lock(impl_->mutex);
    if (position > impl_->visible) {
      auto& waiting = impl_->not_yet_visible[position];
      waiting.insert(waiting.end(), users.begin(), users.end());
      return;
    }
    impl_->take(lock, users, woken);
  }
  for (const auto& subscriber : woken) subscriber->reached();
}

void Notifier::advance_to(storage::StreamPosition position) {
  std::vector<Impl::SubscriberPtr> woken;
  {
    std::unique_lock lock(impl_->mutex);
    if (position <= impl_->visible) return;
    impl_->visible = position;
    auto& waiting = impl_->not_yet_visible;
    while (!waiting.empty() && waiting.begin()->first <= position) {
      impl_->take(lock, waiting.begin()->second, woken);
      waiting.erase(waiting.begin());
    }
  }
  for (const auto& subscriber : woken) subscriber->reached();
}

void Notifier::close() {
  std::vector<Impl::SubscriberPtr> woken;
  {
    std::unique_lock lock(impl_->mutex);
    impl_->closed = true;
    for (const auto& [user, waiting] : impl_->subscribers) woken.insert(woken.end(), waiting.begin(), waiting.end());
    impl_->subscribers.clear();
  }
  for (const auto& subscriber : woken) subscriber->reached();
}

bool Notifier::closed() const {
  std::scoped_lock lock(impl_->mutex);
  return impl_->closed;
}

std::size_t Notifier::subscriptions() const {
  std::scoped_lock lock(impl_->mutex);
  std::size_t count = 0;
  for (const auto& [user, waiting] : impl_->subscribers) count += waiting.size();
  return count;
}

Notifier::Subscription Notifier::subscribe(const UserId& user, std::function<void()> reached) {
  auto subscriber = std::make_shared<Subscriber>(Subscriber{user, std::move(reached)});
  {
    std::scoped_lock lock(impl_->mutex);
    impl_->subscribers[user].insert(subscriber);
  }
  // The notifier alone owns the subscriber, so that what `reached` holds may own the handle. The handle's end takes it
  // out.
  return std::shared_ptr<void>(subscriber.get(), [weak_impl = std::weak_ptr<Impl>(impl_),
                                                  weak_subscriber = std::weak_ptr<Subscriber>(subscriber)](void*) {
    auto impl = weak_impl.lock();
    auto ended = weak_subscriber.lock();  // destroyed after the lock is released: what it holds may call back
    if (!impl || !ended) return;
    std::scoped_lock lock(impl->mutex);
    auto found = impl->subscribers.find(ended->user);
    if (found == impl->subscribers.end()) return;
    found->second.erase(ended);
    if (found->second.empty()) impl->subscribers.erase(found);
  });
}

}  // namespace skerry::homeserver
