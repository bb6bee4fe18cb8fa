#include "homeserver/rooms/build.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/limits.h"
#include "homeserver/rooms/admit.h"
#include "homeserver/rooms/restricted.h"

namespace skerry::homeserver {

Result<Json> parse_content(const std::string& content_json) {
  auto content = parse_untrusted(content_json, JsonNumbers::canonical);
  if (!content) return fail(ErrorCode::bad_json, "the content has no canonical form: " + content.error().text);
  if (!content->is_object()) return fail(ErrorCode::bad_json, "the content is not an object");
  return content;
}

Result<Foundation> choose_foundation(Room& room) {
  Foundation foundation;
  std::vector<const Head*> chosen;
  for (const auto& head : room.heads) chosen.push_back(&head);
  if (chosen.size() <= limits::prev_events) {
    foundation.state = room.current;
  } else {
    // The deepest, so that the event comes after most of the room, and the oldest, so that forks left behind are merged
    // as well: each event leaves 19 heads fewer.
    std::sort(chosen.begin(), chosen.end(), [](const Head* a, const Head* b) { return a->depth > b->depth; });
    const auto half = static_cast<std::ptrdiff_t>(limits::prev_events / 2);
    chosen.erase(chosen.begin() + half, chosen.end() - half);
    std::vector<RoomState> forks;
    for (const Head* head : chosen) forks.push_back(head->after);
    auto resolved = room.resolve(forks);
    if (!resolved) return tl::make_unexpected(resolved.error());
    if (std::holds_alternative<Needs>(*resolved))
      return fail(ErrorCode::storage, "auth events of stored state are absent");
    foundation.state = std::move(std::get<RoomState>(*resolved));
  }
  for (const Head* head : chosen) {
    foundation.prev_events.push_back(head->id);
    foundation.depth = std::max(foundation.depth, head->depth);
  }
  if (foundation.depth < room.rules.max_depth) ++foundation.depth;
  return foundation;
}

namespace {

// Events of the room, as its version cites them.
Result<Json> citations(Room& room, const std::vector<EventId>& ids) {
  Json list = Json::array();
  for (const auto& id : ids) {
    if (room.rules.event_ids != RoomRules::EventIds::in_event) {
      list.push_back(id.str());
      continue;
    }
    const EventPtr event = room.event(id);
    if (auto trouble = room.take_trouble()) return tl::make_unexpected(*trouble);
    if (!event) return fail(ErrorCode::storage, "an event that the room's state or heads name is not stored");
    list.push_back(citation_of(room.rules, *event));
  }
  return list;
}

// 'A homeserver should take reasonable precautions to prevent users from sending' levels that are no integers.
Result<void> check_levels(const EventDraft& draft, const Json& content) {
  if (draft.type != "m.room.power_levels" || draft.state_key != "" || has_integer_levels(content)) return {};
  return fail(ErrorCode::bad_json, "power levels are integers");
}

Error forbidden_by(const Judgement& judgement) {
  std::string text = judgement.reason;
  if (!judgement.rule.empty()) text += " (authorization rule " + judgement.rule + ")";
  return Error{ErrorCode::forbidden, std::move(text)};
}

}  // namespace

Result<Json> build_pdu(Engine& engine, Room& room, const EventDraft& draft, const Foundation& foundation) {
  auto content = parse_content(draft.content_json);
  if (!content) return content;
  if (auto fine = check_levels(draft, *content); !fine) return tl::make_unexpected(fine.error());
  if (draft.redacts && room.rules.redacts_in_content) (*content)["redacts"] = draft.redacts->str();
  if (draft.type == "m.room.member" && draft.state_key == draft.sender.str()) {
    auto authorised = authorise_join(engine, room, foundation.state, draft.sender, *content);
    if (!authorised) return tl::make_unexpected(authorised.error());
  }
  const auto auth_events =
      select_auth_events(room, foundation.state, draft.type, draft.sender, draft.state_key, *content);
  auto prev_citations = citations(room, foundation.prev_events);
  if (!prev_citations) return prev_citations;
  auto auth_citations = citations(room, auth_events);
  if (!auth_citations) return auth_citations;
  Json pdu = {{"sender", draft.sender.str()},
              {"type", draft.type},
              {"content", std::move(*content)},
              {"origin_server_ts", draft.origin_server_ts_ms.value_or(engine.context.clock.now_ms())},
              {"depth", foundation.depth},
              {"prev_events", std::move(*prev_citations)},
              {"auth_events", std::move(*auth_citations)}};
  const bool names_room = draft.type != "m.room.create" || !room.rules.room_id_is_create_hash;
  if (names_room) pdu["room_id"] = room.id.str();
  if (draft.state_key) pdu["state_key"] = *draft.state_key;
  if (draft.redacts && !room.rules.redacts_in_content) pdu["redacts"] = draft.redacts->str();
  return pdu;
}

std::string random_letters(net::Random& random) {
  static constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string text;
  for (const unsigned char byte : random.bytes(18)) text.push_back(letters[byte % letters.size()]);
  return text;
}

void name_event(const PipelineContext& context, const RoomRules& rules, Json& pdu) {
  if (rules.event_ids != RoomRules::EventIds::in_event) return;
  pdu["event_id"] = "$" + random_letters(context.random) + ":" + context.us.str();
}

Result<EventPtr> sign_pdu(Engine& engine, const RoomRules& rules, Json pdu) {
  name_event(engine.context, rules, pdu);
  if (auto is_signed = hash_and_sign_event(rules, pdu, engine.context.us, engine.context.key); !is_signed) {
    return tl::make_unexpected(is_signed.error());
  }
  if (auto well_formed = check_format(rules, pdu); !well_formed) return tl::make_unexpected(well_formed.error());
  return Event::make(rules, std::move(pdu));
}

Result<Placed> place_own(Room& room, const EventPtr& event, std::optional<RoomState> state) {
  auto outcome = admit(room, event, std::move(state));
  if (!outcome) return tl::make_unexpected(outcome.error());
  if (std::holds_alternative<Needs>(*outcome)) {
    return fail(ErrorCode::not_found, "events that this one builds on are not known here");
  }
  auto& admission = std::get<Admission>(*outcome);
  if (admission.judgement.verdict != Verdict::accepted) return tl::make_unexpected(forbidden_by(admission.judgement));
  auto after = room.state_after(*admission.before, *event);
  if (!after) return tl::make_unexpected(after.error());
  return Placed{event, std::move(admission.judgement), std::move(*admission.before), std::move(*after)};
}

Result<Placed> build_event(Engine& engine, Room& room, const EventDraft& draft) {
  auto foundation = choose_foundation(room);
  if (!foundation) return tl::make_unexpected(foundation.error());
  auto pdu = build_pdu(engine, room, draft, *foundation);
  if (!pdu) return tl::make_unexpected(pdu.error());
  auto event = sign_pdu(engine, room.rules, std::move(*pdu));
  if (!event) return tl::make_unexpected(event.error());
  return place_own(room, *event, std::move(foundation->state));
}

}  // namespace skerry::homeserver
