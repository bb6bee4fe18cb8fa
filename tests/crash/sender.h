// Somebody who sends all the time, and again with the same transaction id until there is an answer.
#pragma once

#include <atomic>
#include <cstdint>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/crash/account.h"
#include "tests/crash/ledger.h"

namespace skerry::crash {

class Sender {
 public:
  // Starts at once. `account` and `ledger` must outlive this.
  Sender(const Account& account, std::vector<std::string> rooms, Ledger& ledger, std::uint64_t seed,
         std::chrono::milliseconds pause);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  // Begins nothing more. What was begun is sent until it is answered.
  void finish() { finishing_ = true; }
  bool finished() const { return finished_; }

 private:
  void run();
  void say(const std::string& room);
  void set_state(const std::string& room);
  bool is_refusal(const Error& error);

  const Account& account_;
  const std::vector<std::string> rooms_;
  Ledger& ledger_;
  std::mt19937_64 random_;
  const std::chrono::milliseconds pause_;
  std::uint64_t count_ = 0;
  std::atomic<bool> finishing_ = false;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> finished_ = false;
  std::thread thread_;
};

}  // namespace skerry::crash
