// The selection of auth events, and rule 3 of version 12 (2 in versions 10 and 11).
#include "tests/core/authorization_cases.h"

namespace skerry::test {
namespace {

std::vector<StateKey> keys(std::string_view version, const char* type, const UserId& sender,
                           std::optional<std::string> state_key, const Json& content) {
  return auth_event_keys(*find_room_rules(version), type, sender, state_key, content);
}

const StateKey create_key{"m.room.create", ""};
const StateKey levels_key{"m.room.power_levels", ""};
const StateKey join_rules_key{"m.room.join_rules", ""};
StateKey member_key(const UserId& who) { return {"m.room.member", who.str()}; }

TEST_CASE("a message cites create power levels and the sender's membership") {
  CHECK(keys("11", "m.room.message", bob, std::nullopt, Json::object()) ==
        std::vector{create_key, levels_key, member_key(bob)});
  CHECK(keys("12", "m.room.message", bob, std::nullopt, Json::object()) == std::vector{levels_key, member_key(bob)});
  CHECK(keys("12", "m.room.create", bob, "", Json::object()).empty());
}

TEST_CASE("memberships cite what decides them") {
  const auto member = [](const Json& content) { return keys("12", "m.room.member", bob, carol.str(), content); };
  const std::vector<StateKey> base{levels_key, member_key(bob), member_key(carol)};
  const auto with = [&](std::vector<StateKey> more) {
    std::vector<StateKey> all = base;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  CHECK(member({{"membership", "leave"}}) == base);
  CHECK(member({{"membership", "ban"}}) == base);
  for (const char* membership : {"join", "invite", "knock"}) {
    CHECK(member({{"membership", membership}}) == with({join_rules_key}));
  }
  const Json third_party{{"membership", "invite"}, {"third_party_invite", {{"signed", {{"token", "t"}}}}}};
  CHECK(member(third_party) == with({join_rules_key, {"m.room.third_party_invite", "t"}}));
  const Json restricted{{"membership", "join"}, {"join_authorised_via_users_server", alice.str()}};
  CHECK(member(restricted) == with({join_rules_key, member_key(alice)}));
  // Each key once: who joins is both sender and target.
  CHECK(keys("12", "m.room.member", bob, bob.str(), {{"membership", "join"}}) ==
        std::vector{levels_key, member_key(bob), join_rules_key});
}

struct Citing {
  explicit Citing(std::string_view version) : here(version) {}

  EventPtr message() { return here.room.make(here.tip, {carol, "m.room.message", std::nullopt, "{}", 0, {}}); }
  std::vector<EventPtr> cited_by(const EventPtr& event) const {
    std::vector<EventPtr> events;
    for (const EventId& id : event->auth_events()) events.push_back(here.room.find(id));
    return events;
  }
  EventPtr in_state(const StateKey& key) const { return here.room.in_state(here.tip.state, key.type, key.state_key); }
  AuthVerdict check(const EventPtr& event, const std::vector<EventPtr>& cited) const {
    return check_auth_events(here.room.rules(), *event, cited, here.room.is_rejected());
  }
  std::string refusal(const EventPtr& event, const std::vector<EventPtr>& cited) const {
    const AuthVerdict verdict = check(event, cited);
    const auto* refused = std::get_if<Refused>(&verdict);
    return refused == nullptr ? "" : refused->rule;
  }

  PeopledRoom here;
};

TEST_CASE("what the selection asks for may be cited") {
  for (const char* version : all_versions) {
    Citing c(version);
    const EventPtr event = c.message();
    CHECK(c.refusal(event, c.cited_by(event)).empty());
    CHECK(c.refusal(c.here.room.create(), {}).empty());
  }
}

TEST_CASE("rule 3.1: nothing is cited twice") {
  for (const char* version : all_versions) {
    Citing c(version);
    const EventPtr event = c.message();
    std::vector<EventPtr> cited = c.cited_by(event);
    cited.push_back(cited.back());
    CHECK(c.refusal(event, cited) == c.here.rule("3.1", "2.1"));
  }
}

TEST_CASE("rule 3.2: nothing is cited that does not concern the event") {
  for (const char* version : all_versions) {
    Citing c(version);
    const EventPtr event = c.message();
    for (const EventPtr& other : {c.in_state(join_rules_key), c.in_state(member_key(bob)), c.message()}) {
      std::vector<EventPtr> cited = c.cited_by(event);
      cited.push_back(other);
      CHECK(c.refusal(event, cited) == c.here.rule("3.2", "2.2"));
    }
  }
}

TEST_CASE("rule 3.2: no message is cited whatever its type") {
  for (const char* version : all_versions) {
    Citing c(version);
    const EventPtr event = c.message();
    const EventPtr false_levels =
        c.here.room.make(c.here.tip, {alice, "m.room.power_levels", std::nullopt, "{}", 0, {}});
    std::vector<EventPtr> cited = c.cited_by(event);
    for (EventPtr& entry : cited) {
      if (entry->type() == "m.room.power_levels") entry = false_levels;
    }
    CHECK(c.refusal(event, cited) == c.here.rule("3.2", "2.2"));
  }
}

TEST_CASE("rule 3.2: version 12 events do not cite the create event") {
  Citing c("12");
  const EventPtr event = c.message();
  std::vector<EventPtr> cited = c.cited_by(event);
  cited.push_back(c.here.room.create());
  CHECK(c.refusal(event, cited) == "3.2");
}

TEST_CASE("rule 3.3: no rejected event is cited") {
  for (const char* version : all_versions) {
    Citing c(version);
    const EventPtr event = c.message();
    c.here.room.reject(c.in_state(member_key(carol))->id());
    CHECK(c.refusal(event, c.cited_by(event)) == c.here.rule("3.3", "2.3"));
  }
}

TEST_CASE("rule 2: the create event that names a version 12 room is not rejected") {
  Citing c("12");
  const EventPtr event = c.message();
  c.here.room.reject(c.here.room.create()->id());
  CHECK(c.refusal(event, c.cited_by(event)) == "2");
}

TEST_CASE("rule 2.4: before version 12 the create event is cited") {
  for (const char* version : {"10", "11"}) {
    Citing c(version);
    const EventPtr event = c.message();
    CHECK(c.refusal(event, {c.in_state(levels_key), c.in_state(member_key(carol))}) == "2.4");
  }
}

TEST_CASE("rule 3.5: no event of another room is cited") {
  for (const char* version : all_versions) {
    Citing c(version);
    RoomBuilder other(version, bob);
    RoomBuilder::Tip tip = other.created();
    const EventPtr event = c.message();
    std::vector<EventPtr> cited = c.cited_by(event);
    for (EventPtr& entry : cited) {
      if (entry->type() == "m.room.power_levels") entry = other.in_state(tip.state, "m.room.power_levels");
    }
    CHECK(c.refusal(event, cited) == c.here.rule("3.5", "2.5"));
  }
}

TEST_CASE("auth events that are not at hand are reported") {
  Citing c("12");
  const EventPtr event = c.message();
  std::vector<EventPtr> cited = c.cited_by(event);
  cited[1] = nullptr;
  const AuthVerdict verdict = c.check(event, cited);
  REQUIRE(std::holds_alternative<Missing>(verdict));
  CHECK(std::get<Missing>(verdict).ids == std::vector{event->auth_events()[1]});
}

}  // namespace
}  // namespace skerry::test
