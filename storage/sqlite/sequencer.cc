#include "storage/sqlite/sequencer.h"

namespace skerry::storage {

std::optional<StreamPosition> Sequencer::take() {
  std::scoped_lock lock(mutex_);
  if (next_ > reserved_) return std::nullopt;
  open_.insert(next_);
  return next_++;
}

bool Sequencer::needs_block() const {
  std::scoped_lock lock(mutex_);
  return reserved_ - next_ < block / 2;
}

StreamPosition Sequencer::next_block_end() const {
  std::scoped_lock lock(mutex_);
  return reserved_ + block;
}

void Sequencer::reserved(StreamPosition end) {
  std::scoped_lock lock(mutex_);
  if (end > reserved_) reserved_ = end;
}

void Sequencer::complete(const std::vector<StreamPosition>& positions) {
  {
    std::scoped_lock lock(mutex_);
    for (const StreamPosition position : positions) open_.erase(position);
    visible_ = open_.empty() ? next_ - 1 : *open_.begin() - 1;
  }
  std::scoped_lock telling(telling_);
  const StreamPosition now = visible();
  if (now <= told_) return;
  told_ = now;
  for (const auto& reached : reached_) reached(now);
}

StreamPosition Sequencer::visible() const {
  std::scoped_lock lock(mutex_);
  return visible_;
}

void Sequencer::on_advance(std::function<void(StreamPosition)> reached) {
  std::scoped_lock telling(telling_);
  reached_.push_back(std::move(reached));
}

}  // namespace skerry::storage
