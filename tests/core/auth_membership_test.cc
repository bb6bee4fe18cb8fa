// Rule 5 of version 12 (4 in versions 10 and 11): memberships.
#include "tests/core/authorization_cases.h"

namespace skerry::test {
namespace {

TEST_CASE("rule 5.1: a membership has a state key and a membership") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.member_refusal(carol, carol, Json::object()) == here.rule("5.1", "4.1"));
    CHECK(here.member_refusal(carol, carol, Json{{"membership", 1}}) == here.rule("5.1", "4.1"));
    CHECK(here.refusal({carol, "m.room.member", std::nullopt, R"({"membership":"join"})", 0, {}}) ==
          here.rule("5.1", "4.1"));
  }
}

TEST_CASE("rule 5.3.1: the creator joins right after creation and only then for nothing") {
  for (const char* version : all_versions) {
    RoomBuilder room(version);
    RoomBuilder::Tip tip = room.at_create();
    const std::string no_invite = room.rules().version == "12" ? "5.3.4" : "4.3.4";
    const auto join = [&](const UserId& who) {
      return room.make(tip, {who, "m.room.member", who.str(), R"({"membership":"join"})", 0, {}});
    };
    CHECK(room.refusing_rule(tip, join(alice)).empty());
    CHECK(room.refusing_rule(tip, join(bob)) == no_invite);
    RoomBuilder::Tip later = tip;
    room.message(later, alice);
    CHECK(room.refusing_rule(
              later, room.make(later, {alice, "m.room.member", alice.str(), R"({"membership":"join"})", 0, {}})) ==
          no_invite);
  }
}

TEST_CASE("rule 5.3.2: nobody joins for another") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.member_refusal(alice, dave, "join") == here.rule("5.3.2", "4.3.2"));
  }
}

TEST_CASE("rule 5.3.3: a banned user cannot join") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.member_refusal(mallory, mallory, "join") == here.rule("5.3.3", "4.3.3"));
  }
}

TEST_CASE("rule 5.3.4: a room by invitation or knock is joined by who was invited") {
  for (const char* version : all_versions) {
    for (const char* join_rule : {"invite", "knock"}) {
      PeopledRoom here(version, join_rule);
      CHECK(here.member_refusal(dave, dave, "join") == here.rule("5.3.4", "4.3.4"));
      CHECK(here.member_refusal(carol, carol, "join").empty());
      here.room.member(here.tip, bob, dave, "invite");
      CHECK(here.member_refusal(dave, dave, "join").empty());
    }
  }
}

TEST_CASE("rule 5.3.4: without join rules a room is by invitation") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    here.tip.state.erase({"m.room.join_rules", ""});
    CHECK(here.member_refusal(dave, dave, "join") == here.rule("5.3.4", "4.3.4"));
  }
}

TEST_CASE("rule 5.3.5: a restricted join is authorised by a member who may invite") {
  for (const char* version : all_versions) {
    for (const char* join_rule : {"restricted", "knock_restricted"}) {
      PeopledRoom here(version, join_rule);
      here.room.state(here.tip, alice, "m.room.power_levels", here.levels({{bob.str(), 50}}, {{"invite", 50}}));
      const auto via = [&](const Json& who) {
        return here.member_refusal(dave, dave, Json{{"membership", "join"}, {"join_authorised_via_users_server", who}});
      };
      const std::string refused = here.rule("5.3.5.2", "4.3.5.2");
      CHECK(here.member_refusal(dave, dave, "join") == refused);
      CHECK(via(bob.str()).empty());
      CHECK(via(alice.str()).empty());
      CHECK(via(carol.str()) == refused);
      CHECK(via(dave.str()) == refused);
      CHECK(via(mallory.str()) == refused);
      CHECK(via("nonsense") == refused);
      CHECK(here.member_refusal(carol, carol, "join").empty());
      here.room.member(here.tip, bob, dave, "invite");
      CHECK(here.member_refusal(dave, dave, "join").empty());
    }
  }
}

TEST_CASE("rule 5.3.6: anybody joins a public room") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.member_refusal(dave, dave, "join").empty());
  }
}

TEST_CASE("rule 5.3.7: an unknown join rule admits nobody") {
  for (const char* version : all_versions) {
    PeopledRoom here(version, "private");
    CHECK(here.member_refusal(dave, dave, "join") == here.rule("5.3.7", "4.3.7"));
    CHECK(here.member_refusal(carol, carol, "join") == here.rule("5.3.7", "4.3.7"));
  }
}

