// What a server makes of us that floods a room with events whose judging is dear: each where no other stands, refused
// by the current state or not. Processor time and bytes of each event, by the room's size and by the flood's length,
// and how long a message takes in another room meanwhile.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <thread>

#include <nlohmann/json.hpp>

#include "bench/lonely_rooms.h"
#include "bench/measurements.h"
#include "bench/stored_room.h"
#include "core/authorization.h"

namespace skerry::bench {

namespace {

struct Us {
  ServerName name = ServerName::parse("alpha.test").value();
  SigningKey key = SigningKey::from_seed(KeyId::parse("ed25519:bench").value(), std::string(32, 'b'));
  ServerName enemy = ServerName::parse("mallory.test").value();
};

// Where a flood's events are put: a place in the room's past, or where the flood itself has come to.
using NextEvent = std::function<EventPtr(StoredRoom& room, std::vector<Tip>& places, std::size_t n)>;

struct Flood {
  std::string name;
  std::size_t members;
  std::size_t places;  // of the past, each of another state
  bool banned;         // the sender, by now
  NextEvent next;
};

// A place with no more of its state than events of this sender cite.
Tip poor(const Tip& tip, const RoomRules& rules, const UserId& sender) {
  Tip place{tip.heads, tip.depth, {}, 0};
  for (const StateKey& key : auth_event_keys(rules, "m.room.message", sender, std::nullopt, {})) {
    if (const auto entry = tip.state.find(key); entry != tip.state.end()) place.state.insert(*entry);
  }
  return place;
}

EventPtr message_at_a_place(StoredRoom& room, std::vector<Tip>& places, std::size_t n) {
  Tip place = places.at(n % places.size());
  return room.draft(place, room.user(1), "m.room.message", std::nullopt,
                    {{"body", std::to_string(n)}, {"msgtype", "m.text"}});
}

EventPtr state_after_state(StoredRoom& room, std::vector<Tip>& places, std::size_t n) {
  return room.draft(places.front(), room.user(1), "test.state", std::to_string(n), {{"n", n}});
}

std::uintmax_t bytes_of(const std::string& folder) {
  std::uintmax_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.is_regular_file(error)) bytes += entry.file_size(error);
  }
  return bytes;
}

constexpr std::size_t quiet_messages = 200;
constexpr std::size_t flood_beside = 30;

// A room that is not flooded, where one user talks.
class OtherRoom {
 public:
  OtherRoom(storage::Database& database, const Us& us) : room_(database.rooms(), us.name, us.key, 2) {}
  Result<void> finish() { return room_.finish({room_.whole()}, room_.whole().state_id); }

