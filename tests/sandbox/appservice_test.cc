// skerry up --appservice: an application service of one server, heard by all of them.
#include <filesystem>

#include "tests/homeserver/fake_appservice.h"
#include "tests/support/sandbox_folder.h"

using namespace skerry::test;  // NOLINT(google-build-using-namespace)
using skerry::Json;

TEST_CASE("up --appservice lets one in, who is made and invited from another server, and known the next time") {
  FakeAppservice appservice;
  const SandboxFolder folder("/sandbox");
  const std::string file = appservice.write_registration(folder.root());
  Json status = folder.json({"up", "--servers", "2", "--appservice", file});
  const auto bot = [&] { return Api(status.at("servers").at(0).at("client_url"), as_token); };
  appservice.others = [&](const skerry::net::HttpRequest& request) {
    if (request.target.find("/users/") == std::string::npos) return 404;
    return bot()
        .post(std::string(v3) + "/register",
              {{"type", "m.login.application_service"}, {"username", "_bridge_ghost"}, {"inhibit_login", true}})
        .status;
  };
  const Json account = folder.json({"register", "bob@bravo.test"});
  const Api bob(account.at("client_url"), account.at("access_token"));
  const std::string room = create_room(bob);
  must(bob.post(room_path(room) + "/invite", {{"user_id", "@_bridge_ghost:alpha.test"}}));
  const auto is_invite = [&](const Json& event) {
    return event.at("type") == "m.room.member" && event.at("state_key") == "@_bridge_ghost:alpha.test" &&
           event.at("room_id") == room && event.at("content").at("membership") == "invite";
  };
  eventually("the invite comes", [&] {
    const auto events = appservice.events();
    return std::any_of(events.begin(), events.end(), is_invite);
  });
  const std::string as_ghost = "?user_id=" + encoded("@_bridge_ghost:alpha.test");
  must(bot().post(room_path(room) + "/join" + as_ghost));
  say(bob, room, "hello");
  eventually("what bob says comes", [&] { return contains(appservice.texts(), "hello"); });

  REQUIRE(folder.skerry({"down"}).status == 0);
  status = folder.json({"up"});
  must(bot().get(std::string(v3) + "/account/whoami" + as_ghost));
  const std::string other = folder.root().path() + "/other.yaml";
  write_file(other, "id: other\nurl: null\nas_token: a\nhs_token: b\nsender_localpart: other\nnamespaces: {}\n");
  const Ran late = folder.skerry({"up", "--appservice", other});
  CHECK(late.status == 1);
  CHECK_THAT(late.output, Catch::Contains("without the application service"));
}

TEST_CASE("up --appservice says what is wrong before anything starts") {
  const SandboxFolder folder("/sandbox");
  const Ran absent = folder.skerry({"up", "--appservice", "/no/such/file.yaml"});
  CHECK(absent.status == 1);
  CHECK_THAT(absent.output, Catch::Contains("/no/such/file.yaml: cannot be read"));
  const std::string file = folder.root().path() + "/broken.yaml";
  write_file(file, "id: x\n");
  const Ran broken = folder.skerry({"up", "--appservice", "bravo=" + file});
  CHECK(broken.status == 1);
  CHECK_THAT(broken.output, Catch::Contains("as_token: is required"));
  const Ran nowhere = folder.skerry({"up", "--appservice", "nowhere=" + file});
  CHECK(nowhere.status == 1);
  CHECK_THAT(nowhere.output, Catch::Contains("nowhere"));
  CHECK_FALSE(std::filesystem::exists(folder.root().path() + "/sandbox"));
}
