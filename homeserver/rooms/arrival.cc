#include "homeserver/rooms/arrival.h"

#include "homeserver/rooms/admit.h"

namespace skerry::homeserver {

namespace {

// An event that has a place already, or is about to: the same judgement again.
bool answer_known(Room& room, const std::shared_ptr<Arrival>& arrival) {
  const auto known = room.judgement(arrival->event->id());
  if (!known) {
    arrival->answer(dropped(known.error().text));
    return true;
  }
  if (!known->has_value()) return false;
  const bool in_flight = room.wait_for(arrival->event->id(), [arrival, judgement = **known](bool committed) {
    arrival->answer(committed ? judgement : dropped("it could not be stored"));
  });
  if (!in_flight) arrival->answer(**known);
  return true;
}

}  // namespace

Judgement dropped(std::string reason) { return Judgement{Verdict::dropped, "", std::move(reason)}; }

void Arrival::answer(const Judgement& judgement) const {
  for (const auto& tell : told) tell(RemoteOutcome{event->id(), judgement});
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
    arrival->answer(dropped(is_behind.error().text));
    return std::nullopt;
  }
  auto outcome = admit(*room, arrival->event, std::move(state));
  if (!outcome) {
    arrival->answer(dropped(outcome.error().text));
    return std::nullopt;
  }
  if (auto* needs = std::get_if<Needs>(&*outcome)) return std::move(*needs);
  auto& admission = std::get<Admission>(*outcome);
  CommitOptions options;
  options.backfilled = *is_behind;
  // Step 6 asks whether somebody evades the present; what others build on already is the past.
  if (*is_behind && admission.judgement.verdict == Verdict::soft_failed) admission.judgement = Judgement{};
  const Judgement judgement = admission.judgement;
  const auto committed = [arrival, judgement](const Result<storage::StreamPosition>& position) {
    arrival->answer(position ? judgement : dropped("it could not be stored"));
  };
  if (!admission.before) {
    engine.commit_rejected(room, arrival->event, judgement, committed);
    return std::nullopt;
  }
  Result<RoomState> after = *admission.before;
  if (judgement.verdict != Verdict::rejected) after = room->state_after(*admission.before, *arrival->event);
  if (!after) {
    arrival->answer(dropped(after.error().text));
    return std::nullopt;
  }
  Placed placed{arrival->event, judgement, std::move(*admission.before), std::move(*after)};
  engine.commit(room, std::move(placed), std::move(options), committed);
  return std::nullopt;
}

}  // namespace skerry::homeserver
