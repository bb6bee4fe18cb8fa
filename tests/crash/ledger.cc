#include "tests/crash/ledger.h"

namespace skerry::crash {

namespace {

constexpr std::size_t findings_in_words = 20;

}  // namespace

void Ledger::acknowledged(const std::string& transaction, const Sent& sent) {
  std::string other;
  {
    const std::lock_guard lock(mutex_);
    if (!transaction.empty()) {
      const auto [known, is_new] = answers_.emplace(transaction, sent.event);
      if (!is_new) {
        ++repeated_;
        if (known->second == sent.event) return;
        other = known->second;
      }
    }
    if (events_.insert(sent.event).second) sent_.push_back(sent);
  }
  if (!other.empty()) finding("transaction " + transaction + " made " + other + " and " + sent.event);
}

void Ledger::finding(const std::string& text) {
  const std::lock_guard lock(mutex_);
  ++finding_count_;
  if (findings_.size() < findings_in_words) findings_.push_back(text);
}

std::vector<Sent> Ledger::sent() const {
  const std::lock_guard lock(mutex_);
  return sent_;
}

std::size_t Ledger::repeated() const {
  const std::lock_guard lock(mutex_);
  return repeated_;
}

std::vector<std::string> Ledger::findings() const {
  const std::lock_guard lock(mutex_);
  return findings_;
}

std::size_t Ledger::finding_count() const {
  const std::lock_guard lock(mutex_);
  return finding_count_;
}

}  // namespace skerry::crash
