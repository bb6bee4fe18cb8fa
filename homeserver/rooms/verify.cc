#include "homeserver/rooms/verify.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "homeserver/rooms/once.h"

namespace skerry::homeserver {

namespace {

constexpr std::size_t pdus_worth_a_thread = 32;

Verification dropped(ErrorCode code, std::string text) {
  return Verification{nullptr, {}, Error{code, std::move(text)}};
}

// Calls work(i) for all i below `count`, on as many threads as there are cores when there is enough to do.
template <class Work>
void on_all_cores(std::size_t count, const Work& work) {
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < count; i = next++) work(i);
  };
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::thread> helpers;
  for (std::size_t i = 1; i < std::min(cores, count / pdus_worth_a_thread); ++i) helpers.emplace_back(run);
  run();
  for (auto& helper : helpers) helper.join();
}

void fetch_keys_and_wait(RemoteRooms& remote, const std::vector<Verification>& verifications,
                         const std::vector<ServerName>& notaries) {
  std::set<std::pair<ServerName, KeyId>> missing;
  for (const auto& verification : verifications) {
    missing.insert(verification.missing_keys.begin(), verification.missing_keys.end());
  }
  if (missing.empty()) return;
  Answer<bool> answer;
  remote.fetch_keys({missing.begin(), missing.end()}, notaries, [give = answer.giver()] { give(true); });
  const auto answered = answer.wait();
  static_cast<void>(answered);  // found or not: verification tells
}

}  // namespace

KeyLookup known_keys(RemoteRooms& remote) {
  return [&remote](const ServerName& server, const KeyId& key) { return remote.known_key(server, key); };
}

Result<RoomId> room_id_of(const Json& pdu) {
  if (!pdu.is_object()) return fail(ErrorCode::bad_json, "not an object");
  if (const std::string* room_id = find_string(pdu, "room_id")) return RoomId::parse(*room_id);
  const std::string* type = find_string(pdu, "type");
  if (type != nullptr && *type == "m.room.create") {
    for (const RoomRules* rules : all_room_rules()) {
      if (!rules->room_id_is_create_hash) continue;
      if (!check_format(*rules, pdu)) continue;
      const auto id = event_id_of(*rules, pdu);
      if (id) return RoomId::parse("!" + id->str().substr(1));
    }
  }
  return fail(ErrorCode::bad_json, "it names no room");
}

Verification verify_pdu(const RoomRules& rules, const RoomId& room, const Json& pdu, const KeyLookup& keys) {
  // 1. a valid event
  if (auto well_formed = check_format(rules, pdu); !well_formed) {
    return dropped(well_formed.error().code, std::move(well_formed.error().text));
  }
  // 2. signatures, 3. hash
  auto report = verify_event(rules, pdu, keys);
  if (report.integrity == EventIntegrity::missing_key) {
    Verification verification = dropped(ErrorCode::bad_signature, "its signing key could not be got");
    verification.missing_keys = std::move(report.missing);
    return verification;
  }
  if (report.integrity == EventIntegrity::bad_signature) {
    return dropped(ErrorCode::bad_signature, "it is not validly signed by its sender's server");
  }
  auto event = Event::make(rules, report.integrity == EventIntegrity::hash_mismatch ? redact(rules, pdu) : pdu);
  if (!event) return dropped(event.error().code, std::move(event.error().text));
  if ((*event)->room_id() != room) return dropped(ErrorCode::bad_json, "it belongs to another room");
  return Verification{std::move(*event), {}, {}};
}

std::vector<EventPtr> verify_all(RemoteRooms& remote, const RoomRules& rules, const RoomId& room,
                                 const std::vector<Json>& pdus, const std::vector<ServerName>& notaries) {
  const KeyLookup keys = known_keys(remote);
  std::vector<Verification> verifications(pdus.size());
  on_all_cores(pdus.size(), [&](std::size_t i) { verifications[i] = verify_pdu(rules, room, pdus[i], keys); });
  fetch_keys_and_wait(remote, verifications, notaries);
  on_all_cores(pdus.size(), [&](std::size_t i) {
    if (!verifications[i].missing_keys.empty()) verifications[i] = verify_pdu(rules, room, pdus[i], keys);
  });
  std::vector<EventPtr> events;
  for (auto& verification : verifications) {
    if (verification.event) events.push_back(std::move(verification.event));
  }
  return events;
}

bool has_anothers_id(Room& room, const Event& event) {
  if (room.rules.event_ids != RoomRules::EventIds::in_event) return false;
  const EventPtr known = room.event(event.id());
  if (!known) return false;
  return known->room_id() != event.room_id() ||
         reference_hash(room.rules, known->pdu()).value() != reference_hash(room.rules, event.pdu()).value();
}

}  // namespace skerry::homeserver
