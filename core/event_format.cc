// check_format: the shape of a PDU. Room versions, 'Event format'; client-server API, 'Size limits'.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "core/event.h"
#include "core/limits.h"

namespace skerry {
namespace {

tl::unexpected<Error> bad(std::string text) { return fail(ErrorCode::bad_json, std::move(text)); }

bool nests_deeper_than(const Json& value, std::size_t levels) {
  if (!value.is_structured()) return false;
  return levels == 0 || std::any_of(value.begin(), value.end(),
                                    [&](const Json& inner) { return nests_deeper_than(inner, levels - 1); });
}

// The sigil and 43 characters of base64, in which `others` stand beside letters and digits (room versions, 'Event
// IDs').
bool is_hash_id(std::string_view text, char sigil, std::string_view others = "-_") {
  constexpr std::size_t length = 44;
  return text.size() == length && text[0] == sigil && std::all_of(text.begin() + 1, text.end(), [&](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  others.find(c) != std::string_view::npos;
         });
}

bool is_event_id(const RoomRules& rules, const std::string& text) {
  if (rules.event_ids == RoomRules::EventIds::in_event) {
    return !EventId::parse(text).value_or(EventId{}).server().empty();
  }
  return is_hash_id(text, '$', rules.event_ids == RoomRules::EventIds::hash_base64url ? "-_" : "+/");
}

// An event id, in versions 1 and 2 a pair of one and hashes.
bool is_citation(const RoomRules& rules, const Json& entry) {
  const bool is_pair = entry.is_array() && entry.size() == 2 && entry[1].is_object();
  if (is_pair != (rules.event_ids == RoomRules::EventIds::in_event)) return false;
  const Json& id = is_pair ? entry[0] : entry;
  return id.is_string() && is_event_id(rules, id.get_ref<const std::string&>());
}

Result<void> check_own_id(const RoomRules& rules, const Json& pdu) {
  if (rules.event_ids != RoomRules::EventIds::in_event) return {};
  const std::string* id = find_string(pdu, "event_id");
  if (id == nullptr || !is_event_id(rules, *id)) return bad("event_id is not an event id");
  return {};
}

Result<void> check_event_ids(const RoomRules& rules, const Json& pdu, std::string_view name, std::size_t most) {
  const Json* ids = find_array(pdu, name);
  if (ids == nullptr) return bad(std::string(name) + " is not an array");
  if (ids->size() > most) return bad(std::string(name) + " has more than " + std::to_string(most) + " entries");
  const auto is_good = [&](const Json& entry) { return is_citation(rules, entry); };
  if (!std::all_of(ids->begin(), ids->end(), is_good)) return bad(std::string(name) + " holds no event id");
  return {};
}

Result<void> check_strings(const Json& pdu) {
  const std::string* type = find_string(pdu, "type");
  if (type == nullptr) return bad("type is not a string");
  if (type->size() > limits::event_type_bytes) return fail(ErrorCode::too_large, "type is longer than 255 bytes");
  const std::string* sender = find_string(pdu, "sender");
  if (sender == nullptr || !UserId::parse(*sender)) return bad("sender is not a user id");
  if (find_member(pdu, "state_key") != nullptr) {
    const std::string* state_key = find_string(pdu, "state_key");
    if (state_key == nullptr) return bad("state_key is not a string");
    if (state_key->size() > limits::state_key_bytes) {
      return fail(ErrorCode::too_large, "state_key is longer than 255 bytes");
    }
  }
  return {};
}

bool is_integer_of_64_bits(const Json* value) {
  if (value == nullptr || !value->is_number_integer()) return false;
  return !value->is_number_unsigned() || value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX);
}

Result<void> check_integers(const RoomRules& rules, const Json& pdu) {
  const Json* depth = find_member(pdu, "depth");
  if (!is_integer_of_64_bits(depth) || depth->get<std::int64_t>() < 0) {
    return bad("depth is not a non-negative integer");
  }
  if (depth->get<std::int64_t>() > rules.max_depth) return bad("depth is over the version's limit");
  if (!is_integer_of_64_bits(find_member(pdu, "origin_server_ts"))) return bad("origin_server_ts is not an integer");
  return {};
}

Result<void> check_objects(const Json& pdu) {
  if (find_object(pdu, "content") == nullptr) return bad("content is not an object");
  if (find_member(pdu, "unsigned") != nullptr && find_object(pdu, "unsigned") == nullptr) {
    return bad("unsigned is not an object");
  }
  const Json* hashes = find_object(pdu, "hashes");
  if (hashes == nullptr || find_string(*hashes, "sha256") == nullptr) return bad("hashes has no sha256");
  const Json* signatures = find_object(pdu, "signatures");
  const auto is_object_of_strings = [](const Json& of_server) {
    return of_server.is_object() &&
           std::all_of(of_server.begin(), of_server.end(), [](const Json& signature) { return signature.is_string(); });
  };
  if (signatures == nullptr || !std::all_of(signatures->begin(), signatures->end(), is_object_of_strings)) {
    return bad("signatures is not an object of objects of strings");
  }
  return {};
}

Result<void> check_room_id(const RoomRules& rules, const Json& pdu, bool is_create) {
  if (rules.room_id_is_create_hash && is_create) {
    if (find_member(pdu, "room_id") != nullptr) return bad("a create event of this version has no room_id");
    return {};
  }
  const std::string* room_id = find_string(pdu, "room_id");
  if (room_id == nullptr || !RoomId::parse(*room_id)) return bad("room_id is not a room id");
  const bool is_hash = is_hash_id(*room_id, '!');
  if (is_hash != rules.room_id_is_create_hash) return bad("room_id is not of this version's form");
  return {};
}

// Only create events begin a room: they cite nothing, and everything else cites something.
Result<void> check_place(const Json& pdu, bool is_create) {
  const bool has_parents = !find_array(pdu, "prev_events")->empty();
  const bool has_auth = !find_array(pdu, "auth_events")->empty();
  if (!is_create && !has_parents) return bad("prev_events is empty");
  if (!is_create) return {};
  const std::string* state_key = find_string(pdu, "state_key");
  if (state_key == nullptr || !state_key->empty()) return bad("a create event has an empty state_key");
  if (has_auth) return bad("a create event has no auth_events");
  return {};
}

// The user whose server must have signed too: without a valid name no signature could be looked for.
Result<void> check_authorising_user(const RoomRules& rules, const Json& pdu) {
  if (!rules.restricted_joins || *find_string(pdu, "type") != "m.room.member") return {};
  const Json& content = *find_object(pdu, "content");
  if (find_member(content, "join_authorised_via_users_server") == nullptr) return {};
  const std::string* user = find_string(content, "join_authorised_via_users_server");
  if (user == nullptr || !UserId::parse(*user)) return bad("join_authorised_via_users_server is not a user id");
  return {};
}

}  // namespace