// A room with a third party invite by bob, whose key `signer` is; and the signed part of an answer to it.
struct ThirdParty {
  explicit ThirdParty(std::string_view version) : here(version) {
    const Ed25519PublicKey& key = signer.public_key();
    here.room.state(
        here.tip, bob, "m.room.third_party_invite",
        dump({{"display_name", "d"},
              {"public_key", base64_encode(std::string(32, 'x'))},
              {"public_keys",
               {{{"public_key", base64_encode({reinterpret_cast<const char*>(key.data()), key.size()})}}}}}),
        "token");
  }

  Json signed_part(const UserId& who = dave, const char* token = "token") const {
    Json part{{"mxid", who.str()}, {"token", token}};
    REQUIRE(sign_json(part, "identity.test", signer));
    return part;
  }
  std::string refusal(const UserId& sender, const Json& invite, const UserId& target = dave) {
    return here.member_refusal(sender, target, Json{{"membership", "invite"}, {"third_party_invite", invite}});
  }

  SigningKey signer = key_of(server("identity.test"));
  PeopledRoom here;
};

TEST_CASE("rule 5.4.1: a third party invite is answered by whom its keys signed for") {
  for (const char* version : all_versions) {
    ThirdParty t(version);
    const auto rule = [&](const char* in_v12, const char* before) { return t.here.rule(in_v12, before); };
    CHECK(t.refusal(bob, {{"signed", t.signed_part()}}).empty());
    CHECK(t.refusal(bob, {{"signed", t.signed_part(mallory)}}, mallory) == rule("5.4.1.1", "4.4.1.1"));
    CHECK(t.refusal(bob, {{"display_name", "d"}}) == rule("5.4.1.2", "4.4.1.2"));
    CHECK(t.refusal(bob, {{"signed", {{"mxid", dave.str()}}}}) == rule("5.4.1.3", "4.4.1.3"));
    CHECK(t.refusal(bob, {{"signed", {{"token", "token"}}}}) == rule("5.4.1.3", "4.4.1.3"));
    CHECK(t.refusal(bob, {{"signed", t.signed_part(carol)}}) == rule("5.4.1.4", "4.4.1.4"));
    CHECK(t.refusal(bob, {{"signed", t.signed_part(dave, "other")}}) == rule("5.4.1.5", "4.4.1.5"));
    CHECK(t.refusal(alice, {{"signed", t.signed_part()}}) == rule("5.4.1.6", "4.4.1.6"));
    Json forged = t.signed_part();
    forged["extra"] = 1;
    CHECK(t.refusal(bob, {{"signed", forged}}) == rule("5.4.1.8", "4.4.1.8"));
    forged = t.signed_part();
    forged.erase("signatures");
    CHECK(t.refusal(bob, {{"signed", forged}}) == rule("5.4.1.8", "4.4.1.8"));
  }
}

TEST_CASE("rule 5.4.1.7: the single public key of a third party invite counts too") {
  for (const char* version : all_versions) {
    ThirdParty t(version);
    const Ed25519PublicKey& key = t.signer.public_key();
    const std::string encoded = base64url_encode({reinterpret_cast<const char*>(key.data()), key.size()});
    t.here.room.state(t.here.tip, bob, "m.room.third_party_invite", dump({{"public_key", encoded}}), "token");
    CHECK(t.refusal(bob, {{"signed", t.signed_part()}}).empty());
    t.here.room.state(t.here.tip, bob, "m.room.third_party_invite", "{}", "token");
    CHECK(t.refusal(bob, {{"signed", t.signed_part()}}) == t.here.rule("5.4.1.8", "4.4.1.8"));
  }
}

TEST_CASE("rules 5.4.2 to 5.4.5: invitations") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.member_refusal(carol, dave, "invite").empty());
    CHECK(here.member_refusal(dave, user("@eve:echo.test"), "invite") == here.rule("5.4.2", "4.4.2"));
    CHECK(here.member_refusal(alice, carol, "invite") == here.rule("5.4.3", "4.4.3"));
    CHECK(here.member_refusal(alice, mallory, "invite") == here.rule("5.4.3", "4.4.3"));
    here.room.state(here.tip, alice, "m.room.power_levels", here.levels({{bob.str(), 50}}, {{"invite", 50}}));
    CHECK(here.member_refusal(bob, dave, "invite").empty());
    CHECK(here.member_refusal(carol, dave, "invite") == here.rule("5.4.5", "4.4.5"));
  }
}

