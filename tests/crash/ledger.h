// What servers acknowledged, and what was found to be wrong. Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace skerry::crash {

struct Sent {
  std::string room;
  std::string event;
};

class Ledger {
 public:
  // A server answered `transaction` (empty: it had none) with this event. A transaction that was answered with another
  // event before is a finding.
  void acknowledged(const std::string& transaction, const Sent& sent);
  // Something that must not be. The first few are kept in words, all are counted.
  void finding(const std::string& text);

  std::vector<Sent> sent() const;
  std::size_t repeated() const;  // answers to transactions that had been answered before
  std::vector<std::string> findings() const;
  std::size_t finding_count() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> answers_;
  std::set<std::string> events_;
  std::vector<Sent> sent_;
  std::size_t repeated_ = 0;
  std::vector<std::string> findings_;
  std::size_t finding_count_ = 0;
};

}  // namespace skerry::crash