Result<void> check_format(const RoomRules& rules, const Json& pdu) {
  if (!pdu.is_object()) return bad("an event is an object");
  if (nests_deeper_than(pdu, limits::event_json_depth)) return bad("the event is nested too deep");
  // Unsigned data is not part of the event: others may add to it.
  const auto text = canonical_json_without(pdu, {"unsigned"}, rules.numbers);
  if (!text) return tl::make_unexpected(text.error());
  if (text->size() > limits::event_bytes) return fail(ErrorCode::too_large, "the event is larger than 65536 bytes");

  if (auto ok = check_strings(pdu); !ok) return ok;
  const bool is_create = *find_string(pdu, "type") == "m.room.create";
  if (auto ok = check_integers(rules, pdu); !ok) return ok;
  if (auto ok = check_objects(pdu); !ok) return ok;
  if (auto ok = check_room_id(rules, pdu, is_create); !ok) return ok;
  if (auto ok = check_own_id(rules, pdu); !ok) return ok;
  if (auto ok = check_event_ids(rules, pdu, "prev_events", limits::prev_events); !ok) return ok;
  if (auto ok = check_event_ids(rules, pdu, "auth_events", limits::auth_events); !ok) return ok;
  if (auto ok = check_place(pdu, is_create); !ok) return ok;
  return check_authorising_user(rules, pdu);
}

}  // namespace skerry
