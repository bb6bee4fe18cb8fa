// The same at a tenth of the size: what a send and a /sync cost must not grow with what lies idle.
#include <atomic>
#include <thread>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "bench/measurements.h"
#include "bench/waiters.h"

namespace skerry::bench {

namespace {

// `count` messages, one after the other: the median time of each.
Result<Percentiles> send(Load& load, const Target& target, const Account& account, const std::string& room,
                         std::size_t count, std::size_t lanes) {
  std::atomic<std::size_t> sent = 0;
  const LoadResult result = load.run(lanes, [&](std::size_t) -> std::optional<net::OutgoingRequest> {
    if (sent++ >= count) return std::nullopt;
    return message_request(target, account.token, room);
  });
  if (result.failures > 0) return fail(ErrorCode::remote_error, "a send failed: " + result.first_failure);
  return percentiles_of(result.seconds);
}

constexpr std::size_t probe = 200;  // messages that are timed
constexpr std::size_t lanes = 32;

Result<void> by_age(Run& run, Load& load, const Target& target, const Account& account) {
  const auto room = make_room(load, target, account, {{"preset", "private_chat"}});
  if (!room) return tl::make_unexpected(room.error());
  std::size_t age = 0;
  for (const std::size_t wanted : {run.scaled(1'000), run.scaled(10'000)}) {
    if (auto filled = send(load, target, account, *room, wanted - age, lanes); !filled) {
      return tl::make_unexpected(filled.error());
    }
    age = wanted;
    const auto took = send(load, target, account, *room, probe, 1);
    if (!took) return tl::make_unexpected(took.error());
    run.report.add({"growth",
                    "a send into a room of " + std::to_string(wanted) + " events",
                    Unit::seconds,
                    took->p50,
                    *took,
                    std::nullopt,
                    {}});
  }
  return {};
}

Result<void> by_idle_rooms(Run& run, Load& load, const Target& target, const Account& account) {
  const auto room = make_room(load, target, account, {{"preset", "private_chat"}});
  if (!room) return tl::make_unexpected(room.error());
  std::size_t idle = 0;
  for (const std::size_t wanted : {run.scaled(100), run.scaled(1'000)}) {
    for (; idle < wanted; ++idle) {
      if (auto made = make_room(load, target, account, {{"preset", "private_chat"}}); !made) {
        return tl::make_unexpected(made.error());
      }
    }
    auto since = sync_token(load, target, account.token);
    if (!since) return tl::make_unexpected(since.error());
    std::vector<double> seconds;
    for (int i = 0; i < (run.quick ? 3 : 50); ++i) {
      if (auto sent = send(load, target, account, *room, 1, 1); !sent) return tl::make_unexpected(sent.error());
      const auto begin = std::chrono::steady_clock::now();
      const auto answer = load.http().call(sync_request(target, account.token, *since, std::chrono::milliseconds(0)));
      if (!answer || answer->status != 200) return fail(ErrorCode::remote_error, "a /sync failed");
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    const Percentiles took = percentiles_of(seconds);
    run.report.add({"growth",
                    "a /sync beside " + std::to_string(wanted) + " idle rooms",
                    Unit::seconds,
                    took.p50,
                    took,
                    std::nullopt,
                    {}});
  }
  return {};
}

Result<void> by_waiting_clients(Run& run, Load& load, const Target& target, const std::vector<Account>& accounts) {
  const auto room = make_room(load, target, accounts[0], {{"preset", "private_chat"}});
  if (!room) return tl::make_unexpected(room.error());
  auto since = sync_token(load, target, accounts[1].token);
  if (!since) return tl::make_unexpected(since.error());
  for (const std::size_t wanted : {run.scaled(200), run.scaled(2'000)}) {
    Waiters waiters(load, target);
    for (std::size_t i = 0; i < wanted; ++i) waiters.wait(accounts[1].token, *since, std::chrono::seconds(20));
    std::this_thread::sleep_for(std::chrono::milliseconds(run.quick ? 50 : 1'000));
    const auto took = send(load, target, accounts[0], *room, probe, 1);
    if (!took) return tl::make_unexpected(took.error());
    run.report.add({"growth",
                    "a send beside " + std::to_string(wanted) + " waiting clients",
                    Unit::seconds,
                    took->p50,
                    *took,
                    std::nullopt,
                    {}});
    // Something for the waiting account itself ends their wait.
    auto ended = make_room(load, target, accounts[1], {{"preset", "private_chat"}});
    if (!ended) return tl::make_unexpected(ended.error());
    for (const auto& answer : waiters.collect()) since = answer.next_batch;
  }
  return {};
}

}  // namespace

Result<void> measure_growth(Run& run, Load& load, const Target& target) {
  const auto accounts = make_accounts(load, target, "grown" + std::to_string(::getpid()) + "_", 3);
  if (!accounts) return tl::make_unexpected(accounts.error());
  if (auto done = by_age(run, load, target, (*accounts)[2]); !done) return done;
  if (auto done = by_waiting_clients(run, load, target, *accounts); !done) return done;
  return by_idle_rooms(run, load, target, (*accounts)[2]);
}

}  // namespace skerry::bench
