#include "homeserver/rooms/local.h"

#include <nlohmann/json.hpp>

#include "homeserver/rooms/build.h"

namespace skerry::homeserver {

namespace {

using SendDone = Once<Result<EventId>>;

// True when the transaction was answered, or will be: with the event that it made before.
bool answer_repeated(Engine& engine, Room& room, const storage::ClientTransaction& transaction, const SendDone& done) {
  if (const auto event = room.transaction_in_flight(transaction)) {
    return room.wait_for(*event, [event = *event, done](bool committed) {
      done(committed ? Result<EventId>(event) : fail(ErrorCode::storage, "the event could not be stored"));
    });
  }
  const auto stored = engine.store.transaction_event(transaction);
  if (!stored) {
    done(tl::make_unexpected(stored.error()));
    return true;
  }
  if (stored->has_value()) done(**stored);
  return stored->has_value();
}

void send_in_turn(const std::shared_ptr<Engine>& engine, const EventDraft& draft, const SendDone& done) {
  const auto room = engine->open(draft.room);
  if (!room) return done(tl::make_unexpected(room.error()));
  if (draft.transaction && answer_repeated(*engine, **room, *draft.transaction, done)) return;
  if (!(*room)->residents.anyone_here()) {
    return done(fail(ErrorCode::forbidden, "nobody of this server is in the room any more"));
  }
  auto placed = build_event(*engine, **room, draft);
  if (!placed) return done(tl::make_unexpected(placed.error()));
  CommitOptions options;
  options.distribute = true;
  options.transaction = draft.transaction;
  const EventId id = placed->event->id();
  engine->commit(*room, std::move(*placed), std::move(options), [done, id](Result<storage::StreamPosition> position) {
    done(position ? Result<EventId>(id) : tl::make_unexpected(position.error()));
  });
}

}  // namespace

void send_local(const std::shared_ptr<Engine>& engine, EventDraft draft, std::function<void(Result<EventId>)> done) {
  const SendDone answer = once<EventId>(std::move(done));
  if (draft.sender.server() != engine->context.us)
    return answer(fail(ErrorCode::forbidden, "not a user of this server"));
  const RoomId room = draft.room;
  engine->post(
      room, [engine, draft = std::move(draft), answer] { send_in_turn(engine, draft, answer); },
      [answer](const Error& error) { answer(tl::make_unexpected(error)); });
}

}  // namespace skerry::homeserver
