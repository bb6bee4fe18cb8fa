// What holds for any input, tried on many.
#include <cmath>
#include <cstring>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <rapidcheck/catch.h>

#include "core/utf8.h"
#include "tests/support/room_builder.h"

namespace skerry::test {
namespace {

std::string utf8_of(const std::vector<std::uint32_t>& code_points) {
  std::string text;
  const auto continuation = [&](std::uint32_t bits) { text += static_cast<char>(0x80 | (bits & 0x3F)); };
  for (const std::uint32_t c : code_points) {
    if (c < 0x80) {
      text += static_cast<char>(c);
    } else if (c < 0x800) {
      text += static_cast<char>(0xC0 | (c >> 6));
      continuation(c);
    } else if (c < 0x10000) {
      text += static_cast<char>(0xE0 | (c >> 12));
      continuation(c >> 6);
      continuation(c);
    } else {
      text += static_cast<char>(0xF0 | (c >> 18));
      continuation(c >> 12);
      continuation(c >> 6);
      continuation(c);
    }
  }
  return text;
}

rc::Gen<std::string> any_text() {
  const auto code_point = rc::gen::suchThat(
      rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(0, 0x80), rc::gen::inRange<std::uint32_t>(0, 0x110000)),
      [](std::uint32_t c) { return c < 0xD800 || c > 0xDFFF; });
  return rc::gen::map(rc::gen::container<std::vector<std::uint32_t>>(code_point), utf8_of);
}

rc::Gen<Json> any_canonical_value(int depth) {
  constexpr std::int64_t largest = 9'007'199'254'740'991;
  const auto leaf = rc::gen::oneOf(
      rc::gen::just(Json(nullptr)), rc::gen::map(rc::gen::arbitrary<bool>(), [](bool b) { return Json(b); }),
      rc::gen::map(rc::gen::inRange<std::int64_t>(-largest, largest + 1), [](std::int64_t i) { return Json(i); }),
      rc::gen::map(any_text(), [](const std::string& s) { return Json(s); }));
  if (depth == 0) return leaf;
  const auto inner = any_canonical_value(depth - 1);
  return rc::gen::oneOf(
      leaf, rc::gen::map(rc::gen::container<std::vector<Json>>(inner), [](const auto& v) { return Json(v); }),
      rc::gen::map(rc::gen::container<std::map<std::string, Json>>(any_text(), inner),
                   [](const auto& m) { return Json(m); }));
}

TEST_CASE("canonical text parses to what it was made of and is made of it again") {
  rc::prop("round trip", [] {
    const Json value = *rc::gen::resize(12, any_canonical_value(3));
    const std::string text = canonical_json(value).value();
    const auto parsed = parse_untrusted(text, JsonNumbers::canonical);
    RC_ASSERT(parsed.has_value());
    RC_ASSERT(*parsed == value);
    RC_ASSERT(canonical_json(*parsed).value() == text);
  });
}

TEST_CASE("numbers of old rooms keep their value and their text") {
  rc::prop("round trip", [] {
    const auto bits = *rc::gen::arbitrary<std::uint64_t>();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) number = *rc::gen::arbitrary<double>();
    const Json value = Json::array({number, bits, static_cast<std::int64_t>(bits | (std::uint64_t{1} << 63))});
    const std::string text = canonical_json(value, JsonNumbers::any).value();
    const Json parsed = parse_untrusted(text, JsonNumbers::any).value();
    RC_ASSERT(parsed == value);
    RC_ASSERT(parsed[0].is_number_float());
    RC_ASSERT(parsed[1].is_number_integer());
    RC_ASSERT(canonical_json(parsed, JsonNumbers::any).value() == text);
    RC_ASSERT(parse_stored(text).value() == value);
  });
}

TEST_CASE("bytes that pass for UTF-8 are what JSON takes for it") {
  rc::prop("same verdict", [] {
    std::string bytes = *any_text();
    if (!bytes.empty()) bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] = *rc::gen::arbitrary<char>();
    std::string quoted = "\"";
    for (const char c : bytes) quoted += static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' ? ' ' : c;
    quoted += '"';
    RC_ASSERT(is_valid_utf8(bytes) == parse_untrusted(quoted, JsonNumbers::any).has_value());
  });
}

