// Durable sends: acknowledged means on the disk.
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "bench/measurements.h"

namespace skerry::bench {

namespace {

// The rows that a message takes: the event, its transaction id, the room's heads.
constexpr double rows_per_send = 3;

struct Speaker {
  Account account;
  std::string room;
};

LoadResult talk(Run& run, Load& load, const Target& target, const std::vector<Speaker>& speakers) {
  const auto end = std::chrono::steady_clock::now() + run.time;
  return load.run(speakers.size(), [&](std::size_t lane) -> std::optional<net::OutgoingRequest> {
    if (std::chrono::steady_clock::now() >= end) return std::nullopt;
    return message_request(target, speakers[lane].account.token, speakers[lane].room);
  });
}

Result<void> add_rows(Run& run, const std::string& name, const LoadResult& result, double limit,
                      const std::string& limit_name) {
  if (result.failures > 0) return fail(ErrorCode::remote_error, "a send failed: " + result.first_failure);
  const Percentiles took = percentiles_of(result.seconds);
  run.report.add({"sends", name, Unit::per_second, result.per_second(), std::nullopt, limit, limit_name});
  run.report.add({"sends", name + ", each", Unit::seconds, took.p50, took, run.machine.round_trip_s, "a round trip"});
  return {};
}

}  // namespace

Result<void> measure_sends(Run& run, Load& load, const Target& target) {
  constexpr std::size_t many = 32;
  const auto accounts = make_accounts(load, target, "sender" + std::to_string(::getpid()) + "_", many);
  if (!accounts) return tl::make_unexpected(accounts.error());
  std::vector<Speaker> apart;
  for (const Account& account : *accounts) {
    auto room = make_room(load, target, account, {{"preset", "private_chat"}});
    if (!room) return tl::make_unexpected(room.error());
    apart.push_back({account, std::move(*room)});
  }
  const auto common = make_room(load, target, accounts->front(), {{"preset", "public_chat"}});
  if (!common) return tl::make_unexpected(common.error());
  if (auto joined = join_all(load, target, *accounts, *common); !joined) return joined;
  std::vector<Speaker> together;
  for (const Account& account : *accounts) together.push_back({account, *common});

  const storage::DiskSpeed& disk = run.machine.disk;
  if (auto done = add_rows(run, "1 sender", talk(run, load, target, {apart.front()}), disk.single_commits_per_s,
                           "single-row commits");
      !done) {
    return done;
  }
  const double batched = disk.batched_rows_per_s / rows_per_send;
  if (auto done = add_rows(run, "32 senders, one room", talk(run, load, target, together), batched, "batched rows / 3");
      !done) {
    return done;
  }
  return add_rows(run, "32 senders, a room each", talk(run, load, target, apart), batched, "batched rows / 3");
}

}  // namespace skerry::bench
