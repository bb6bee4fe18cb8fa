// What the tests of the authorization rules share.
#pragma once

#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/core/people.h"

namespace skerry::test {

inline const char* const all_versions[] = {"10", "11", "12"};

// A public room: bob has 50 and carol nothing, mallory is banned, dave is not in it.
struct PeopledRoom {
  explicit PeopledRoom(std::string_view version, std::string_view join_rule = "public")
      : room(version), tip(room.created()) {
    room.state(tip, alice, "m.room.power_levels", levels({{bob.str(), 50}}));
    room.join(tip, bob);
    room.join(tip, carol);
    room.member(tip, alice, mallory, "ban");
    room.state(tip, alice, "m.room.join_rules", dump({{"join_rule", join_rule}}));
  }

  // Power levels' content with alice at 100 where the version wants that said.
  std::string levels(Json users, Json more = Json::object()) const {
    if (!room.rules().creators_are_privileged) users[alice.str()] = 100;
    more["users"] = std::move(users);
    return dump(more);
  }

  // The number of the rule that refuses such an event here; "" when it is allowed.
  std::string refusal(const Draft& draft) { return room.refusing_rule(tip, room.make(tip, draft)); }

  std::string member_refusal(const UserId& sender, const UserId& target, Json content) {
    return refusal({sender, "m.room.member", target.str(), dump(content), 0, {}});
  }
  std::string member_refusal(const UserId& sender, const UserId& target, const char* membership) {
    return member_refusal(sender, target, Json{{"membership", membership}});
  }

  // The number as this room's version prints it.
  std::string rule(const char* in_v12, const char* before) const {
    return room.rules().version == "12" ? in_v12 : before;
  }

  RoomBuilder room;
  RoomBuilder::Tip tip;
};

}  // namespace skerry::test
