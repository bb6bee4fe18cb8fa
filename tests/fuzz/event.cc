// A PDU as another server sends it, in every room version: format, event, storage, redaction, signatures, and the
// authorization rules with the event as the judged one and as the state that judges others.
#include "core/event.h"

#include <vector>

#include <nlohmann/json.hpp>

#include "core/authorization.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/room_builder.h"

using namespace skerry;
using skerry::test::must_hold;

namespace {

struct Room {
  explicit Room(const RoomRules* room_rules) : rules(*room_rules), builder(rules.version), tip(builder.created()) {
    guest_join = builder.make(tip, member(test::user("@bob:bravo.test"), "join"));
    kick = builder.make(tip, member(builder.creator(), "leave"));
    topic = builder.make(tip, {builder.creator(), "m.room.topic", "", R"({"topic":"t"})", 0, {}});
  }
  test::Draft member(const UserId& sender, const char* membership) const {
    return {sender, "m.room.member", "@bob:bravo.test", dump({{"membership", membership}}), 0, {}};
  }

  const RoomRules& rules;
  test::RoomBuilder builder;
  test::RoomBuilder::Tip tip;
  EventPtr guest_join, kick, topic;
};

void try_event(const Room& room, const Json& pdu) {
  const RoomRules& rules = room.rules;
  if (!check_format(rules, pdu)) return;
  const auto event = Event::make(rules, pdu);
  must_hold(event.has_value(), "what has the format is an event");
  const auto stored = Event::from_stored((*event)->id(), (*event)->canonical_text());
  must_hold(stored && (*stored)->pdu() == (*event)->pdu(), "an event survives storage");

  const Json redacted = redact(rules, pdu);
  must_hold(redact(rules, redacted) == redacted, "redaction takes nothing from what is redacted");
  must_hold(event_id_of(rules, redacted) == (*event)->id(), "redaction leaves the event id alone");
  must_hold(check_format(rules, redacted).has_value(), "a redacted event keeps the format");
  must_hold(Event::make(rules, redacted).has_value(), "a redacted event is an event");

  (void)verify_event(rules, pdu, test::all_keys());
  (void)required_signers(rules, pdu);
  (void)(*event)->redacts(rules);
  (void)(*event)->membership();

  // In a state where it stands itself, if it is a state event.
  const StateLookup state = [&](std::string_view type, std::string_view key) {
    return (*event)->is_state(type, key) ? *event : room.builder.in_state(room.tip.state, type, std::string(key));
  };
  const StateLookup before = [&](std::string_view type, std::string_view key) {
    return room.builder.in_state(room.tip.state, type, std::string(key));
  };
  (void)auth_event_keys(rules, (*event)->type(), (*event)->sender(), (*event)->state_key(), (*event)->content());
  std::vector<EventPtr> cited = {room.builder.create(), *event, nullptr};
  cited.resize((*event)->auth_events().size(), room.kick);
  (void)check_auth_events(rules, **event, cited, [](const EventId&) { return false; });
  for (const StateLookup& lookup : {state, before}) {
    (void)authorize(rules, **event, room.builder.create(), lookup);
  }
  for (const EventPtr& judged : {room.guest_join, room.kick, room.topic}) {
    (void)authorize(rules, *judged, room.builder.create(), state);
  }
  if ((*event)->is_state("m.room.create", "")) {
    must_hold(!room_creators(rules, **event).empty(), "a room has creators");
    (void)authorize(rules, **event, nullptr, state);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* rooms = [] {
    auto* made = new std::vector<Room*>;
    for (const RoomRules* rules : all_room_rules()) made->push_back(new Room(rules));
    return made;
  }();
  const auto pdu = parse_untrusted(test::text_of(data, size), JsonNumbers::any);
  if (!pdu) return 0;
  for (const Room* room : *rooms) try_event(*room, *pdu);
  return 0;
}
