// What application services may do by the client-server API, and others may not. Application service API.
#include "tests/homeserver/fake_appservice.h"

using namespace skerry;
using namespace skerry::test;

namespace {

const std::string register_target = std::string(v3) + "/register";
const std::string ghost = "@_bridge_ghost:alpha.test";

std::string alias_target(const std::string& alias) { return std::string(v3) + "/directory/room/" + encoded(alias); }

}  // namespace

TEST_CASE("an application service is its own user, who is there from the start") {
  Bridged bridged;
  const Json me = must(bridged.bot.get(std::string(v3) + "/account/whoami"));
  CHECK(me.at("user_id") == "@_bridge_bot:alpha.test");
  CHECK_FALSE(me.contains("device_id"));
  const std::string room = public_room(bridged.bot);
  CHECK(!say(bridged.bot, room, "hello").empty());
  // Logins by password never fit.
  const Answer login =
      Api(bridged.server.url())
          .post(std::string(v3) + "/login", {{"type", "m.login.password"}, {"user", "_bridge_bot"}, {"password", ""}});
  CHECK(login.status == 403);
}

TEST_CASE(
    "an application service registers users in its namespace, without a password, also where registration is "
    "closed") {
  HomeserverOptions closed;
  closed.registration_open = false;
  Bridged bridged("", closed);
  const Answer made = bridged.register_ghost("_bridge_ghost", {{"inhibit_login", true}});
  CHECK(must(made) == Json{{"user_id", ghost}});
  CHECK(bridged.register_ghost("_bridge_ghost").errcode() == "M_USER_IN_USE");
  CHECK(bridged.register_ghost("alice").errcode() == "M_EXCLUSIVE");
  CHECK(bridged.register_ghost("_bridge_a:b").errcode() == "M_INVALID_USERNAME");
  // Names of other networks have capitals.
  const Json session = must(bridged.register_ghost("_bridge_[Nick]"));
  CHECK(session.at("user_id") == "@_bridge_[Nick]:alpha.test");
  CHECK(must(Api(bridged.server.url(), session.at("access_token")).get(std::string(v3) + "/account/whoami"))
            .at("user_id") == "@_bridge_[Nick]:alpha.test");
  const Api stranger(bridged.server.url(), "no such token");
  const Json wanted = {{"type", "m.login.application_service"}, {"username", "_bridge_x"}};
  CHECK(stranger.post(register_target, wanted).errcode() == "M_UNKNOWN_TOKEN");
  CHECK(stranger.as("").post(register_target, wanted).errcode() == "M_MISSING_TOKEN");
}

TEST_CASE("an application service acts as its users, and as no others") {
  Bridged bridged;
  bridged.register_ghost("_bridge_ghost");
  const Api alice = Api(bridged.server.url()).register_user("alice");
  const auto who = [&](const std::string& name) {
    return bridged.bot.get(bridged.as_user(std::string(v3) + "/account/whoami", name));
  };
  CHECK(must(who("_bridge_ghost")).at("user_id") == ghost);
  CHECK(who("alice").errcode() == "M_FORBIDDEN");
  CHECK(who("_bridge_unregistered").errcode() == "M_FORBIDDEN");
  CHECK(bridged.bot.get(std::string(v3) + "/account/whoami?user_id=nobody").errcode() == "M_INVALID_PARAM");
  // user_id means nothing in others' requests.
  CHECK(must(alice.get(bridged.as_user(std::string(v3) + "/account/whoami", "_bridge_ghost"))).at("user_id") ==
        alice.user_id);

  const std::string room = public_room(alice);
  must(bridged.bot.post(bridged.as_user(room_path(room) + "/join", "_bridge_ghost")));
  must(bridged.bot.put(bridged.as_user(room_path(room) + "/send/m.room.message/1", "_bridge_ghost"),
                       {{"msgtype", "m.text"}, {"body", "boo"}}));
  const Json timeline = at(room_of(sync(alice), room), {"timeline", "events"});
  CHECK(timeline.back().at("sender") == ghost);
}

