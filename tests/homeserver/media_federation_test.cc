// Media of other servers: two real ones, and one whose answers a test writes. Server-server API, 'Content Repository'.
#include <atomic>
#include <future>

#include "homeserver/media/image.h"
#include "homeserver/media/multipart.h"
#include "tests/homeserver/chat_api.h"
#include "tests/support/town.h"

using namespace skerry;
using namespace skerry::test;

namespace {

using Request = net::HttpRequest;
using Response = net::HttpResponse;

Answer download(const Api& api, const std::string& path) {
  return api.get("/_matrix/client/v1/media/download/" + path);
}
std::string upload(const Api& api, const std::string& bytes, const std::string& type, const std::string& name) {
  const Json made =
      must(api.request("POST", "/_matrix/media/v3/upload?filename=" + encoded(name), bytes, {{"Content-Type", type}}));
  return made.at("content_uri").get<std::string>().substr(6);
}

Response error(int status, const std::string& errcode) {
  return {status, {{"Content-Type", "application/json"}}, Json{{"errcode", errcode}}.dump()};
}
Response multipart(const net::Headers& headers, const std::string& bytes) {
  const auto parts = homeserver::media_parts("boundary", headers);
  return {200, {{"Content-Type", parts.content_type}}, parts.head + bytes + parts.tail};
}

// alpha, with alice, and a server of the test's own at other.town.test, which answers as it is told.
struct Neighbours {
  Town town;
  std::unique_ptr<HomeserverProcess> alpha;
  Api alice{""};
  std::function<Response(const Request&)> answer;
  std::atomic<int> asked{0};
  std::unique_ptr<net::HttpServer> other;

  explicit Neighbours(const std::string& settings = "") {
    HomeserverOptions options;
    options.tables = settings.empty() ? "" : "[media]\n" + settings;
    alpha = town.homeserver("alpha.town.test", options);
    alice = Api(alpha->url()).register_user("alice");
    other = town.serve({"other.town.test"}, [this](const Request& request, net::Responder responder) {
      ++asked;
      responder.respond(answer(request));
    });
    town.is_at("other.town.test", other->port(0));
  }
  ~Neighbours() {
    alpha.reset();
    other.reset();
  }
  Answer get(const std::string& id) const { return download(alice, "other.town.test/" + id); }
  std::string elsewhere() const { return "https://other.town.test:" + std::to_string(other->port(0)); }
};

}  // namespace

TEST_CASE("a file of another server comes by way of one's own, and stays when that server is gone") {
  Town town;
  auto alpha = town.homeserver("alpha.town.test");
  auto bravo = town.homeserver("bravo.town.test");
  const Api alice = Api(alpha->url()).register_user("alice");
  const Api bob = Api(bravo->url()).register_user("bob");
  const std::string bytes = std::string(300'000, 'x') + "\r\n--boundary--\r\n";
  const std::string path = upload(alice, bytes, "image/png", "h\xC3\xA4.png");
  const Answer got = download(bob, path);
  REQUIRE(got.status == 200);
  CHECK(got.text == bytes);
  CHECK(got.header("Content-Type") == "image/png");
  CHECK(got.header("Content-Disposition") == "inline; filename*=utf-8''h%C3%A4.png");

  CHECK(download(bob, "alpha.town.test/nothing").errcode() == "M_NOT_FOUND");
  const Json made = must(alice.post("/_matrix/media/v1/create"));
  const std::string awaited = made.at("content_uri").get<std::string>().substr(6);
  CHECK(download(bob, awaited + "?timeout_ms=20").errcode() == "M_NOT_YET_UPLOADED");
  // That was an answer: alpha is asked again at once.
  auto waiting = std::async(std::launch::async, [&] { return download(bob, awaited + "?timeout_ms=60000"); });
  must(alice.request("PUT", "/_matrix/media/v3/upload/" + awaited, "late", {{"Content-Type", "text/plain"}}));
  CHECK(waiting.get().text == "late");

  alpha->stop();
  CHECK(download(bob, path).text == bytes);
  CHECK(download(bob, "alpha.town.test/nothing").status >= 502);
}

TEST_CASE("who does not sign gets no file of this server") {
  Town town;
  auto alpha = town.homeserver("alpha.town.test");
  const Api alice = Api(alpha->url()).register_user("alice");
  const std::string path = upload(alice, "x", "text/plain", "n");
  const std::string id = path.substr(path.find('/') + 1);
  const Answer refused = Api(alpha->url()).get("/_matrix/federation/v1/media/download/" + id);
  CHECK(refused.status == 401);
}

TEST_CASE("many who ask for one file make one request of it") {
  Neighbours here;
  std::promise<void> released;
  const auto gate = released.get_future().share();
  here.answer = [&](const Request&) {
    gate.wait_for(std::chrono::seconds(30));
    return multipart({{"Content-Type", "text/plain"}}, "once");
  };
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 5; ++i) answers.push_back(std::async(std::launch::async, [&] { return here.get("one"); }));
  while (here.asked == 0) std::this_thread::yield();
  released.set_value();
  for (auto& answer : answers) CHECK(answer.get().text == "once");
  CHECK(here.get("one").text == "once");
  CHECK(here.asked == 1);
}

