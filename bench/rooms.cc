// Large rooms: forks that are resolved, many heads, memory, disk. Each also at a tenth of the size.
#include <atomic>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "bench/lonely_rooms.h"
#include "bench/measurements.h"
#include "bench/memory.h"
#include "bench/stored_room.h"
#include "homeserver/rooms/room.h"

namespace skerry::bench {

namespace {

using Steady = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Ours {
  ServerName name = ServerName::parse("alpha.test").value();
  SigningKey key = SigningKey::from_seed(KeyId::parse("ed25519:bench").value(), std::string(32, 'b'));
};

// Both sides of a split: people rename themselves, some on both sides; some are kicked on one; the topic and the power
// levels change on both. `events` conflicting ones in all.
std::vector<Tip> split(StoredRoom& room, std::size_t members, std::size_t events) {
  const std::size_t each = events / 2;
  const std::size_t kicks = each / 10;
  std::vector<Tip> sides(2, room.whole());
  for (std::size_t side = 0; side < sides.size(); ++side) {
    Tip& tip = sides[side];
    const UserId& moderator = room.user(side);
    const std::string name = side == 0 ? "left" : "right";
    // Two thirds of the people are the same on both sides, as far as the room has so many.
    const std::size_t first = 2 + side * (each / 3);
    room.add(tip, moderator, "m.room.topic", "", {{"topic", name}});
    for (std::size_t i = 0; i + kicks + 2 < each; ++i) {
      const UserId& user = room.user(first + i % (members - first));
      room.member(tip, user, user, "join", name + std::to_string(i));
    }
    for (std::size_t i = 0; i < kicks; ++i) {
      room.member(tip, moderator, room.user(members - 1 - side * kicks - i), "leave");
    }
    Json levels = {{"users", {{room.user(1).str(), 50}}}, {"kick", side == 0 ? 50 : 40}};
    room.add(tip, room.user(0), "m.room.power_levels", "", levels);
  }
  return sides;
}

// As a server does it that has the events in its store and nothing in its memory.
Result<void> resolve_forks(Run& run, std::size_t members, std::size_t events) {
  const Ours us;
  auto store = TemporaryStore::make(us.name);
  if (!store) return tl::make_unexpected(store.error());
  RoomId id;
  std::vector<Tip> sides;
  {
    StoredRoom room((*store)->database().rooms(), us.name, us.key, members);
    id = room.id();
    sides = split(room, members, events);
    if (auto done = room.finish({sides.front()}, sides.front().state_id); !done) return done;
  }
  std::vector<double> seconds;
  for (int round = 0; round < (run.quick ? 1 : 5); ++round) {
    if (auto opened = (*store)->reopen(); !opened) return opened;
    const auto room = homeserver::Room::load((*store)->database().rooms(), id, us.name);
    if (!room) return tl::make_unexpected(room.error());
    std::vector<homeserver::RoomState> forks;
    for (const Tip& side : sides) {
      const auto placed = (*room)->placed(side.heads.front());
      if (!placed) return tl::make_unexpected(placed.error());
      if (!placed->has_value()) return fail(ErrorCode::internal, "a fork is not in the store");
      forks.push_back((*placed)->after);
    }
    const auto begin = Steady::now();
    const auto resolved = (*room)->resolve(forks);
    seconds.push_back(Seconds(Steady::now() - begin).count());
    if (!resolved) return tl::make_unexpected(resolved.error());
    if (!std::holds_alternative<homeserver::RoomState>(*resolved)) {
      return fail(ErrorCode::internal, "events are missing in the resolution");
    }
  }
  const Percentiles took = percentiles_of(seconds);
  run.report.add({"rooms",
                  "two forks, " + std::to_string(members) + " members, " + std::to_string(events) + " events apart",
                  Unit::seconds,
                  took.p50,
                  took,
                  std::nullopt,
                  {}});
  return {};
}

// A room whose heads are so many; where they are `apart`, each changed the state. Its first user can send.
Result<RoomId> room_with_heads(storage::Database& database, const Ours& us, std::size_t members, std::size_t count,
                               bool apart) {
  StoredRoom room(database.rooms(), us.name, us.key, members);
  if (auto done = room.finish({room.whole()}, room.whole().state_id); !done) return tl::make_unexpected(done.error());
  std::vector<Tip> heads;
  for (std::size_t i = 0; i < count; ++i) {
    Tip& tip = heads.emplace_back(room.whole());
    const UserId& user = room.user(i % members);
    if (apart) {
      room.member(tip, user, user, "join", "head " + std::to_string(i));
    } else {
      room.add(tip, user, "m.room.message", std::nullopt, {{"body", std::to_string(i)}, {"msgtype", "m.text"}});
    }
  }
  if (auto done = room.flush(); !done) return tl::make_unexpected(done.error());
  const auto loaded = homeserver::Room::load(database.rooms(), room.id(), us.name);
  if (!loaded) return tl::make_unexpected(loaded.error());
  std::vector<homeserver::RoomState> forks;
  for (const Tip& tip : heads) forks.emplace_back(tip.state_id, std::make_shared<const StateMap>(tip.state));
  const auto resolved = (*loaded)->resolve(forks);
  if (!resolved) return tl::make_unexpected(resolved.error());
  const auto* state = std::get_if<homeserver::RoomState>(&*resolved);
  if (state == nullptr) return fail(ErrorCode::internal, "events are missing in the resolution");
  if (auto done = room.finish(heads, state->id()); !done) return tl::make_unexpected(done.error());
  return room.id();
}

// The first message onto so many heads, in a room that is in memory.
Result<void> send_onto_heads(Run& run, std::size_t heads, bool apart) {
  const Ours us;
  const std::size_t members = std::max<std::size_t>(run.scaled(1'000), 10);
  auto store = TemporaryStore::make(us.name);
  if (!store) return tl::make_unexpected(store.error());
  std::vector<double> seconds;
  for (int round = 0; round < (run.quick ? 1 : 9); ++round) {
    const auto room = room_with_heads((*store)->database(), us, members, heads, apart);
    if (!room) return tl::make_unexpected(room.error());
    LonelyRooms rooms((*store)->database(), us.name, us.key);
    // Refused, but not before the room is read.
    (void)rooms.say(*room, UserId::parse("@stranger:" + us.name.str()).value());
    const auto begin = Steady::now();
    const auto sent = rooms.say(*room, UserId::parse("@user0:" + us.name.str()).value());
    seconds.push_back(Seconds(Steady::now() - begin).count());
    if (!sent) return tl::make_unexpected(sent.error());
  }
  const Percentiles took = percentiles_of(seconds);
  run.report.add({"rooms",
                  "a send onto " + std::to_string(heads) + (heads == 1 ? " head" : " heads") +
                      (apart ? ", each of another state" : ""),
                  Unit::seconds, took.p50, took, 1 / run.machine.disk.single_commits_per_s, "a commit of one row"});
  return {};
}

double bytes_in(const std::string& folder) {
  std::uintmax_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file(error) && entry.path().filename().string().starts_with("homeserver.db")) {
      bytes += entry.file_size(error);
    }
  }
  return static_cast<double>(bytes);
}

// One room of a server, that grows: what it takes in memory, and each message on the disk.
Result<void> grow_one_room(Run& run) {
  auto servers = sandbox::OwnSandbox::start(1, {true, true});
  if (!servers) return tl::make_unexpected(servers.error());
  const std::string& name = (*servers)->status().servers.front().name;
  Load load({});
  const auto target = Target::at((*servers)->url(name));
  if (!target) return tl::make_unexpected(target.error());
  const auto account = make_accounts(load, *target, "speaker", 1);
  if (!account) return tl::make_unexpected(account.error());
  const auto room = make_room(load, *target, account->front(), {{"preset", "private_chat"}});
  if (!room) return tl::make_unexpected(room.error());
  const std::string folder = (*servers)->folder().server(name);
  std::atomic<std::size_t> sent = 0;
  double bytes = bytes_in(folder);
  for (const std::size_t wanted : {run.scaled(10'000), run.scaled(100'000)}) {
    const std::size_t before = sent;
    const LoadResult result = load.run(32, [&](std::size_t) -> std::optional<net::OutgoingRequest> {
      if (sent++ >= wanted) return std::nullopt;
      return message_request(*target, account->front().token, *room);
    });
    sent = wanted;
    if (result.failures > 0) return fail(ErrorCode::remote_error, "a send failed: " + result.first_failure);
    const auto memory = settled_memory(**servers, name);
    if (!memory) return tl::make_unexpected(memory.error());
    run.report.add({"rooms",
                    "a server with a room of " + std::to_string(wanted) + " events (PSS)",
                    Unit::bytes,
                    *memory,
                    std::nullopt,
                    std::nullopt,
                    {}});
    const double now = bytes_in(folder);
    run.report.add({"rooms",
                    "on the disk, each message up to " + std::to_string(wanted),
                    Unit::bytes,
                    (now - bytes) / static_cast<double>(wanted - before),
                    std::nullopt,
                    std::nullopt,
                    {}});
    bytes = now;
  }
  return {};
}

}  // namespace

Result<void> measure_rooms(Run& run) {
  for (const std::size_t tenths : {1, 10}) {
    const std::size_t members = std::max<std::size_t>(run.scaled(tenths * 1'000), 30);
    const std::size_t events = std::max<std::size_t>(run.scaled(tenths * 100), 20);
    if (auto done = resolve_forks(run, members, events); !done) return done;
  }
  for (const std::size_t heads : {1, 10, 100}) {
    if (auto done = send_onto_heads(run, heads, false); !done) return done;
  }
  for (const std::size_t heads : {10, 100}) {
    if (auto done = send_onto_heads(run, heads, true); !done) return done;
  }
  return grow_one_room(run);
}

}  // namespace skerry::bench