TEST_CASE("an application service acts as a device, makes and removes some, without a password") {
  Bridged bridged;
  bridged.register_ghost("_bridge_ghost", {{"inhibit_login", true}});
  const auto devices = [&](const std::string& more) {
    return bridged.as_user(std::string(v3) + "/devices" + more, "_bridge_ghost");
  };
  const auto who = [&](const std::string& device, const std::string& parameter = "device_id") {
    return bridged.bot.get(bridged.as_user(std::string(v3) + "/account/whoami", "_bridge_ghost") + "&" + parameter +
                           "=" + device);
  };
  CHECK(who("PHONE").status == 400);
  CHECK(who("PHONE").errcode() == "M_UNKNOWN_DEVICE");
  CHECK(bridged.bot.put(devices("/PHONE"), {{"display_name", "Phone"}}).status == 201);
  CHECK(bridged.bot.put(devices("/PHONE"), {{"display_name", "Old phone"}}).status == 200);
  CHECK(must(who("PHONE")).at("device_id") == "PHONE");
  CHECK(must(who("PHONE", "org.matrix.msc3202.device_id")).at("device_id") == "PHONE");
  CHECK(must(bridged.bot.get(devices("/PHONE"))).at("display_name") == "Old phone");
  must(bridged.bot.del(devices("/PHONE")));
  CHECK(who("PHONE").errcode() == "M_UNKNOWN_DEVICE");
  const Api alice = Api(bridged.server.url()).register_user("alice");
  CHECK(alice.put(std::string(v3) + "/devices/NEW", {{"display_name", "New"}}).status == 404);
}

TEST_CASE("an application service logs in as its users") {
  Bridged bridged;
  bridged.register_ghost("_bridge_ghost", {{"inhibit_login", true}});
  Api(bridged.server.url()).register_user("alice");
  const auto login = [&](const Api& api, const std::string& user) {
    return api.post(std::string(v3) + "/login",
                    {{"type", "m.login.application_service"}, {"identifier", {{"type", "m.id.user"}, {"user", user}}}});
  };
  const Json session = must(login(bridged.bot, "_bridge_ghost"));
  CHECK(must(Api(bridged.server.url(), session.at("access_token")).get(std::string(v3) + "/account/whoami"))
            .at("user_id") == ghost);
  CHECK(login(bridged.bot, "alice").errcode() == "M_EXCLUSIVE");
  CHECK(login(bridged.bot, "_bridge_nobody").errcode() == "M_FORBIDDEN");
  CHECK(login(bridged.bot.as(""), "_bridge_ghost").errcode() == "M_MISSING_TOKEN");
  const Json flows = must(bridged.bot.get(std::string(v3) + "/login"));
  CHECK_THAT(flows.dump(), Catch::Contains("m.login.application_service"));
}

TEST_CASE("names in an exclusive namespace are the application service's alone") {
  Bridged bridged;
  const Api api(bridged.server.url());
  const Json wanted = {
      {"username", "_bridge_me"}, {"password", "correct horse"}, {"auth", {{"type", "m.login.dummy"}}}};
  CHECK(api.post(register_target, wanted).errcode() == "M_EXCLUSIVE");
  CHECK(api.get(register_target + "/available?username=_bridge_me").errcode() == "M_EXCLUSIVE");
  CHECK(api.get(register_target + "/available?username=_bridge_bot").status == 400);
  const Api alice = api.register_user("alice");
  const std::string room = public_room(alice);
  CHECK(alice.put(alias_target("#_bridge_room:alpha.test"), {{"room_id", room}}).errcode() == "M_EXCLUSIVE");
  CHECK(alice.post(std::string(v3) + "/createRoom", {{"room_alias_name", "_bridge_room"}}).errcode() == "M_EXCLUSIVE");
  CHECK(bridged.bot.post(std::string(v3) + "/createRoom", {{"room_alias_name", "town"}}).errcode() == "M_EXCLUSIVE");
  must(bridged.bot.post(std::string(v3) + "/createRoom",
                        {{"room_alias_name", "_bridge_room"}, {"preset", "public_chat"}}));
  must(alice.get(alias_target("#_bridge_room:alpha.test")));
  CHECK(alice.del(alias_target("#_bridge_room:alpha.test")).errcode() == "M_EXCLUSIVE");
  must(bridged.bot.del(alias_target("#_bridge_room:alpha.test")));
}

