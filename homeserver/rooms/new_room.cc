#include "homeserver/rooms/new_room.h"

#include <nlohmann/json.hpp>

#include "homeserver/rooms/build.h"

namespace skerry::homeserver {

namespace {

Result<EventPtr> make_create_event(Engine& engine, const RoomRules& rules, const std::optional<RoomId>& id,
                                   const UserId& creator, const std::string& content_json) {
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
  if (id) pdu["room_id"] = id->str();
  return sign_pdu(engine, rules, std::move(pdu));
}

Result<void> add(Engine& engine, NewRoom& made, Placed placed) {
  CommitOptions options;
  options.distribute = true;
  auto prepared = engine.prepare(made.room, std::move(placed), std::move(options));
  if (!prepared) return tl::make_unexpected(prepared.error());
  made.events.push_back(std::move(*prepared));
  return {};
}

}  // namespace

std::optional<RoomId> choose_room_id(const PipelineContext& context, const RoomRules& rules) {
  if (rules.room_id_is_create_hash) return std::nullopt;
  return RoomId::parse("!" + random_letters(context.random) + ":" + context.us.str()).value();
}

Result<NewRoom> build_room(Engine& engine, const RoomRules& rules, const std::optional<RoomId>& id,
                           const UserId& creator, const std::string& create_content_json,
                           std::vector<EventDraft> rest) {
  auto create = make_create_event(engine, rules, id, creator, create_content_json);
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

void create_local_room(const std::shared_ptr<Engine>& engine, const std::string& version, const UserId& creator,
                       const std::string& create_content_json, std::vector<EventDraft> rest,
                       std::function<void(Result<RoomId>)> done) {
  const auto answer = once<RoomId>(std::move(done));
  const RoomRules* rules = find_room_rules(version);
  if (rules == nullptr) {
    return answer(fail(ErrorCode::unsupported_room_version, "room version " + version + " is not known here"));
  }
  const auto id = choose_room_id(engine->context, *rules);
  auto built = build_room(*engine, *rules, id, creator, create_content_json, std::move(rest));
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
