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
  // Positions become known in any order; `reached` of each subscription of these users is called once, then it is spent.
  void notify(storage::StreamPosition position, const std::vector<UserId>& users);
  // Calls `reached` at most once, on the notifying thread: it must not block. Dropping the handle ends the subscription.
  using Subscription = std::shared_ptr<void>;
  [[nodiscard]] Subscription subscribe(const UserId& user, std::function<void()> reached);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace skerry::homeserver
