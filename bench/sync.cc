// How soon a waiting /sync is answered after a message was sent.
#include <thread>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "bench/measurements.h"
#include "bench/waiters.h"

namespace skerry::bench {

namespace {

constexpr std::chrono::seconds longest_wait{30};
constexpr std::chrono::milliseconds settling{30};  // until the requests wait on the other side

Result<void> measure_wake_up(Run& run, Load& load, const Target& target, const std::vector<Account>& accounts,
                             std::size_t concerned) {
  const Account& speaker = accounts.front();
  const auto room = make_room(load, target, speaker, {{"preset", "public_chat"}});
  if (!room) return tl::make_unexpected(room.error());
  const std::vector<Account> listeners(accounts.begin() + 1,
                                       accounts.begin() + 1 + static_cast<std::ptrdiff_t>(concerned));
  if (auto joined = join_all(load, target, listeners, *room); !joined) return joined;
  std::vector<std::string> since;
  for (const Account& listener : listeners) {
    auto token = sync_token(load, target, listener.token);
    if (!token) return tl::make_unexpected(token.error());
    since.push_back(std::move(*token));
  }
  std::vector<double> seconds;
  Waiters waiters(load, target);
  const int rounds = run.quick ? 3 : 50;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < listeners.size(); ++i) waiters.wait(listeners[i].token, since[i], longest_wait);
    std::this_thread::sleep_for(settling);
    const auto begin = std::chrono::steady_clock::now();
    const auto sent = load.http().call(message_request(target, speaker.token, *room));
    if (!sent || sent->status != 200) return fail(ErrorCode::remote_error, "a send failed");
    const auto answers = waiters.collect();
    for (std::size_t i = 0; i < answers.size(); ++i) {
      if (answers[i].next_batch.empty()) return fail(ErrorCode::remote_error, "a /sync failed");
      if (answers[i].at < begin)
        return fail(ErrorCode::remote_error, "a /sync was answered before there was a message");
      since[i] = answers[i].next_batch;
      seconds.push_back(std::chrono::duration<double>(answers[i].at - begin).count());
    }
  }
  const Percentiles took = percentiles_of(seconds);
  run.report.add({"sync", "from send to the answers of " + std::to_string(concerned) + " who wait", Unit::seconds,
                  took.p50, took, run.machine.round_trip_s, "a round trip"});
  return {};
}

}  // namespace

Result<void> measure_sync(Run& run, Load& load, const Target& target) {
  const auto accounts = make_accounts(load, target, "waiter" + std::to_string(::getpid()) + "_", 101);
  if (!accounts) return tl::make_unexpected(accounts.error());
  if (auto done = measure_wake_up(run, load, target, *accounts, 1); !done) return done;
  return measure_wake_up(run, load, target, *accounts, 100);
}

}  // namespace skerry::bench
