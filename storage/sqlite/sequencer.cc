#include "storage/sqlite/sequencer.h"

#include <algorithm>

namespace skerry::storage {

std::optional<StreamPosition> Sequencer::take_ephemeral() {
  StreamPosition position = 0;
  {
    std::scoped_lock lock(mutex_);
    if (next_ > reserved_) return std::nullopt;
    position = next_++;
    if (open_.empty()) visible_ = position;
  }
  tell();
  return position;
}

void Sequencer::complete(const std::vector<StreamPosition>& positions) {
  {
    std::scoped_lock lock(mutex_);
    for (const StreamPosition position : positions) open_.erase(position);
    visible_ = open_.empty() ? next_ - 1 : *open_.begin() - 1;
  }
  tell();
}

void Sequencer::tell() {
  std::scoped_lock telling(telling_);
  const StreamPosition now = visible();
  if (now <= told_) return;
  told_ = now;
  for (const auto& reached : reached_) reached(now);
}

StreamPosition Sequencer::take_in_group() {
  std::scoped_lock lock(mutex_);
  open_.insert(next_);
  return next_++;
}

std::optional<StreamPosition> Sequencer::reservation_due() const {
  std::scoped_lock lock(mutex_);
  if (reserved_ - next_ >= block / 2) return std::nullopt;
  return std::max(reserved_, next_) + block;
}

void Sequencer::reserved(StreamPosition end) {
  std::scoped_lock lock(mutex_);
  reserved_ = std::max(reserved_, end);
}

void Sequencer::give_up_unreserved() {
  std::scoped_lock lock(mutex_);
  open_.erase(open_.upper_bound(reserved_), open_.end());
  next_ = std::min(next_, reserved_ + 1);
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