TEST_CASE("an application service sets the time of what it sends, others do not") {
  Bridged bridged;
  const Api alice = Api(bridged.server.url()).register_user("alice");
  const std::string room = public_room(alice);
  must(bridged.bot.post(room_path(room) + "/join"));
  const auto send = [&](const Api& api, const std::string& transaction, const std::string& query) {
    return api.put(room_path(room) + "/send/m.room.message/" + transaction + query,
                   {{"msgtype", "m.text"}, {"body", "then"}});
  };
  const auto time_of = [&](const Answer& sent) {
    return must(alice.get(room_path(room) + "/event/" + encoded(must(sent).at("event_id"))))
        .at("origin_server_ts")
        .get<std::int64_t>();
  };
  CHECK(time_of(send(bridged.bot, "1", "?ts=1534535223283")) == 1534535223283);
  CHECK(time_of(send(alice, "2", "?ts=1534535223283")) > 1700000000000);
  CHECK(send(bridged.bot, "3", "?ts=-1").status == 400);
  CHECK(send(bridged.bot, "4", "?ts=9007199254740992").status == 400);
  CHECK(send(bridged.bot, "5", "?ts=soon").status == 400);
  // Members too, by their state: what bridges copy from elsewhere has its time.
  const Answer named = bridged.bot.put(
      room_path(room) + "/state/m.room.member/" + encoded("@_bridge_bot:alpha.test") + "?ts=1534535223283",
      {{"membership", "join"}, {"displayname", "Bridge"}});
  CHECK(time_of(named) == 1534535223283);
}

TEST_CASE("rate limits hold an application service's users, but for its own and where it is exempt") {
  HomeserverOptions limited;
  limited.rate_limits = true;
  limited.tables = "message = { per_second = 0.001, burst = 5 }\n";
  const auto refused = [](const Bridged& bridged, const std::string& query) {
    const std::string room = public_room(bridged.bot);
    must(bridged.bot.post(room_path(room) + "/join" + query));
    int count = 0;
    for (int i = 0; i < 8; ++i) {
      count += bridged.bot
                   .put(room_path(room) + "/send/m.room.message/" + std::to_string(i) + query,
                        {{"msgtype", "m.text"}, {"body", "x"}})
                   .status == 429;
    }
    return count;
  };
  const std::string as_ghost = "?user_id=" + encoded(ghost);
  {
    Bridged bridged("", limited);
    bridged.register_ghost("_bridge_ghost");
    CHECK(refused(bridged, "") == 0);
    CHECK(refused(bridged, as_ghost) > 0);
  }
  Bridged bridged("rate_limited: false\n", limited);
  bridged.register_ghost("_bridge_ghost");
  CHECK(refused(bridged, as_ghost) == 0);
}

TEST_CASE("a ping goes to the application service and comes back, and failures are told apart") {
  Bridged bridged;
  const std::string target = "/_matrix/client/v1/appservice/bridge/ping";
  int status = 200;
  bridged.appservice.others = [&](const net::HttpRequest& request) {
    return Json::parse(request.body) == Json{{"transaction_id", "meow"}} ? status : 400;
  };
  const Json pong = must(bridged.bot.post(target, {{"transaction_id", "meow"}}));
  CHECK(pong.at("duration_ms").is_number_unsigned());
  CHECK(bridged.appservice.asked() == Texts{"POST /base/_matrix/app/v1/ping"});
  status = 403;
  const Answer refused = bridged.bot.post(target, {{"transaction_id", "meow"}});
  CHECK(refused.status == 502);
  CHECK(refused.errcode() == "M_BAD_STATUS");
  CHECK(refused.json.at("status") == 403);
  bridged.appservice.stop();
  const Answer away = bridged.bot.post(target, {{"transaction_id", "meow"}});
  CHECK(away.status == 502);
  CHECK(away.errcode() == "M_CONNECTION_FAILED");
  CHECK(bridged.bot.post("/_matrix/client/v1/appservice/other/ping").errcode() == "M_FORBIDDEN");
  const Api alice = Api(bridged.server.url()).register_user("alice");
  CHECK(alice.post(target).errcode() == "M_FORBIDDEN");
}

TEST_CASE("an alias that is not there is made when somebody looks for it") {
  Bridged bridged;
  const Api alice = Api(bridged.server.url()).register_user("alice");
  // It makes the room while it is asked, by the client-server API, and then says that it is there.
  bridged.appservice.others = [&](const net::HttpRequest& request) {
    if (request.target.find("_bridge_made") == std::string::npos) return 404;
    const Answer made = bridged.bot.post(std::string(v3) + "/createRoom",
                                         {{"room_alias_name", "_bridge_made"}, {"preset", "public_chat"}});
    return made.status == 200 ? 200 : 404;
  };
  const Json joined = must(alice.post(std::string(v3) + "/join/" + encoded("#_bridge_made:alpha.test")));
  CHECK(must(alice.get(alias_target("#_bridge_made:alpha.test"))).at("room_id") == joined.at("room_id"));
  CHECK(bridged.appservice.asked() == Texts{"GET /base/_matrix/app/v1/rooms/" + encoded("#_bridge_made:alpha.test")});
  CHECK(alice.get(alias_target("#_bridge_other:alpha.test")).errcode() == "M_NOT_FOUND");
  CHECK(alice.get(alias_target("#elsewhere:alpha.test")).errcode() == "M_NOT_FOUND");
  CHECK(bridged.appservice.asked().size() == 2);
  bridged.appservice.stop();
  CHECK(alice.get(alias_target("#_bridge_other:alpha.test")).status == 408);
}

