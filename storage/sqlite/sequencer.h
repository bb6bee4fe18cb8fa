// Hands out stream positions. What was shown is never given again: blocks are reserved on the disk ahead of use.
#pragma once

#include <functional>
#include <mutex>
#include <set>

#include "storage/types.h"

namespace skerry::storage {

// Thread-safe.
class Sequencer {
 public:
  static constexpr StreamPosition block = 10'000;

  // Everything below `next` was or may have been given; everything up to `reserved` may be.
  Sequencer(StreamPosition next, StreamPosition reserved) : next_(next), reserved_(reserved), visible_(next - 1) {}

  // A position not yet visible, or nothing when the reserved block is used up.
  std::optional<StreamPosition> take();
  // Whether a new block should be reserved soon, and up to where.
  bool needs_block() const;
  StreamPosition next_block_end() const;
  // The block up to `end` is on the disk.
  void reserved(StreamPosition end);
  // The position is durable, or given up: it becomes visible as soon as all before it are.
  void complete(const std::vector<StreamPosition>& positions);

  StreamPosition visible() const;
  void on_advance(std::function<void(StreamPosition)> reached);

 private:
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
