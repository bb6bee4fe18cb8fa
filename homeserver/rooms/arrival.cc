#include "homeserver/rooms/arrival.h"

#include "homeserver/rooms/admit.h"
#include "homeserver/rooms/heads.h"

namespace skerry::homeserver {

namespace {

constexpr const char* not_stored = "it could not be stored";

// An event that has a place already, or is about to: the same judgement again.
bool answer_known(Room& room, const std::shared_ptr<Arrival>& arrival) {
  const auto known = room.judgement(arrival->event->id());
  if (!known) {
    arrival->put_off(known.error().text);
    return true;
  }
  if (!known->has_value()) return false;
  const bool in_flight = room.wait_for(arrival->event->id(), [arrival, judgement = **known](bool committed) {
    committed ? arrival->answer(judgement) : arrival->put_off(not_stored);
  });
  if (!in_flight) arrival->answer(**known);
  return true;
}

}  // namespace

Judgement dropped(std::string reason) { return Judgement{Verdict::dropped, "", std::move(reason)}; }

void Arrival::answer(const Judgement& judgement) const {
  for (const auto& tell : told) tell(RemoteOutcome{event->id(), judgement});
}

void Arrival::put_off(const std::string& reason) const {
  for (const auto& tell : told) tell(RemoteOutcome{event->id(), dropped(reason), true});
}

std::optional<Needs> offer(Engine& engine, const std::shared_ptr<Room>& room, const std::shared_ptr<Arrival>& arrival,
                           std::optional<RoomState> state) {
  if (!room->residents.anyone_here()) {
    arrival->answer(dropped("nobody of this server is in the room"));
    return std::nullopt;
  }
  if (answer_known(*room, arrival)) return std::nullopt;
  const auto is_behind = room->is_behind_others(arrival->event->id());
  if (!is_behind) {
    arrival->put_off(is_behind.error().text);
    return std::nullopt;
  }
  auto outcome =
      admit(*room, arrival->event, std::move(state), *is_behind ? JudgedBy::past : JudgedBy::past_and_present);
  if (!outcome) {
    arrival->put_off(outcome.error().text);
    return std::nullopt;
  }
  if (auto* needs = std::get_if<Needs>(&*outcome)) return std::move(*needs);
  auto& admission = std::get<Admission>(*outcome);
  CommitOptions options;
  if (*is_behind) {
    const bool is_new_to_us = admission.before && room->was_one_of_us_in(*admission.before);
    options.standing = is_new_to_us ? Standing::late : Standing::history;
  }
  // 7. by the room's policy server
  if (!*is_behind && admission.judgement.verdict == Verdict::accepted && engine.context.refused_by_policy) {
    if (auto refused = engine.context.refused_by_policy(arrival->event)) {
      admission.judgement = Judgement{Verdict::soft_failed, std::move(refused->rule), std::move(refused->reason)};
    }
  }
  const Judgement judgement = admission.judgement;
  const auto committed = [arrival, judgement](const Result<storage::StreamPosition>& position) {
    position ? arrival->answer(judgement) : arrival->put_off(not_stored);
  };
  if (!admission.before) {
    engine.commit_rejected(room, arrival->event, judgement, committed);
    return std::nullopt;
  }
  Result<RoomState> after = *admission.before;
  if (judgement.verdict != Verdict::rejected) after = room->state_after(*admission.before, *arrival->event);
  if (!after) {
    arrival->put_off(after.error().text);
    return std::nullopt;
  }
  Placed placed{arrival->event, judgement, std::move(*admission.before), std::move(*after)};
  engine.commit(room, std::move(placed), std::move(options), committed);
  merge_heads(engine, room);
  return std::nullopt;
}

}  // namespace skerry::homeserver