  // Seconds until each message is on the disk, one after the other while `go_on()`. Errors: why one is not.
  Result<std::vector<double>> talk(LonelyRooms& rooms, const std::function<bool()>& go_on) {
    std::vector<double> seconds;
    while (go_on()) {
      const auto begin = std::chrono::steady_clock::now();
      if (auto said = rooms.say(room_.id(), room_.user(0)); !said) return tl::make_unexpected(said.error());
      seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
    return seconds;
  }

 private:
  StoredRoom room_;
};

// What came of one event of the flood. Errors: internal, when it is not what was meant.
Result<void> take_one(LonelyRooms& rooms, const Us& us, const Flood& flood, Json pdu) {
  const auto outcome = rooms.receive(us.enemy, std::move(pdu));
  const auto verdict = flood.banned ? Verdict::soft_failed : Verdict::accepted;
  if (outcome.judgement.verdict == verdict) return {};
  return fail(ErrorCode::internal, "not what becomes of a flood: " + outcome.judgement.reason);
}

// A message in another room, alone and while the flood goes on.
Result<void> measure_beside(Run& run, const Flood& flood, std::size_t events, TemporaryStore& store, StoredRoom& room,
                            std::vector<Tip>& places, OtherRoom& other) {
  const Us us;
  LonelyRooms rooms(store.database(), us.name, us.key);
  std::size_t said = 0;
  const auto before = other.talk(rooms, [&] { return said++ < quiet_messages; });
  if (!before) return tl::make_unexpected(before.error());
  const Percentiles quiet = percentiles_of(*before);
  std::atomic<bool> over = false;
  Result<std::vector<double>> meanwhile;
  std::thread talking([&] { meanwhile = other.talk(rooms, [&] { return !over; }); });
  Result<void> taken;
  for (std::size_t n = events; n < events + flood_beside && taken; ++n) {
    taken = take_one(rooms, us, flood, flood.next(room, places, n)->pdu());
  }
  over = true;
  talking.join();
  if (!taken) return taken;
  if (!meanwhile) return tl::make_unexpected(meanwhile.error());
  const Percentiles busy = percentiles_of(std::move(*meanwhile));
  run.report.add(
      {"floods", "  a send in another room meanwhile", Unit::seconds, busy.p50, busy, quiet.p50, "without it"});
  return {};
}

Result<void> measure(Run& run, const Flood& flood, std::size_t events) {
  const Us us;
  auto store = TemporaryStore::make(us.name);
  if (!store) return tl::make_unexpected(store.error());
  StoredRoom room((*store)->database().rooms(), us.name, us.key, flood.members);
  const RoomRules& rules = *find_room_rules(default_room_version);
  std::vector<Tip> places;
  for (std::size_t i = 0; i < flood.places; ++i) {
    const UserId& user = room.user(2 + i % (flood.members - 2));
    room.member(room.whole(), user, user, "join", "renamed " + std::to_string(i));
    places.push_back(poor(room.whole(), rules, room.user(1)));
  }
  if (flood.banned) room.member(room.whole(), room.user(0), room.user(1), "ban");
  if (auto done = room.finish({room.whole()}, room.whole().state_id); !done) return done;
  OtherRoom other((*store)->database(), us);
  if (auto done = other.finish(); !done) return done;
  if (auto opened = (*store)->reopen(); !opened) return opened;
  const auto bytes = bytes_of((*store)->folder());
  std::vector<double> seconds;
  {
    LonelyRooms rooms((*store)->database(), us.name, us.key);
    (void)rooms.say(room.id(), UserId::parse("@stranger:" + us.name.str()).value());
    for (std::size_t n = 0; n < events; ++n) {
      Json pdu = flood.next(room, places, n)->pdu();
      const std::clock_t begin = std::clock();
      if (auto taken = take_one(rooms, us, flood, std::move(pdu)); !taken) return taken;
      seconds.push_back(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    }
  }
  if (auto opened = (*store)->reopen(); !opened) return opened;
  const auto grown = bytes_of((*store)->folder()) - bytes;
  // The last tenth: what an event costs after so many.
  const std::size_t tail = std::min(std::max<std::size_t>(events / 10, 5), seconds.size());
  const Percentiles took = percentiles_of({seconds.end() - static_cast<std::ptrdiff_t>(tail), seconds.end()});
  const std::string after = ", " + std::to_string(flood.members) + " members, after " + std::to_string(events);
  run.report.add({"floods", flood.name + after, Unit::seconds, took.p50, took, std::nullopt, {}});
  run.report.add({"floods",
                  "  each on the disk",
                  Unit::bytes,
                  static_cast<double>(grown) / static_cast<double>(events),
                  std::nullopt,
                  std::nullopt,
                  {}});
  return measure_beside(run, flood, events, **store, room, places, other);
}

}  // namespace

Result<void> measure_floods(Run& run) {
  for (const std::size_t members : {run.scaled(1'000), run.scaled(10'000)}) {
    const std::size_t size = std::max<std::size_t>(members, 30);
    for (const std::size_t events : {run.scaled(50), run.scaled(500)}) {
      for (const Flood& flood : {Flood{"refused, in the past", size, events, true, message_at_a_place},
                                 Flood{"refused, on its own", size, 1, true, state_after_state},
                                 Flood{"taken, in the past", size, events, false, message_at_a_place}}) {
        if (auto done = measure(run, flood, events); !done) return done;
      }
    }
  }
  return {};
}

}  // namespace skerry::bench
