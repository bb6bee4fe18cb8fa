// 'Position N was reached for these users.' Positions, never data. Subscribe first, then read.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/ids.h"
#include "storage/types.h"

namespace skerry::homeserver {

// Thread-safe.
class Notifier {
 public:
  Notifier();
  ~Notifier();

  // Something at `position` concerns these users. Their subscriptions are told once the position is visible (see
  // advance_to): at once when it already is, else when it becomes so, so that whoever wakes can read what woke it.
  void notify(storage::StreamPosition position, const std::vector<UserId>& users);

  // Everything up to `position` is visible: wired to StreamStore::on_advance. Never goes back.
  void advance_to(storage::StreamPosition position);

  // Calls `reached` at most once, on the thread that notifies or advances: it must not block, and may subscribe again.
  // Dropping the handle ends the subscription (a call that already began still ends).
  using Subscription = std::shared_ptr<void>;
  [[nodiscard]] Subscription subscribe(const UserId& user, std::function<void()> reached);

  // The server stops: tells every subscription once more. Whoever waits then answers instead of waiting on.
  void close();
  bool closed() const;
  std::size_t subscriptions() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