TEST_CASE("a place that another server names instead of the file is asked, by https only and nothing private") {
  Neighbours here;
  std::string location;
  here.answer = [&](const Request& request) -> Response {
    if (request.target.starts_with("/_matrix/")) return multipart({{"Location", location}}, "");
    CHECK_FALSE(net::find_header(request.headers, "Authorization"));
    if (request.target == "/kept?signed=1")
      return {200, {{"Content-Type", "text/plain"}, {"Content-Disposition", "inline; filename=k"}}, "kept elsewhere"};
    if (request.target == "/again") return {302, {{"Location", "/kept?signed=1"}}, ""};
    return {302, {{"Location", "/round"}}, ""};
  };
  location = here.elsewhere() + "/kept?signed=1";
  const Answer got = here.get("a");
  CHECK(got.text == "kept elsewhere");
  CHECK(got.header("Content-Disposition") == "inline; filename=\"k\"");
  location = here.elsewhere() + "/again";
  CHECK(here.get("b").text == "kept elsewhere");
  location = here.elsewhere() + "/round";
  CHECK(here.get("c").status == 502);
  for (const std::string& place : {std::string("http://other.town.test/kept?signed=1"), std::string("/kept?signed=1"),
                                   std::string("file:///etc/passwd"), std::string("https://127.0.0.2:1/")}) {
    location = place;
    CHECK(here.get("d").status == 502);
  }
  // A name that leads to a private address.
  here.town.has_address("inside.town.test", "10.0.0.1");
  location = "https://inside.town.test/";
  const Answer refused = here.get("e");
  CHECK(refused.status == 502);
  CHECK(refused.text.find("private") != std::string::npos);
}

TEST_CASE("a server that knows only the deprecated endpoint is asked there, for its own files") {
  Neighbours here;
  std::string target;
  here.answer = [&](const Request& request) -> Response {
    if (request.target.starts_with("/_matrix/federation/")) return error(404, "M_UNRECOGNIZED");
    target = request.target;
    CHECK_FALSE(net::find_header(request.headers, "Authorization"));
    return {200, {{"Content-Type", "image/gif"}}, "old"};
  };
  const Answer got = here.get("a");
  CHECK(got.text == "old");
  CHECK(got.header("Content-Type") == "image/gif");
  CHECK(target.starts_with("/_matrix/media/v3/download/other.town.test/a?allow_remote=false"));
}

TEST_CASE("answers of other servers that are no media, or too much, are errors") {
  Neighbours here("max_mib = 1\n");
  const auto outcome = [&](const std::string& id, Response response) {
    here.answer = [&](const Request&) { return response; };
    const Answer got = here.get(id);
    return std::to_string(got.status) + " " + got.errcode();
  };
  CHECK(outcome("a", {200, {{"Content-Type", "text/plain"}}, "no multipart"}) == "502 M_UNKNOWN");
  CHECK(outcome("b", {200, {{"Content-Type", "multipart/mixed; boundary=b"}}, "--b\r\n\r\nx\r\n--b--"}) ==
        "502 M_UNKNOWN");
  CHECK(outcome("c", error(500, "M_UNKNOWN")) == "502 M_UNKNOWN");
  CHECK(outcome("d", error(404, "M_NOT_FOUND")) == "404 M_NOT_FOUND");
  CHECK(outcome("e", error(502, "M_TOO_LARGE")) == "502 M_TOO_LARGE");
  CHECK(outcome("f", multipart({}, std::string(1'048'577, 'x'))) == "502 M_TOO_LARGE");
  CHECK(outcome("g", multipart({}, std::string(2'000'000, 'x'))) == "502 M_TOO_LARGE");
  CHECK(outcome("h", multipart({{"Content-Type", "evil"}}, "x")) == "200 ");
  CHECK(here.get("h").header("Content-Type") == "application/octet-stream");
}

TEST_CASE("the oldest files of other servers make room for new ones; those of one's own stay") {
  Neighbours here("max_mib = 1\nremote_cache_mib = 1\n");
  here.answer = [&](const Request& request) {
    const std::string id = request.target.substr(0, request.target.find('?'));
    return multipart({{"Content-Type", "text/plain"}}, std::string(500'000, id.back()));  // other ids, other bytes
  };
  const std::string own = upload(here.alice, std::string(600'000, 'o'), "text/plain", "own");
  CHECK(here.get("a").text.size() == 500'000);
  CHECK(here.get("b").text.size() == 500'000);
  CHECK(here.get("a").status == 200);
  CHECK(here.asked == 2);
  CHECK(here.get("c").status == 200);  // a goes
  CHECK(here.get("b").status == 200);
  CHECK(here.asked == 3);
  CHECK(here.get("a").status == 200);  // b goes
  CHECK(here.asked == 4);
  CHECK(download(here.alice, own).text.size() == 600'000);
}

TEST_CASE("a thumbnail of another server's image is made here, of the file that is fetched once") {
  Neighbours here;
  homeserver::Pixels pixels{200, 100, std::vector<std::uint8_t>(std::size_t{200 * 100 * 4}, 255)};
  std::string bytes = homeserver::encode_image(pixels).value().bytes;
  here.answer = [&](const Request&) { return multipart({{"Content-Type", "image/jpeg"}}, bytes); };
  const auto thumbnail = [&](const std::string& id, const std::string& size) {
    return here.alice.get("/_matrix/client/v1/media/thumbnail/other.town.test/" + id + "?" + size);
  };
  const Answer small = thumbnail("a", "width=32&height=32&method=crop");
  REQUIRE(small.status == 200);
  CHECK(homeserver::read_image_info(small.text)->width == 32);
  CHECK(thumbnail("a", "width=96&height=96&method=crop").status == 200);
  CHECK(here.get("a").text == bytes);
  CHECK(here.asked == 1);
  const auto frame = bytes.find("\xFF\xC0");
  REQUIRE(frame != std::string::npos);
  bytes.replace(frame + 5, 4, "\xFF\x00\xFF\x00", 4);
  const Answer large = thumbnail("b", "width=32&height=32");
  CHECK(large.status == 502);
  CHECK(large.errcode() == "M_TOO_LARGE");
}
