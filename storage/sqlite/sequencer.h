// Hands out stream positions. What was shown is never given again: blocks are reserved on the disk ahead of use.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "storage/types.h"

namespace skerry::storage {

// Thread-safe.
class Sequencer {
 public:
  static constexpr StreamPosition block = 10'000;

  // Everything below `next` was or may have been given; everything up to `reserved` may be.
  Sequencer(StreamPosition next, StreamPosition reserved) : next_(next), reserved_(reserved), visible_(next - 1) {}

  // A position of what is written nowhere: visible as soon as all before it are, so that it holds nothing up. Nothing
  // when the reserved block is used up.
  std::optional<StreamPosition> take_ephemeral();
  // The position is durable, or given up: it becomes visible as soon as all before it are.
  void complete(const std::vector<StreamPosition>& positions);

  // -- the writer's, for the group of jobs that it is writing
  // A position not yet visible, if need be from behind the reservation: the group's transaction then reserves more.
  StreamPosition take_in_group();
  // Up to where the group's transaction must reserve, when it is time.
  std::optional<StreamPosition> reservation_due() const;
  // The transaction ended well: everything up to `end` is reserved.
  void reserved(StreamPosition end);
  // It did not: what take_in_group() gave from behind the reservation was never given.
  void give_up_unreserved();

  StreamPosition visible() const;
  // `reached` must not take positions.
  void on_advance(std::function<void(StreamPosition)> reached);

 private:
  void tell();

  mutable std::mutex mutex_;
  StreamPosition next_;
  StreamPosition reserved_;
  StreamPosition visible_;
  std::set<StreamPosition> open_;

  std::mutex telling_;  // keeps the calls of reached_ in order
  StreamPosition told_ = 0;
  std::vector<std::function<void(StreamPosition)>> reached_;
};

}  // namespace skerry::storage
