// A client that only looks: one /sync after the other, across all restarts of its server. It must see every event once,
// and its server's positions must never go back.
#pragma once

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tests/crash/account.h"
#include "tests/crash/ledger.h"

namespace skerry::crash {

class Watcher {
 public:
  // Returns when the first /sync was answered. `account` and `ledger` must outlive this.
  Watcher(Account& account, Ledger& ledger);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Those of `sent` that were not seen when nothing more of them was seen for that long.
  std::vector<Sent> wait_for_all(const std::vector<Sent>& sent, std::chrono::seconds patience);

 private:
  void run();
  // REQUIRES: mutex_ is held.
  void take(const Json& response);
  void take_timeline(const std::string& room, const Json& timeline);

  Account& account_;
  Ledger& ledger_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::string since_;
  std::set<std::string> seen_;
  std::thread thread_;
};

}  // namespace skerry::crash
