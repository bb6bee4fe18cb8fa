// What holds for any input, tried on many.
#include <algorithm>

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
    Json pdu{{"type", *rc::gen::elementOf(std::vector<std::string>(types.begin(), types.end()))},
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

// A random history: people act on random ones of three forks, by what the rules allow there.
std::vector<RoomBuilder::Tip> random_forks(RoomBuilder& room) {
  const UserId people[] = {room.creator(), user("@bob:bravo.test"), user("@carol:charlie.test"),
                           user("@dave:delta.test")};
  RoomBuilder::Tip base = room.created();
  Json users{{people[1].str(), 50}};
  if (!room.rules().creators_are_privileged) users[people[0].str()] = 100;
  room.state(base, people[0], "m.room.power_levels", dump({{"users", users}, {"events", {{"m.room.topic", 0}}}}));
  room.join(base, people[1]);
  room.join(base, people[2]);
  std::vector<RoomBuilder::Tip> forks(3, base);
  const int steps = *rc::gen::inRange(3, 15);
  for (int step = 0; step < steps; ++step) {
    RoomBuilder::Tip& fork = forks[*rc::gen::inRange<std::size_t>(0, forks.size())];
    const UserId& actor = people[*rc::gen::inRange(0, 4)];
    const UserId& target = people[*rc::gen::inRange(0, 4)];
    const std::int64_t time = *rc::gen::inRange<std::int64_t>(1'700'000'000'000, 1'700'000'000'010);
    Draft draft{actor, "m.room.member", target.str(), "{}", time, {}};
    const int action = *rc::gen::inRange(0, 7);
    if (action < 4) {
      constexpr const char* memberships[] = {"join", "leave", "ban", "invite"};
      draft.content = dump({{"membership", memberships[action]}});
    } else {
      constexpr const char* types[] = {"m.room.topic", "m.room.power_levels", "m.room.join_rules"};
      draft.type = types[action - 4];
      draft.state_key = "";
      Json changed = users;
      changed[people[2].str()] = *rc::gen::inRange(0, 60);
      draft.content = dump({{"topic", step}, {"users", changed}, {"join_rule", step % 2 == 0 ? "public" : "invite"}});
    }
    RoomBuilder::Tip next = fork;
    if (room.refusing_rule(fork, room.add(next, draft)).empty()) fork = next;
    if (*rc::gen::inRange(0, 5) == 0) fork = room.merge({fork, forks[0]});
  }
  return forks;
}

TEST_CASE("the resolution of any history does not depend on the order of its forks and keeps what they agree on") {
  for (const char* version : {"10", "11", "12"}) {
    rc::prop("order and agreement", [version] {
      RoomBuilder room(version);
      std::vector<RoomBuilder::Tip> forks = random_forks(room);
      const StateMap resolved = room.merge(forks).state;
      std::rotate(forks.begin(), forks.begin() + 1, forks.end());
      RC_ASSERT(room.merge(forks).state == resolved);
      std::swap(forks[0], forks[1]);
      RC_ASSERT(room.merge(forks).state == resolved);
      for (const auto& entry : forks[0].state) {
        const auto agrees = [&](const RoomBuilder::Tip& fork) {
          const auto other = fork.state.find(entry.first);
          return other != fork.state.end() && other->second == entry.second;
        };
        if (std::all_of(forks.begin(), forks.end(), agrees)) RC_ASSERT(resolved.at(entry.first) == entry.second);
      }
    });
  }
}

}  // namespace
}  // namespace skerry::test