TEST_CASE("redaction takes nothing from a redacted event and leaves the event id alone") {
  rc::prop("idempotent", [] {
    const auto types = {"m.room.member",  "m.room.create",    "m.room.power_levels",       "m.room.join_rules",
                        "m.room.message", "m.room.redaction", "m.room.history_visibility", "x"};
    const auto names = {"membership", "creator", "users", "invite", "allow", "redacts", "third_party_invite", "body"};
    Json pdu{{"event_id", "$e:alpha.test"},
             {"type", *rc::gen::elementOf(std::vector<std::string>(types.begin(), types.end()))},
             {"content", Json::object()},
             {"origin", "a"},
             {"prev_state", Json::array()},
             {"depth", 1},
             {"extra", *any_canonical_value(0)}};
    for (const char* name : names) {
      if (*rc::gen::arbitrary<bool>()) pdu["content"][name] = *rc::gen::resize(5, any_canonical_value(2));
    }
    for (const RoomRules* rules : all_room_rules()) {
      const Json once = redact(*rules, pdu);
      RC_ASSERT(redact(*rules, once) == once);
      RC_ASSERT(event_id_of(*rules, once).value() == event_id_of(*rules, pdu).value());
    }
  });
}

// A signed event, with members and content that redaction keeps in some versions and not in others.
Json any_signed_event(RoomBuilder& room, const RoomBuilder::Tip& tip) {
  const auto types = std::vector<std::string>{"m.room.member", "m.room.join_rules", "m.room.message"};
  Json content{{"membership", "join"}, {"join_rule", "public"}, {"allow", Json::array({"x"})}, {"body", *any_text()}};
  const std::string type = *rc::gen::elementOf(types);
  const auto state_key = type == "m.room.message" ? std::nullopt : std::optional(*any_text());
  return room.pdu(tip, {room.creator(), type, state_key, dump(content), 0, {{"origin", "\"a\""}}});
}

TEST_CASE("an event's id and its signature hang on every byte that is signed") {
  for (const RoomRules* rules : all_room_rules()) {
    rc::prop("any byte", [rules] {
      RoomBuilder room(rules->version);
      const RoomBuilder::Tip tip = room.created();
      const Json pdu = any_signed_event(room, tip);
      RC_ASSERT(verify_event(*rules, pdu, all_keys()).integrity == EventIntegrity::good);
      const Json kept = redact(*rules, pdu);
      std::string text = canonical_json_without(kept, {"signatures"}, rules->numbers).value();
      text[*rc::gen::inRange<std::size_t>(0, text.size())] = *rc::gen::inRange<char>(' ', 127);
      const auto changed = parse_untrusted(text, rules->numbers);
      Json original = kept;
      original.erase("signatures");
      const bool is_another =
          changed && changed->is_object() && *changed != original && redact(*rules, *changed) == *changed;
      RC_PRE(is_another);
      if (rules->event_ids != RoomRules::EventIds::in_event) {
        RC_ASSERT(event_id_of(*rules, *changed).value() != event_id_of(*rules, pdu).value());
      }
      Json claimed = *changed;
      claimed["signatures"] = pdu["signatures"];
      const bool is_event = check_format(*rules, claimed).has_value();
      RC_PRE(is_event);
      RC_ASSERT(verify_event(*rules, claimed, all_keys()).integrity == EventIntegrity::bad_signature);
    });
  }
}

TEST_CASE("an event's hash hangs on every byte of its content") {
  for (const RoomRules* rules : all_room_rules()) {
    rc::prop("any byte", [rules] {
      RoomBuilder room(rules->version);
      const RoomBuilder::Tip tip = room.created();
      Json pdu = any_signed_event(room, tip);
      const std::string body = pdu["content"]["body"].get<std::string>();
      std::string other = *any_text();
      RC_PRE(other != body);
      pdu["content"]["body"] = other;
      RC_ASSERT(verify_event(*rules, pdu, all_keys()).integrity == EventIntegrity::hash_mismatch);
    });
  }
}

}  // namespace
}  // namespace skerry::test
