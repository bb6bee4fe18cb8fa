#include "tests/crash/sender.h"

#include <nlohmann/json.hpp>

namespace skerry::crash {

namespace {

constexpr std::chrono::milliseconds retry_pause{20};

std::string in_room(const std::string& room) { return "/rooms/" + net::percent_encode(room); }

}  // namespace

Sender::Sender(const Account& account, std::vector<std::string> rooms, Ledger& ledger, std::uint64_t seed,
               std::chrono::milliseconds pause)
    : account_(account), rooms_(std::move(rooms)), ledger_(ledger), random_(seed), pause_(pause), thread_([this] {
        run();
      }) {}

Sender::~Sender() {
  stopping_ = true;
  thread_.join();
}

void Sender::run() {
  while (!finishing_ && !stopping_) {
    const std::string& room = rooms_[random_() % rooms_.size()];
    ++count_;
    if (random_() % 6 == 0) {
      set_state(room);
    } else {
      say(room);
    }
    std::this_thread::sleep_for(pause_);
  }
  finished_ = true;
}

// A server that is away or in trouble is asked again; one that says no has broken its promise: everybody here may send.
bool Sender::is_refusal(const Error& error) {
  if (error.code != ErrorCode::remote_error || !error.text.starts_with("M_")) return false;
  if (sandbox::refused_with(error, "M_UNKNOWN") || sandbox::refused_with(error, "M_LIMIT_EXCEEDED")) return false;
  ledger_.finding(account_.user_id() + " was refused: " + error.text);
  return true;
}

void Sender::say(const std::string& room) {
  const std::string transaction = "m" + std::to_string(count_);
  const std::string path = in_room(room) + "/send/m.room.message/" + transaction;
  const Json body = {{"msgtype", "m.text"}, {"body", account_.user_id() + " " + transaction}};
  int answers = random_() % 10 == 0 ? 2 : 1;  // now and then a client that did not get its answer, though it was given
  while (!stopping_) {
    const auto answer = account_.api().put(path, body);
    if (answer) {
      const std::string* id = find_string(*answer, "event_id");
      if (id == nullptr) return ledger_.finding("an answer to a send without an event_id");
      ledger_.acknowledged(account_.user_id() + " " + transaction, {room, *id});
      if (--answers == 0) return;
      continue;
    }
    if (is_refusal(answer.error())) return;
    std::this_thread::sleep_for(retry_pause);
  }
}

// State has no transactions: without an answer nobody knows whether it is there.
void Sender::set_state(const std::string& room) {
  const bool shared = random_() % 2 == 0;
  const std::string path = in_room(room) + (shared ? "/state/m.room.topic/" : "/state/org.skerry.counter/");
  const std::string key = shared ? "" : net::percent_encode(account_.user_id());
  const Json body = {{shared ? "topic" : "count", account_.user_id() + " " + std::to_string(count_)}};
  const auto answer = account_.api().put(path + key, body);
  if (!answer) {
    (void)is_refusal(answer.error());
    return;
  }
  if (const std::string* id = find_string(*answer, "event_id")) ledger_.acknowledged({}, {room, *id});
}

}  // namespace skerry::crash
