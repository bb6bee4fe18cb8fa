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

// For versions whose room id is not the create event's hash.
Result<RoomId> random_room_id(const PipelineContext& context) {
  return RoomId::parse("!" + random_letters(context.random) + ":" + context.us.str());
}

Result<EventPtr> make_create_event(Engine& engine, const RoomRules& rules, const UserId& creator,
                                   const std::string& content_json) {
  auto content = parse_content(content_json);
  if (!content) return tl::make_unexpected(content.error());
  (*content)["room_version"] = rules.version;
  if (rules.create_has_creator) (*content)["creator"] = creator.str();
  Json pdu = {{"sender", creator.str()},
              {"type", "m.room.create"},
              {"state_key", ""},
              {"content", std::move(*content)},
              {"origin_server_ts", engine.context.clock.now_ms()},
              {"depth", 1},
              {"prev_events", Json::array()},
              {"auth_events", Json::array()}};
  if (!rules.room_id_is_create_hash) {
    auto id = random_room_id(engine.context);
    if (!id) return tl::make_unexpected(id.error());
    pdu["room_id"] = id->str();
  }
  return sign_pdu(engine, rules, std::move(pdu));
}

// All events of a new room, each built on the one before, none stored yet.
struct NewRoom {
  std::shared_ptr<Room> room;
  std::vector<Engine::Prepared> events;
};

Result<void> add(Engine& engine, NewRoom& made, Placed placed) {
  CommitOptions options;
  options.distribute = true;
  auto prepared = engine.prepare(made.room, std::move(placed), std::move(options));
  if (!prepared) return tl::make_unexpected(prepared.error());
  made.events.push_back(std::move(*prepared));
  return {};
}

Result<NewRoom> build_room(Engine& engine, const RoomRules& rules, const UserId& creator,
                           const std::string& content_json, std::vector<EventDraft> rest) {
  auto create = make_create_event(engine, rules, creator, content_json);
  if (!create) return tl::make_unexpected(create.error());
  NewRoom made;
  made.room = std::make_shared<Room>(engine.store, (*create)->room_id(), std::string(rules.version), rules);
  auto placed = place_own(*made.room, *create, RoomState());
  if (!placed) return tl::make_unexpected(placed.error());
  if (auto added = add(engine, made, std::move(*placed)); !added) return tl::make_unexpected(added.error());
  made.room->create = *create;
  for (auto& draft : rest) {
    draft.room = made.room->id;
    auto next = build_event(engine, *made.room, draft);
    if (!next) {
      const bool refused = next.error().code == ErrorCode::forbidden;
      return fail(refused ? ErrorCode::invalid_room_state : next.error().code, draft.type + ": " + next.error().text);
    }
    if (auto added = add(engine, made, std::move(*next)); !added) return tl::make_unexpected(added.error());
  }
  return made;
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

void create_local_room(const std::shared_ptr<Engine>& engine, const std::string& version, const UserId& creator,
                       const std::string& create_content_json, std::vector<EventDraft> rest,
                       std::function<void(Result<RoomId>)> done) {
  const auto answer = once<RoomId>(std::move(done));
  const RoomRules* rules = find_room_rules(version);
  if (rules == nullptr) {
    return answer(fail(ErrorCode::unsupported_room_version, "room version " + version + " is not known here"));
  }
  auto built = build_room(*engine, *rules, creator, create_content_json, std::move(rest));
  if (!built) return answer(tl::make_unexpected(built.error()));
  const auto made = std::make_shared<NewRoom>(std::move(*built));
  std::vector<storage::EventCommit> commits;
  for (const auto& prepared : made->events) commits.push_back(prepared.commit);
  engine->store.commit_all(std::move(commits), [engine, made, answer](Result<storage::StreamPosition> position) {
    if (!position) return answer(tl::make_unexpected(position.error()));
    for (const auto& prepared : made->events) engine->tell(*position, prepared);
    answer(made->room->id);
  });
}

}  // namespace skerry::homeserver
