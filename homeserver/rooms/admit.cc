#include "homeserver/rooms/admit.h"

#include <algorithm>

#include "core/authorization.h"

namespace skerry::homeserver {

namespace {

Judgement judgement_of(Verdict verdict, const Refused& refused) {
  return Judgement{verdict, refused.rule, refused.reason};
}

StateLookup lookup_among(const std::vector<EventPtr>& events) {
  return [&events](std::string_view type, std::string_view state_key) -> EventPtr {
    for (const auto& event : events) {
      if (event->is_state(type, state_key)) return event;
    }
    return nullptr;
  };
}

StateLookup lookup_in(Room& room, const RoomState& state) {
  return [&room, &state](std::string_view type, std::string_view state_key) {
    return room.state_event(state, type, state_key);
  };
}

// The event's auth events, or those that are absent.
std::variant<std::vector<EventPtr>, Needs> gather_auth_events(const Event& event, const EventLookup& events) {
  std::vector<EventPtr> found;
  Needs needs;
  for (const auto& id : event.auth_events()) {
    if (auto auth_event = events(id)) {
      found.push_back(std::move(auth_event));
    } else {
      needs.auth_events.push_back(id);
    }
  }
  if (!needs.auth_events.empty()) return needs;
  return found;
}

// True when the event cites just what the state before it would have it cite: then both give the same authorization.
bool cites_state(Room& room, const Event& event, const RoomState& state) {
  auto selected = select_auth_events(room, state, event.type(), event.sender(), event.state_key(), event.content());
  auto cited = event.auth_events();
  std::sort(selected.begin(), selected.end());
  std::sort(cited.begin(), cited.end());
  return selected == cited;
}

// Refused, or nothing. What a rule needs and the state's events do not give counts as refused: a state has all its
// events.
std::optional<Refused> refusal(const RoomRules& rules, const Event& event, const EventPtr& create,
                               const StateLookup& state) {
  const AuthVerdict verdict = authorize(rules, event, create, state);
  if (const auto* refused = std::get_if<Refused>(&verdict)) return *refused;
  if (std::holds_alternative<Missing>(verdict)) return Refused{"", "the state lacks an event that decides this"};
  return std::nullopt;
}

}  // namespace

std::vector<EventId> select_auth_events(Room& room, const RoomState& state, std::string_view type, const UserId& sender,
                                        const std::optional<std::string>& state_key, const Json& content) {
  std::vector<EventId> selected;
  for (const auto& key : auth_event_keys(room.rules, type, sender, state_key, content)) {
    if (const EventId* event = state.find(key.type, key.state_key)) selected.push_back(*event);
  }
  return selected;
}

Result<std::variant<Judgement, Needs>> judge_by_auth_events(const RoomRules& rules, const Event& event,
                                                            const EventPtr& create, const EventLookup& events,
                                                            const std::function<bool(const EventId&)>& rejected) {
  using Outcome = std::variant<Judgement, Needs>;
  auto gathered = gather_auth_events(event, events);
  if (auto* needs = std::get_if<Needs>(&gathered)) return Outcome(std::move(*needs));
  const auto& auth_events = std::get<std::vector<EventPtr>>(gathered);
  const AuthVerdict by_form = check_auth_events(rules, event, auth_events, rejected);
  if (const auto* refused = std::get_if<Refused>(&by_form)) return Outcome(judgement_of(Verdict::rejected, *refused));
  if (const auto* missing = std::get_if<Missing>(&by_form)) return Outcome(Needs{missing->ids, {}});
  const EventPtr& known_create = event.is_state("m.room.create", "") ? EventPtr() : create;
  if (const auto refused = refusal(rules, event, known_create, lookup_among(auth_events))) {
    return Outcome(judgement_of(Verdict::rejected, *refused));
  }
  return Outcome(Judgement{});
}

namespace {

constexpr std::size_t events_looked_at = 2'000;  // and pages of citations

// Step 6. After a gap the current state lacks what happened in it, such as the sender's join: what counts then is the
// current state with what the event's own past adds to it. A ban there stands against a join from before it. That is
// more than the specification asks for, so there is an end to what it may cost: who was refused can make an event's
// past as long as they like.
Result<std::optional<Refused>> refusal_now(Room& room, const Event& event, const RoomState& before) {
  const auto refused = refusal(room.rules, event, room.create, lookup_in(room, room.current));
  if (!refused) return std::optional<Refused>();
  const auto informed = room.current_informed_by(before, events_looked_at);
  if (!informed) return tl::make_unexpected(informed.error());
  return *informed ? refusal(room.rules, event, room.create, lookup_in(room, **informed)) : refused;
}

}  // namespace

Result<std::variant<Admission, Needs>> admit(Room& room, const EventPtr& event, std::optional<RoomState> before,
                                             JudgedBy judged_by) {
  using Outcome = std::variant<Admission, Needs>;
  Needs needs;
  if (!before) {
    auto state = room.state_before(event->prev_events());
    if (!state) return tl::make_unexpected(state.error());
    if (auto* absent = std::get_if<Needs>(&*state)) {
      needs = std::move(*absent);
    } else {
      before = std::move(std::get<RoomState>(*state));
    }
  }
  // 4. by the events that it cites
  auto by_auth_events = judge_by_auth_events(
      room.rules, *event, room.create, [&room](const EventId& id) { return room.event(id); },
      [&room](const EventId& id) { return room.rejected(id); });
  if (auto trouble = room.take_trouble()) return tl::make_unexpected(*trouble);
  if (!by_auth_events) return tl::make_unexpected(by_auth_events.error());
  if (auto* absent = std::get_if<Needs>(&*by_auth_events)) {
    needs.auth_events.insert(needs.auth_events.end(), absent->auth_events.begin(), absent->auth_events.end());
    return Outcome(std::move(needs));
  }
  auto judgement = std::get<Judgement>(std::move(*by_auth_events));
  if (judgement.verdict == Verdict::rejected) return Outcome(Admission{std::move(judgement), std::move(before)});
  if (!before) return Outcome(std::move(needs));
  // 5. by the state before it
  if (!cites_state(room, *event, *before)) {
    if (const auto refused = refusal(room.rules, *event, room.create, lookup_in(room, *before))) {
      judgement = judgement_of(Verdict::rejected, *refused);
    }
  }
  // 6. by the room's current state
  const bool is_asked = judged_by == JudgedBy::past_and_present && before->id() != room.current.id();
  if (judgement.verdict == Verdict::accepted && is_asked) {
    auto refused = refusal_now(room, *event, *before);
    if (!refused) return tl::make_unexpected(refused.error());
    if (*refused) judgement = judgement_of(Verdict::soft_failed, **refused);
  }
  if (auto trouble = room.take_trouble()) return tl::make_unexpected(*trouble);
  return Outcome(Admission{std::move(judgement), std::move(before)});
}

bool redaction_applies(Room& room, const Event& redaction, const Event* target, const RoomState& state) {
  if (room.rules.redaction_rule) return true;  // authorized already, by rule 11
  if (target != nullptr && target->sender().server() == redaction.sender().server()) return true;
  const EventPtr power_levels = room.state_event(state, "m.room.power_levels", "");
  return power_of_user(room.rules, redaction.sender(), room.create, power_levels) >=
         power_for_action(room.rules, "redact", power_levels);
}

}  // namespace skerry::homeserver