TEST_CASE("rule 5.5.1: one leaves when joined invited or knocking") {
  for (const char* version : all_versions) {
    PeopledRoom here(version, "knock");
    CHECK(here.member_refusal(carol, carol, "leave").empty());
    CHECK(here.member_refusal(dave, dave, "leave") == here.rule("5.5.1", "4.5.1"));
    CHECK(here.member_refusal(mallory, mallory, "leave") == here.rule("5.5.1", "4.5.1"));
    RoomBuilder::Tip before = here.tip;
    here.room.member(here.tip, dave, dave, "knock");
    CHECK(here.member_refusal(dave, dave, "leave").empty());
    here.tip = before;
    here.room.member(here.tip, alice, dave, "invite");
    CHECK(here.member_refusal(dave, dave, "leave").empty());
  }
}

TEST_CASE("rules 5.5.2 to 5.5.5: kicking and unbanning take power over the target") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.member_refusal(dave, carol, "leave") == here.rule("5.5.2", "4.5.2"));
    CHECK(here.member_refusal(bob, carol, "leave").empty());
    CHECK(here.member_refusal(carol, bob, "leave") == here.rule("5.5.5", "4.5.5"));
    CHECK(here.member_refusal(bob, alice, "leave") == here.rule("5.5.5", "4.5.5"));
    CHECK(here.member_refusal(bob, mallory, "leave").empty());
    CHECK(here.member_refusal(carol, mallory, "leave") == here.rule("5.5.3", "4.5.3"));
    here.room.state(here.tip, alice, "m.room.power_levels",
                    here.levels({{bob.str(), 50}, {carol.str(), 50}}, {{"ban", 60}}));
    CHECK(here.member_refusal(bob, mallory, "leave") == here.rule("5.5.3", "4.5.3"));
    CHECK(here.member_refusal(bob, carol, "leave") == here.rule("5.5.5", "4.5.5"));
    here.room.state(here.tip, alice, "m.room.power_levels", here.levels({{bob.str(), 50}}, {{"kick", 60}}));
    CHECK(here.member_refusal(bob, carol, "leave") == here.rule("5.5.5", "4.5.5"));
  }
}

TEST_CASE("rule 5.6: banning takes power over the target") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.member_refusal(dave, carol, "ban") == here.rule("5.6.1", "4.6.1"));
    CHECK(here.member_refusal(bob, carol, "ban").empty());
    CHECK(here.member_refusal(bob, dave, "ban").empty());
    CHECK(here.member_refusal(carol, dave, "ban") == here.rule("5.6.3", "4.6.3"));
    CHECK(here.member_refusal(bob, alice, "ban") == here.rule("5.6.3", "4.6.3"));
    CHECK(here.member_refusal(bob, bob, "ban") == here.rule("5.6.3", "4.6.3"));
    CHECK(here.member_refusal(alice, bob, "ban").empty());
  }
}

TEST_CASE("nobody bans or kicks a creator of version 12") {
  PeopledRoom here("12");
  here.room.state(here.tip, alice, "m.room.power_levels", here.levels({{bob.str(), 9'007'199'254'740'991}}));
  CHECK(here.member_refusal(bob, alice, "ban") == "5.6.3");
  CHECK(here.member_refusal(bob, alice, "leave") == "5.5.5");
}

TEST_CASE("rule 5.7: knocking") {
  for (const char* version : all_versions) {
    for (const char* join_rule : {"public", "invite", "restricted"}) {
      PeopledRoom closed(version, join_rule);
      CHECK(closed.member_refusal(dave, dave, "knock") == closed.rule("5.7.1", "4.7.1"));
    }
    for (const char* join_rule : {"knock", "knock_restricted"}) {
      PeopledRoom here(version, join_rule);
      CHECK(here.member_refusal(dave, dave, "knock").empty());
      CHECK(here.member_refusal(alice, dave, "knock") == here.rule("5.7.2", "4.7.2"));
      CHECK(here.member_refusal(carol, carol, "knock") == here.rule("5.7.4", "4.7.4"));
      CHECK(here.member_refusal(mallory, mallory, "knock") == here.rule("5.7.4", "4.7.4"));
      here.room.member(here.tip, alice, dave, "invite");
      CHECK(here.member_refusal(dave, dave, "knock") == here.rule("5.7.4", "4.7.4"));
    }
  }
}

TEST_CASE("rule 5.8: an unknown membership is refused") {
  for (const char* version : all_versions) {
    PeopledRoom here(version);
    CHECK(here.member_refusal(carol, carol, "banana") == here.rule("5.8", "4.8"));
  }
}

}  // namespace
}  // namespace skerry::test
