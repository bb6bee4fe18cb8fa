// PUT /rooms/{roomId}/send/{eventType}/{txnId}    sends a message event, once per transaction id
// PUT /rooms/{roomId}/redact/{eventId}/{txnId}    redacts an event, once per transaction id
// PUT /rooms/{roomId}/state/{eventType}[/{stateKey}]  sets state
// Each answers after the event is on the disk. Client-server API, 'Sending events to a room', 'Redactions'.
#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "core/relations.h"
#include "homeserver/client_api/common.h"
#include "homeserver/client_api/handlers.h"
#include "homeserver/rate_limiter.h"
#include "storage/relation_store.h"

namespace skerry::homeserver::client_api {

namespace {

void submit(Services& services, EventDraft draft, Reply reply) {
  services.presence.is_active(draft.sender);
  auto shared = share(std::move(reply));
  services.pipeline.submit_local(std::move(draft), [shared](Result<EventId> sent) {
    if (!sent) return shared->error(sent.error());
    shared->json({{"event_id", sent->str()}});
  });
}

// What a message may relate to: 'Avoiding duplicate annotations', 'Validation of m.thread relationships'. Nothing when
// there is nothing against it. Errors: storage.
struct RelationRefusal {
  const char* errcode;
  const char* text;
};
Result<std::optional<RelationRefusal>> refuse_relation(Services& services, const EventDraft& draft,
                                                       const Json& content) {
  const auto relation = relation_of(content);
  if (!relation) return std::nullopt;
  const bool annotates = relation->type == "m.annotation";
  if (!annotates && relation->type != "m.thread") return std::nullopt;
  // What was sent before is answered as it was then.
  auto sent = services.database.rooms().transaction_event(*draft.transaction);
  if (!sent) return tl::make_unexpected(sent.error());
  if (*sent) return std::nullopt;
  if (annotates) {
    auto twice = services.database.relations().is_annotated(draft.room, relation->parent, draft.sender, draft.type,
                                                            relation->key);
    if (!twice) return tl::make_unexpected(twice.error());
    if (*twice) return RelationRefusal{"M_DUPLICATE_ANNOTATION", "you annotated this event so already"};
    return std::nullopt;
  }
  auto root = services.database.rooms().event(relation->parent);
  if (!root) return tl::make_unexpected(root.error());
  if (*root && !(*root)->redacted_by && relation_of(*(*root)->event)) {
    return RelationRefusal{"M_UNKNOWN", "an event that relates to another cannot be the root of a thread"};
  }
  return std::nullopt;
}

// 'Timestamp massaging': for application services alone. Errors: invalid_param.
Result<void> massage_time(const Call& call, EventDraft& draft) {
  if (call.caller->appservice == nullptr) return {};
  auto ts = query_number(call, "ts");
  if (!ts) return tl::make_unexpected(ts.error());
  if (*ts && **ts > limits::max_depth) return fail(ErrorCode::invalid_param, "ts is no time that an event can have");
  draft.origin_server_ts_ms = *ts;
  return {};
}

storage::ClientTransaction transaction_of(const Call& call, const std::string& id) {
  return {call.caller->user, call.caller->device, call.transaction_path, id};
}

}  // namespace

void send_event(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  if (auto wait = services.rate_limiter.message(*call.caller)) return reply.limited(*wait);
  EventDraft draft;
  draft.room = *room;
  draft.sender = call.caller->user;
  draft.type = call.parameters[1];
  draft.content_json = dump(*call.body);
  draft.transaction = transaction_of(call, call.parameters[2]);
  if (auto massaged = massage_time(call, draft); !massaged) return reply.error(massaged.error());
  auto refusal = refuse_relation(services, draft, *call.body);
  if (!refusal) return reply.error(refusal.error());
  if (*refusal) return reply.error(400, {{"errcode", (*refusal)->errcode}, {"error", (*refusal)->text}});
  submit(services, std::move(draft), std::move(reply));
}

void redact_event(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  auto target = path_id<EventId>(call, 1);
  if (!target) return reply.error(target.error());
  auto reason = optional_string(*call.body, "reason");
  if (!reason) return reply.error(reason.error());
  if (auto wait = services.rate_limiter.message(*call.caller)) return reply.limited(*wait);
  // Power to redact is checked where redactions are applied; here only that the caller may redact this event at all.
  auto stored = services.database.rooms().event(*target);
  if (!stored) return reply.error(stored.error());
  if (!*stored || (*stored)->event->room_id() != *room)
    return reply.error({ErrorCode::not_found, "no such event here"});
  if ((*stored)->event->sender() != call.caller->user) {
    if (call.caller->standing.suspended)
      return reply.error({ErrorCode::user_suspended, "this account is suspended, and may redact its own events only"});
    auto rules = services.reader.rules(*room);
    if (!rules) return reply.error(rules.error());
    auto levels = services.reader.state_event(*room, "m.room.power_levels", "");
    if (!levels) return reply.error(levels.error());
    auto power = services.reader.power(*room, call.caller->user);
    if (!power) return reply.error(power.error());
    if (*power < power_for_action(**rules, "redact", *levels)) {
      return reply.error({ErrorCode::forbidden, "your power does not suffice to redact others' events"});
    }
  }
  EventDraft draft;
  draft.room = *room;
  draft.sender = call.caller->user;
  draft.type = "m.room.redaction";
  draft.content_json = *reason ? dump(Json{{"reason", **reason}}) : "{}";
  draft.redacts = *target;
  draft.transaction = transaction_of(call, call.parameters[2]);
  submit(services, std::move(draft), std::move(reply));
}

namespace {

// 'Setting a canonical alias': its aliases must exist and point here.
Result<void> check_canonical_alias(Services& services, const RoomId& room, const Json& content) {
  std::vector<std::string> named;
  if (const std::string* alias = find_string(content, "alias")) named.push_back(*alias);
  if (const Json* others = find_array(content, "alt_aliases")) {
    for (const Json& other : *others) {
      if (!other.is_string()) return fail(ErrorCode::invalid_param, "alt_aliases must be an array of strings");
      named.push_back(other.get<std::string>());
    }
  }
  // What stood there before is not checked again: an alias of a server that is away must not block other changes.
  auto current = services.reader.state_event(room, "m.room.canonical_alias", "");
  if (!current) return tl::make_unexpected(current.error());
  const std::string before = *current ? dump((*current)->content()) : "";
  for (const std::string& text : named) {
    if (before.find(dump(Json(text))) != std::string::npos) continue;
    auto alias = RoomAlias::parse(text);
    if (!alias) return fail(ErrorCode::invalid_param, "not a room alias: " + text);
    auto resolved = services.membership.resolve_alias(*alias);
    if (!resolved || resolved->room != room) return fail(ErrorCode::bad_alias, text + " does not point to this room");
  }
  return {};
}

}  // namespace

void set_state(Services& services, Call call, Reply reply) {
  auto room = path_id<RoomId>(call, 0);
  if (!room) return reply.error(room.error());
  if (auto wait = services.rate_limiter.message(*call.caller)) return reply.limited(*wait);
  EventDraft draft;
  draft.room = *room;
  draft.sender = call.caller->user;
  draft.type = call.parameters[1];
  draft.state_key = call.parameters.size() > 2 ? call.parameters[2] : "";
  draft.content_json = dump(*call.body);
  if (auto massaged = massage_time(call, draft); !massaged) return reply.error(massaged.error());
  if (draft.type == "m.room.canonical_alias") {
    if (auto checked = check_canonical_alias(services, *room, *call.body); !checked)
      return reply.error(checked.error());
  }
  submit(services, std::move(draft), std::move(reply));
}

}  // namespace skerry::homeserver::client_api
