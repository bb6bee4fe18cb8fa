// What needs sandboxes of our own: starting, memory, waiting clients, federation, joins.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <sys/resource.h>
#include <thread>

#include <nlohmann/json.hpp>

#include "bench/measurements.h"
#include "bench/memory.h"
#include "bench/waiters.h"
#include "sandbox/world/bring_up.h"
#include "sandbox/world/files.h"

namespace skerry::bench {

namespace {

using sandbox::OwnSandbox;
using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr const char* first = "alpha.test";
constexpr const char* second = "bravo.test";

Result<std::unique_ptr<OwnSandbox>> start(std::size_t servers, bool direct = true) {
  return OwnSandbox::start(servers, {direct, true});
}

// What a member takes when its room is joined: a signature to check, and rows: its event, the three events that it
// cites, the entry in the state and the key of that, the change of the current state, its membership.
constexpr double rows_per_member = 8;

// The time that a user of the second server needs to join, beside the least that it takes: the larger one of checking
// the signatures on all cores and of writing the rows.
Result<void> measure_join(Run& run, OwnSandbox& servers, Load& load, const Account& guest, const std::string& room,
                          std::size_t members, const std::string& name) {
  const auto at = Target::at(servers.url(second));
  if (!at) return tl::make_unexpected(at.error());
  const auto begin = Steady::now();
  auto request = at->request("POST", "/join/" + net::percent_encode(room) + "?via=" + first, guest.token, "{}");
  request.timeout = std::chrono::minutes(2);
  const auto joined = load.http().call(std::move(request));
  const Seconds took = Steady::now() - begin;
  if (!joined) return tl::make_unexpected(joined.error());
  if (joined->status != 200) return fail(ErrorCode::remote_error, "join: " + joined->body.substr(0, 200));
  const auto count = static_cast<double>(members);
  const double cores = std::max(1U, std::thread::hardware_concurrency());
  const double checks = count / (run.machine.verifications_per_s * cores);
  const double rows = rows_per_member * count / run.machine.disk.batched_rows_per_s;
  run.report.add({"joins", "a room " + name, Unit::seconds, took.count(), std::nullopt, std::max(checks, rows),
                  checks > rows ? "its signature checks" : "its rows"});
  if (members == 1) return {};
  run.report.add({"joins", "  its signature checks, all cores", Unit::seconds, checks, std::nullopt, std::nullopt, {}});
  run.report.add({"joins", "  its rows in commits of a hundred", Unit::seconds, rows, std::nullopt, std::nullopt, {}});
  return {};
}

}  // namespace

Result<void> measure_start(Run& run) {
  std::error_code error;
  std::string root = (std::filesystem::temp_directory_path(error) / "skerry-bench-XXXXXX").string();
  if (::mkdtemp(root.data()) == nullptr) return tl::make_unexpected(sandbox::system_error(root));
  sandbox::UpOptions options;
  options.folder = {root + "/sandbox"};
  options.servers = 3;
  std::vector<double> warm;
  Result<void> done;
  for (int i = 0; i < (run.quick ? 2 : 8) && done; ++i) {
    const auto begin = Steady::now();
    const auto up = sandbox::bring_up(options);
    const Seconds took = Steady::now() - begin;
    if (!up) {
      done = tl::make_unexpected(up.error());
      break;
    }
    if (i == 0) {
      run.report.add(
          {"start", "three servers, first time", Unit::seconds, took.count(), std::nullopt, std::nullopt, {}});
    } else {
      warm.push_back(took.count());
    }
    auto controller = sandbox::Controller::connect(options.folder);
    done = controller ? controller->down() : tl::make_unexpected(controller.error());
  }
  std::filesystem::remove_all(root, error);
  if (!done) return done;
  const Percentiles took = percentiles_of(warm);
  run.report.add({"start", "three servers, again", Unit::seconds, took.p50, took, std::nullopt, {}});
  return {};
}

Result<void> measure_memory(Run& run) {
  auto servers = start(3);
  if (!servers) return tl::make_unexpected(servers.error());
  double idle = 0;
  for (const auto& server : (*servers)->status().servers) {
    const auto memory = settled_memory(**servers, server.name);
    if (!memory) return tl::make_unexpected(memory.error());
    idle = std::max(idle, *memory);
  }
  run.report.add({"memory", "a server, idle (PSS)", Unit::bytes, idle, std::nullopt, std::nullopt, {}});
  Load load({});
  const auto target = Target::at((*servers)->url(first));
  if (!target) return tl::make_unexpected(target.error());
  const auto accounts = make_accounts(load, *target, "user", 32);
  if (!accounts) return tl::make_unexpected(accounts.error());
  const auto room = make_room(load, *target, accounts->front(), {{"preset", "public_chat"}});
  if (!room) return tl::make_unexpected(room.error());
  if (auto joined = join_all(load, *target, *accounts, *room); !joined) return joined;
  const auto end = Steady::now() + 3 * run.time;
  (void)load.run(accounts->size(), [&](std::size_t lane) -> std::optional<net::OutgoingRequest> {
    if (Steady::now() >= end) return std::nullopt;
    return message_request(*target, (*accounts)[lane].token, *room);
  });
  const auto loaded = memory_of(**servers, first);
  if (!loaded) return tl::make_unexpected(loaded.error());
  run.report.add({"memory", "a server, after 32 senders (PSS)", Unit::bytes, *loaded, std::nullopt, std::nullopt, {}});
  return {};
}

Result<void> measure_waiting(Run& run) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const std::size_t clients = std::min<std::size_t>(run.scaled(10'000), limit.rlim_cur - 200);
  for (const bool tls : {false, true}) {
    auto servers = start(1);
    if (!servers) return tl::make_unexpected(servers.error());
    const std::string& plain = (*servers)->url(first);
    const std::string host = plain.substr(7, plain.rfind(':') - 7);
    const auto target =
        Target::at(tls ? "https://" + host + ":" + std::to_string((*servers)->status().https_port) : plain);
    if (!target) return tl::make_unexpected(target.error());
    Load load((*servers)->status().ca_file);
    const auto accounts = make_accounts(load, *target, "user", 1);
    if (!accounts) return tl::make_unexpected(accounts.error());
    const auto since = sync_token(load, *target, accounts->front().token);
    if (!since) return tl::make_unexpected(since.error());
    const auto before = settled_memory(**servers, first);
    if (!before) return tl::make_unexpected(before.error());
    Waiters waiters(load, *target);
    for (std::size_t i = 0; i < clients; ++i) {
      waiters.wait(accounts->front().token, *since, std::chrono::minutes(2));
      if (i % 100 == 99) std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the listen queue is finite
    }
    const auto after = settled_memory(**servers, first);
    auto ended = make_room(load, *target, accounts->front(), {{"preset", "private_chat"}});
    const auto answers = waiters.collect();
    if (!after) return tl::make_unexpected(after.error());
    if (!ended) return tl::make_unexpected(ended.error());
    for (const auto& answer : answers) {
      if (answer.next_batch.empty()) return fail(ErrorCode::remote_error, "a waiting /sync failed: " + answer.failure);
    }
    run.report.add({"waiting clients",
                    "each of " + std::to_string(clients) + (tls ? ", HTTPS" : ", HTTP"),
                    Unit::bytes,
                    (*after - *before) / static_cast<double>(clients),
                    std::nullopt,
                    std::nullopt,
                    {}});
  }
  return {};
}

Result<void> measure_federation(Run& run) {
  for (const bool direct : {true, false}) {
    auto servers = start(2, direct);
    if (!servers) return tl::make_unexpected(servers.error());
    Load load({});
    const auto here = Target::at((*servers)->url(first));
    const auto there = Target::at((*servers)->url(second));
    if (!here || !there) return fail(ErrorCode::internal, "the sandbox has no URL");
    const auto speaker = make_accounts(load, *here, "speaker", 1);
    if (!speaker) return tl::make_unexpected(speaker.error());
    const auto listener = make_accounts(load, *there, "listener", 1);
    if (!listener) return tl::make_unexpected(listener.error());
    const auto room = make_room(load, *here, speaker->front(), {{"preset", "public_chat"}});
    if (!room) return tl::make_unexpected(room.error());
    const auto joined = load.http().call(
        there->request("POST", "/join/" + net::percent_encode(*room) + "?via=" + first, listener->front().token, "{}"));
    if (!joined || joined->status != 200) return fail(ErrorCode::remote_error, "the other server could not join");
    auto since = sync_token(load, *there, listener->front().token);
    if (!since) return tl::make_unexpected(since.error());
    std::vector<double> seconds;
    Waiters waiters(load, *there);
    for (int round = 0; round < (run.quick ? 3 : 200); ++round) {
      waiters.wait(listener->front().token, *since, std::chrono::seconds(30));
      const auto sent = load.http().call(message_request(*here, speaker->front().token, *room));
      const auto accepted = Steady::now();
      if (!sent || sent->status != 200) return fail(ErrorCode::remote_error, "a send failed");
      const auto answers = waiters.collect();
      if (answers.front().next_batch.empty()) return fail(ErrorCode::remote_error, "a /sync failed");
      since = answers.front().next_batch;
      seconds.push_back(std::max(0.0, Seconds(answers.front().at - accepted).count()));
    }
    const Percentiles took = percentiles_of(seconds);
    run.report.add({"federation",
                    direct ? "accepted here, seen in /sync there, direct" : "the same, through the gateway",
                    Unit::seconds, took.p50, took, run.machine.round_trip_s, "a round trip"});
  }
  return {};
}

Result<void> measure_joins(Run& run) {
  auto servers = start(2);
  if (!servers) return tl::make_unexpected(servers.error());
  Load load({});
  const auto here = Target::at((*servers)->url(first));
  const auto there = Target::at((*servers)->url(second));
  if (!here || !there) return fail(ErrorCode::internal, "the sandbox has no URL");
  const auto members = make_accounts(load, *here, "member", run.scaled(10'000));
  if (!members) return tl::make_unexpected(members.error());
  const auto guest = make_accounts(load, *there, "guest", 1);
  if (!guest) return tl::make_unexpected(guest.error());
  for (const std::size_t count : {std::size_t{10}, run.scaled(1'000), run.scaled(10'000)}) {
    const auto room = make_room(load, *here, members->front(), {{"preset", "public_chat"}});
    if (!room) return tl::make_unexpected(room.error());
    const std::vector<Account> some(members->begin() + 1,
                                    members->begin() + static_cast<std::ptrdiff_t>(std::min(count, members->size())));
    if (auto joined = join_all(load, *here, some, *room); !joined) return joined;
    if (auto done = measure_join(run, **servers, load, guest->front(), *room, some.size() + 1,
                                 "of " + std::to_string(some.size() + 1) + " members");
        !done) {
      return done;
    }
  }
  const auto room = make_room(load, *here, members->front(), {{"preset", "public_chat"}});
  if (!room) return tl::make_unexpected(room.error());
  const std::size_t events = run.scaled(10'000);
  std::atomic<std::size_t> sent = 0;
  (void)load.run(32, [&](std::size_t) -> std::optional<net::OutgoingRequest> {
    if (sent++ >= events) return std::nullopt;
    return message_request(*here, members->front().token, *room);
  });
  return measure_join(run, **servers, load, guest->front(), *room, 1, "of " + std::to_string(events) + " messages");
}

}  // namespace skerry::bench