TEST_CASE("a user who is not there is made when somebody invites them or looks at their profile") {
  Bridged bridged;
  const Api alice = Api(bridged.server.url()).register_user("alice");
  bridged.appservice.others = [&](const net::HttpRequest& request) {
    const std::string prefix = "/base/_matrix/app/v1/users/";
    if (request.target.rfind(prefix, 0) != 0) return 400;
    const std::string id = *net::percent_decode(request.target.substr(prefix.size()));
    return bridged.register_ghost(id.substr(1, id.find(':') - 1), {{"inhibit_login", true}}).status;
  };
  const std::string room = create_room(alice);
  must(alice.post(room_path(room) + "/invite", {{"user_id", "@_bridge_one:alpha.test"}}));
  must(bridged.bot.post(bridged.as_user(room_path(room) + "/join", "_bridge_one")));
  must(alice.get(std::string(v3) + "/profile/" + encoded("@_bridge_two:alpha.test")));
  create_room(alice, {{"invite", {"@_bridge_three:alpha.test"}}});
  CHECK(bridged.appservice.asked().size() == 3);
  CHECK(alice.get(std::string(v3) + "/profile/" + encoded("@nobody:alpha.test")).status == 404);
  CHECK(bridged.appservice.asked().size() == 3);
}

TEST_CASE("rooms that an application service lists are found by its network, and among those of all networks") {
  Bridged bridged;
  const Api alice = Api(bridged.server.url()).register_user("alice");
  const std::string room = public_room(bridged.bot);
  const std::string target = std::string(v3) + "/directory/list/appservice/over_there/" + encoded(room);
  CHECK(alice.put(target, {{"visibility", "public"}}).errcode() == "M_FORBIDDEN");
  must(bridged.bot.put(target, {{"visibility", "public"}}));
  const auto found = [&](const Json& query) {
    return must(alice.post(std::string(v3) + "/publicRooms", query)).at("chunk").size();
  };
  CHECK(found(Json::object()) == 0);
  CHECK(found({{"third_party_instance_id", "bridge|over_there"}}) == 1);
  CHECK(found({{"third_party_instance_id", "bridge|elsewhere"}}) == 0);
  CHECK(found({{"include_all_networks", true}}) == 1);
  must(bridged.bot.put(target, {{"visibility", "private"}}));
  CHECK(found({{"include_all_networks", true}}) == 0);
}

TEST_CASE("lookups in a third-party network are passed on to the application service that speaks it") {
  Bridged bridged("protocols: [over_there]\n");
  const Api alice = Api(bridged.server.url()).register_user("alice");
  const std::string base = std::string(v3) + "/thirdparty";
  bridged.appservice.answer_json = [](const std::string& target) -> Json {
    const std::string prefix = "/base/_matrix/app/v1/thirdparty";
    if (target == prefix + "/protocol/over_there")
      return {{"user_fields", {"nick"}}, {"instances", {{{"network_id", "net"}, {"desc", "Net"}}}}};
    if (target == prefix + "/user/over_there?nick=a%26b") return Json::array({{{"userid", "@_bridge_a:alpha.test"}}});
    if (target == prefix + "/location?alias=%23_bridge_x%3Aalpha.test")
      return Json::array({{{"alias", "#_bridge_x:alpha.test"}}});
    return nullptr;
  };
  const Json protocols = must(alice.get(base + "/protocols"));
  CHECK(protocols.size() == 1);
  CHECK(protocols.at("over_there").at("instances").at(0).at("instance_id") == "bridge|net");
  CHECK(must(alice.get(base + "/protocol/over_there")) == protocols.at("over_there"));
  CHECK(must(alice.get(base + "/user/over_there?nick=a%26b")).at(0).at("userid") == "@_bridge_a:alpha.test");
  CHECK(must(alice.get(base + "/location?alias=%23_bridge_x%3Aalpha.test")).size() == 1);
  CHECK(alice.get(base + "/location?alias=%23other%3Aalpha.test").errcode() == "M_NOT_FOUND");
  CHECK(alice.get(base + "/protocol/elsewhere").errcode() == "M_NOT_FOUND");
  CHECK(alice.get(base + "/user").errcode() == "M_MISSING_PARAM");
}
