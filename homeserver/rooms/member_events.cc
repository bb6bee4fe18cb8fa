#include "homeserver/rooms/member_events.h"

#include <nlohmann/json.hpp>

#include "homeserver/rooms/admit.h"
#include "homeserver/rooms/build.h"
#include "homeserver/rooms/restricted.h"
#include "homeserver/rooms/verify.h"

namespace skerry::homeserver {

namespace {

using TemplateDone = Once<Result<EventTemplate>>;
using MembershipDone = Once<Result<RoomAtEvent>>;

Result<EventTemplate> make_in_turn(Engine& engine, const EventDraft& draft) {
  const auto room = engine.open(draft.room);
  if (!room) return tl::make_unexpected(room.error());
  if (!(*room)->residents.anyone_here()) return fail(ErrorCode::not_found, "this server is not in the room");
  auto foundation = choose_foundation(**room);
  if (!foundation) return tl::make_unexpected(foundation.error());
  auto pdu = build_pdu(engine, **room, draft, *foundation);
  if (!pdu) return tl::make_unexpected(pdu.error());
  // The rules are asked about a complete event; who signs it makes no difference to them.
  auto event = sign_pdu(engine, (*room)->rules, *pdu);
  if (!event) return tl::make_unexpected(event.error());
  auto placed = place_own(**room, *event, std::move(foundation->state));
  if (!placed) return tl::make_unexpected(placed.error());
  return EventTemplate{(*room)->version, std::make_shared<const Json>(std::move(*pdu))};
}

// A membership event of another server, as long as it is on its way.
struct SignedMembership {
  ServerName origin;
  RoomId room;
  const RoomRules* rules = nullptr;
  Json pdu;
  bool keys_fetched = false;
};

// 'send_join' and its like: what must hold before anything is signed.
Result<void> check_shape(const RoomRules& rules, const ServerName& origin, const Json& pdu) {
  if (auto well_formed = check_format(rules, pdu); !well_formed) return well_formed;
  const Json* content = find_object(pdu, "content");
  const std::string* type = find_string(pdu, "type");
  const std::string* membership = content == nullptr ? nullptr : find_string(*content, "membership");
  const std::string* sender = find_string(pdu, "sender");
  const std::string* state_key = find_string(pdu, "state_key");
  if (type == nullptr || *type != "m.room.member" || membership == nullptr || sender == nullptr ||
      state_key == nullptr) {
    return fail(ErrorCode::invalid_param, "not a membership event");
  }
  if (*membership != "join" && *membership != "leave" && *membership != "knock") {
    return fail(ErrorCode::invalid_param, "not a join, leave or knock");
  }
  if (*sender != *state_key) return fail(ErrorCode::invalid_param, "sender and state_key differ");
  const auto user = UserId::parse(*sender);
  if (!user || user->server() != origin)
    return fail(ErrorCode::invalid_param, "the sender is not a user of that server");
  return {};
}

// True when the event names one of our users as the one who vouches for the join.
bool asks_for_our_signature(const Engine& engine, const Json& pdu) {
  const Json* content = find_object(pdu, "content");
  const std::string* voucher = content == nullptr ? nullptr : find_string(*content, "join_authorised_via_users_server");
  const auto user = voucher == nullptr ? fail(ErrorCode::not_found, "") : UserId::parse(*voucher);
  return user && user->server() == engine.context.us;
}

// Our signature says that the conditions of the join rules are met: they are looked at again.
Result<void> vouch(Engine& engine, Room& room, Json& pdu) {
  auto state = choose_foundation(room);
  if (!state) return tl::make_unexpected(state.error());
  const auto user = UserId::parse(*find_string(pdu, "sender"));
  Json content = *find_object(pdu, "content");
  content.erase("join_authorised_via_users_server");
  if (auto met = authorise_join(engine, room, state->state, *user, content); !met) return met;
  return add_our_signature(engine, room.rules, pdu);
}

// The state before the event and its auth chain, read outside the room's turn: it may be large.
Result<RoomAtEvent> describe(Engine& engine, EventPtr event, const StatePtr& state, std::vector<ServerName> servers) {
  RoomAtEvent room{std::move(event), {}, {}, std::move(servers)};
  std::vector<EventId> ids;
  for (const auto& [key, id] : *state) ids.push_back(id);
  auto stored = engine.store.events(ids);
  if (!stored) return tl::make_unexpected(stored.error());
  for (auto& known : *stored) room.state.push_back(std::move(known.event));
  ids.insert(ids.end(), room.event->auth_events().begin(), room.event->auth_events().end());
  auto chain_ids = engine.store.auth_chain(ids);
  if (!chain_ids) return tl::make_unexpected(chain_ids.error());
  chain_ids->insert(chain_ids->end(), room.event->auth_events().begin(), room.event->auth_events().end());
  std::sort(chain_ids->begin(), chain_ids->end());
  chain_ids->erase(std::unique(chain_ids->begin(), chain_ids->end()), chain_ids->end());
  auto chain = engine.store.events(*chain_ids);
  if (!chain) return tl::make_unexpected(chain.error());
  for (auto& known : *chain) room.auth_chain.push_back(std::move(known.event));
  return room;
}

void answer_with_room(const std::shared_ptr<Engine>& engine, const EventPtr& event, const RoomState& before,
                      std::vector<ServerName> servers, const MembershipDone& done) {
  const bool posted = engine->context.turns.post([engine, event, before, servers = std::move(servers), done] {
    done(describe(*engine, event, before.map(), servers));
  });
  if (!posted) done(fail(ErrorCode::limit_exceeded, "this server has too much to do"));
}

void commit_membership(const std::shared_ptr<Engine>& engine, const std::shared_ptr<Room>& room, const EventPtr& event,
                       const MembershipDone& done) {
  std::vector<ServerName> servers = *room->residents.other_servers(engine->context.us);
  servers.push_back(engine->context.us);
  if (has_anothers_id(*room, *event)) return done(fail(ErrorCode::forbidden, "another event has this id"));
  const auto known = room->placed(event->id());
  if (!known) return done(tl::make_unexpected(known.error()));
  if (known->has_value()) {  // sent again: the same answer
    if ((*known)->judgement.verdict != Verdict::accepted)
      return done(fail(ErrorCode::forbidden, (*known)->judgement.reason));
    const RoomState before = (*known)->before;
    const bool waits = room->wait_for(event->id(), [engine, event, before, servers, done](bool committed) {
      if (!committed) return done(fail(ErrorCode::storage, "the event could not be stored"));
      answer_with_room(engine, event, before, servers, done);
    });
    if (!waits) answer_with_room(engine, event, before, std::move(servers), done);
    return;
  }
  auto placed = place_own(*room, event);
  if (!placed) return done(tl::make_unexpected(placed.error()));
  CommitOptions options;
  options.distribute = true;
  const RoomState before = placed->before;
  engine->commit(room, std::move(*placed), std::move(options),
                 [engine, event, before, servers, done](const Result<storage::StreamPosition>& position) {
                   if (!position) return done(tl::make_unexpected(position.error()));
                   answer_with_room(engine, event, before, servers, done);
                 });
}

void receive_in_turn(const std::shared_ptr<Engine>& engine, const std::shared_ptr<SignedMembership>& membership,
                     const MembershipDone& done);

void post_membership(const std::shared_ptr<Engine>& engine, const std::shared_ptr<SignedMembership>& membership,
                     const MembershipDone& done) {
  engine->post(
      membership->room, [engine, membership, done] { receive_in_turn(engine, membership, done); },
      [done](const Error& error) { done(tl::make_unexpected(error)); });
}

void receive_in_turn(const std::shared_ptr<Engine>& engine, const std::shared_ptr<SignedMembership>& membership,
                     const MembershipDone& done) {
  const auto room = engine->open(membership->room);
  if (!room) return done(tl::make_unexpected(room.error()));
  if (!(*room)->residents.anyone_here()) return done(fail(ErrorCode::not_found, "this server is not in the room"));
  if (asks_for_our_signature(*engine, membership->pdu)) {
    if (auto vouched = vouch(*engine, **room, membership->pdu); !vouched)
      return done(tl::make_unexpected(vouched.error()));
  }
  const auto report = verify_event((*room)->rules, membership->pdu, known_keys(engine->context.remote));
  if (report.integrity == EventIntegrity::missing_key && !membership->keys_fetched) {
    membership->keys_fetched = true;
    engine->context.remote.fetch_keys(report.missing, {membership->origin},
                                      [engine, membership, done] { post_membership(engine, membership, done); });
    return;
  }
  if (report.integrity != EventIntegrity::good) {
    return done(fail(ErrorCode::bad_signature, "the event's signature or hash does not hold"));
  }
  auto event = Event::make((*room)->rules, membership->pdu);
  if (!event) return done(tl::make_unexpected(event.error()));
  if ((*event)->room_id() != membership->room)
    return done(fail(ErrorCode::bad_json, "the event belongs to another room"));
  commit_membership(engine, *room, *event, done);
}

}  // namespace

Result<void> add_our_signature(const Engine& engine, const RoomRules& rules, Json& pdu) {
  Json redacted = redact(rules, pdu);
  if (auto is_signed = sign_json(redacted, engine.context.us.str(), engine.context.key, rules.numbers); !is_signed) {
    return is_signed;
  }
  pdu["signatures"] = std::move(redacted["signatures"]);
  return {};
}

void make_member_template(const std::shared_ptr<Engine>& engine, EventDraft draft,
                          std::function<void(Result<EventTemplate>)> done) {
  const TemplateDone answer = once<EventTemplate>(std::move(done));
  const RoomId room = draft.room;
  engine->post(
      room, [engine, draft = std::move(draft), answer] { answer(make_in_turn(*engine, draft)); },
      [answer](const Error& error) { answer(tl::make_unexpected(error)); });
}

void receive_signed_membership(const std::shared_ptr<Engine>& engine, const ServerName& origin, Json pdu,
                               std::function<void(Result<RoomAtEvent>)> done) {
  const MembershipDone answer = once<RoomAtEvent>(std::move(done));
  const auto room = room_id_of(pdu);
  if (!room) return answer(tl::make_unexpected(room.error()));
  const RoomRules* rules = engine->rules_of(*room);
  if (rules == nullptr) return answer(fail(ErrorCode::not_found, "this server knows no such room"));
  if (auto shape = check_shape(*rules, origin, pdu); !shape) return answer(tl::make_unexpected(shape.error()));
  const auto membership =
      std::make_shared<SignedMembership>(SignedMembership{origin, *room, rules, std::move(pdu), false});
  post_membership(engine, membership, answer);
}

void commit_countersigned(const std::shared_ptr<Engine>& engine, Json pdu, std::function<void(Result<EventId>)> done) {
  const auto answer = once<EventId>(std::move(done));
  const auto room_id = room_id_of(pdu);
  if (!room_id) return answer(tl::make_unexpected(room_id.error()));
  const RoomRules* rules = engine->rules_of(*room_id);
  if (rules == nullptr) return answer(fail(ErrorCode::not_found, "this server knows no such room"));
  auto verification = verify_pdu(*rules, *room_id, pdu, known_keys(engine->context.remote));
  if (!verification.event) return answer(tl::make_unexpected(verification.error));
  const EventPtr event = std::move(verification.event);
  if (event->sender().server() != engine->context.us)
    return answer(fail(ErrorCode::forbidden, "not a user of this server"));
  engine->post(
      *room_id,
      [engine, event, answer] {
        const auto room = engine->open(event->room_id());
        if (!room) return answer(tl::make_unexpected(room.error()));
        auto placed = place_own(**room, event);
        if (!placed) return answer(tl::make_unexpected(placed.error()));
        CommitOptions options;
        options.distribute = true;
        engine->commit(*room, std::move(*placed), std::move(options),
                       [answer, id = event->id()](const Result<storage::StreamPosition>& position) {
                         answer(position ? Result<EventId>(id) : tl::make_unexpected(position.error()));
                       });
      },
      [answer](const Error& error) { answer(tl::make_unexpected(error)); });
}

}  // namespace skerry::homeserver
