// Rule 10 of version 12 (9 in versions 10 and 11): power levels.
#include "tests/core/authorization_cases.h"

namespace skerry::test {
namespace {

std::string refusal(PeopledRoom& here, const UserId& sender, const std::string& content) {
  return here.refusal({sender, "m.room.power_levels", "", content, 0, {}});
}

TEST_CASE("rule 10.1: levels are integers") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    for (const char* name : {"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"}) {
      CHECK(refusal(here, alice, here.levels({{bob.str(), 50}}, {{name, "50"}})) == here.rule("10.1", "9.1"));
      CHECK(refusal(here, alice, here.levels({{bob.str(), 50}}, {{name, 50}})).empty());
    }
  }
}

TEST_CASE("rule 10.2: events and notifications are objects of integers") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    for (const char* name : {"events", "notifications"}) {
      CHECK(refusal(here, alice, here.levels(Json::object(), {{name, Json::array()}})) == here.rule("10.2", "9.2"));
      CHECK(refusal(here, alice, here.levels(Json::object(), {{name, {{"x", "1"}}}})) == here.rule("10.2", "9.2"));
      CHECK(refusal(here, alice, here.levels(Json::object(), {{name, {{"x", 1}}}})).empty());
    }
  }
}

TEST_CASE("rule 10.3: users is an object of integers by user id") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(refusal(here, alice, R"({"users":[]})") == here.rule("10.3", "9.3"));
    CHECK(refusal(here, alice, here.levels({{"bob", 1}})) == here.rule("10.3", "9.3"));
    CHECK(refusal(here, alice, here.levels({{bob.str(), "1"}})) == here.rule("10.3", "9.3"));
    CHECK(refusal(here, alice, here.levels({{bob.str(), 1}})).empty());
  }
}

TEST_CASE("rule 10.4: version 12 names no creators") {
  PeopledRoom here("12");
  CHECK(refusal(here, alice, here.levels({{alice.str(), 100}})) == "10.4");
  CHECK(refusal(here, bob, here.levels({{bob.str(), 50}, {alice.str(), 0}})) == "10.4");
}

TEST_CASE("rule 10.5: the first power levels are free") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    RoomBuilder::Tip tip = room.at_create();
    room.join(tip, alice);
    const EventPtr first = room.make(tip, {alice, "m.room.power_levels", "", R"({"users":{"@b:c.test":1000}})", 0, {}});
    CHECK(room.refusing_rule(tip, first).empty());
  }
}

TEST_CASE("rule 10.6: levels above the sender's power are out of reach") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    const Json users{{bob.str(), 50}};
    here.room.state(here.tip, alice, "m.room.power_levels", here.levels(users, {{"kick", 60}, {"ban", 40}}));
    const auto by_bob = [&](const Json& more) { return refusal(here, bob, here.levels(users, more)); };
    CHECK(by_bob({{"kick", 60}, {"ban", 40}}).empty());
    CHECK(by_bob({{"kick", 60}, {"ban", 50}}).empty());
    CHECK(by_bob({{"kick", 60}}).empty());
    CHECK(by_bob({{"kick", 50}, {"ban", 40}}) == here.rule("10.6.1", "9.5.1"));
    CHECK(by_bob({{"ban", 40}}) == here.rule("10.6.1", "9.5.1"));
    CHECK(by_bob({{"kick", 60}, {"ban", 51}}) == here.rule("10.6.2", "9.5.2"));
    CHECK(by_bob({{"kick", 60}, {"ban", 40}, {"invite", 51}}) == here.rule("10.6.2", "9.5.2"));
  }
}

TEST_CASE("rules 10.7 and 10.8: neither are those of events and notifications") {
  for (const char* version : all_versions) {
    for (const char* table : {"events", "notifications"}) {
      PeopledRoom here(version);
      const Json users{{bob.str(), 50}};
      here.room.state(here.tip, alice, "m.room.power_levels",
                      here.levels(users, {{table, {{"high", 60}, {"low", 10}}}}));
      const auto by_bob = [&](const Json& levels) { return refusal(here, bob, here.levels(users, {{table, levels}})); };
      CHECK(by_bob({{"high", 60}, {"low", 50}, {"new", 50}}).empty());
      CHECK(by_bob({{"high", 60}}).empty());
      CHECK(by_bob({{"high", 50}, {"low", 10}}) == here.rule("10.7.1", "9.6.1"));
      CHECK(by_bob({{"low", 10}}) == here.rule("10.7.1", "9.6.1"));
      CHECK(by_bob({{"high", 60}, {"low", 51}}) == here.rule("10.8.1", "9.7.1"));
      CHECK(by_bob({{"high", 60}, {"low", 10}, {"new", 51}}) == here.rule("10.8.1", "9.7.1"));
    }
  }
}

TEST_CASE("rules 10.9 and 10.10: users of equal power are out of reach but oneself") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    const UserId eve = user("@eve:echo.test");
    here.room.state(here.tip, alice, "m.room.power_levels",
                    here.levels({{bob.str(), 50}, {carol.str(), 10}, {eve.str(), 50}}));
    const auto by_bob = [&](const Json& users) { return refusal(here, bob, here.levels(users)); };
    CHECK(by_bob({{bob.str(), 50}, {carol.str(), 50}, {eve.str(), 50}}).empty());
    CHECK(by_bob({{bob.str(), 50}, {eve.str(), 50}}).empty());
    CHECK(by_bob({{bob.str(), 0}, {carol.str(), 10}, {eve.str(), 50}}).empty());
    CHECK(by_bob({{bob.str(), 50}, {carol.str(), 10}, {eve.str(), 0}}) == here.rule("10.9.1", "9.8.1"));
    CHECK(by_bob({{bob.str(), 50}, {carol.str(), 10}}) == here.rule("10.9.1", "9.8.1"));
    CHECK(by_bob({{bob.str(), 50}, {carol.str(), 51}, {eve.str(), 50}}) == here.rule("10.10.1", "9.9.1"));
    CHECK(by_bob({{bob.str(), 51}, {carol.str(), 10}, {eve.str(), 50}}) == here.rule("10.10.1", "9.9.1"));
    CHECK(by_bob({{bob.str(), 50}, {carol.str(), 10}, {eve.str(), 50}, {dave.str(), 51}}) ==
          here.rule("10.10.1", "9.9.1"));
  }
}

TEST_CASE("a creator of version 12 may set any level") {
  PeopledRoom here("12");
  here.room.state(here.tip, alice, "m.room.power_levels", here.levels({{bob.str(), 9'007'199'254'740'991}}));
  CHECK(refusal(here, alice, here.levels(Json::object(), {{"ban", 9'007'199'254'740'991}})).empty());
}

}  // namespace
}  // namespace skerry::test
