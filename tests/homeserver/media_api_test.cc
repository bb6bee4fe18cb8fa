// Uploads and downloads, against a real process. Client-server API, 'Content repository'.
#include <fstream>
#include <future>
#include <iterator>

#include "homeserver/media/image.h"
#include "tests/homeserver/chat_api.h"

using namespace skerry;
using namespace skerry::test;

namespace {

constexpr const char* media_v3 = "/_matrix/media/v3";
constexpr const char* media_v1 = "/_matrix/client/v1/media";

Answer try_upload(const Api& api, const std::string& bytes, const std::string& type = "text/plain",
                  const std::string& name = {}) {
  return api.request("POST", std::string(media_v3) + "/upload" + (name.empty() ? "" : "?filename=" + encoded(name)),
                     bytes, {{"Content-Type", type}});
}
// "SERVER/ID"
std::string path_of(const Answer& made) {
  const std::string uri = must(made).at("content_uri");
  REQUIRE(uri.starts_with("mxc://"));
  return uri.substr(6);
}
std::string upload(const Api& api, const std::string& bytes, const std::string& type = "text/plain",
                   const std::string& name = {}) {
  return path_of(try_upload(api, bytes, type, name));
}
Answer download(const Api& api, const std::string& path) {
  return api.get(std::string(media_v1) + "/download/" + path);
}
std::string create(const Api& api) { return path_of(api.post("/_matrix/media/v1/create")); }
Answer put(const Api& api, const std::string& path, const std::string& bytes) {
  return api.request("PUT", std::string(media_v3) + "/upload/" + path, bytes, {{"Content-Type", "text/plain"}});
}

Answer thumbnail(const Api& api, const std::string& path, const std::string& query) {
  return api.get(std::string(media_v1) + "/thumbnail/" + path + "?" + query);
}
// A PNG where it is transparent, else a JPEG.
std::string picture(int width, int height, std::uint8_t alpha = 255) {
  homeserver::Pixels pixels{width, height, {}};
  for (int i = 0; i < width * height; ++i) {
    for (const int value : {i % 256, i / width % 256, 80, int{alpha}}) {
      pixels.rgba.push_back(static_cast<std::uint8_t>(value));
    }
  }
  return homeserver::encode_image(pixels).value().bytes;
}
std::string size_of(const Answer& image) {
  const auto info = homeserver::read_image_info(image.text);
  return info ? std::to_string(info->width) + "x" + std::to_string(info->height) : image.text;
}

HomeserverOptions with_media(const std::string& settings) {
  HomeserverOptions options;
  options.tables = "[media]\n" + settings;
  return options;
}

}  // namespace

TEST_CASE("a file comes back as it was uploaded") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  std::string bytes(1'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  const std::string path = upload(alice, bytes, "image/png", "a b.png");
  CHECK(path.starts_with("alpha.test/"));
  const Answer got = download(bob, path);
  REQUIRE(got.status == 200);
  CHECK(got.text == bytes);
  CHECK(got.header("Content-Type") == "image/png");
  CHECK(got.header("Content-Disposition") == "inline; filename=\"a b.png\"");
  CHECK(got.header("Content-Security-Policy").starts_with("sandbox; default-src 'none'"));
  CHECK(got.header("Cross-Origin-Resource-Policy") == "cross-origin");
  CHECK(got.header("Access-Control-Allow-Origin") == "*");
  CHECK(download(bob, path + "/other.txt").header("Content-Disposition") == "inline; filename=\"other.txt\"");
  CHECK(download(alice, upload(alice, "<p>", "text/html")).header("Content-Disposition") == "attachment");
  const Answer empty = download(alice, upload(alice, ""));
  CHECK(empty.status == 200);
  CHECK(empty.text.empty());
  CHECK(alice.request("POST", "/_matrix/media/r0/upload", "old").status == 200);
}

TEST_CASE("media are given to those with a token only, if not told otherwise") {
  SECTION("not") {
    HomeserverProcess server;
    const Api alice = Api(server.url()).register_user("alice");
    const std::string path = upload(alice, "x");
    const Api nobody(server.url());
    CHECK(download(nobody, path).errcode() == "M_MISSING_TOKEN");
    CHECK(try_upload(nobody, "x").errcode() == "M_MISSING_TOKEN");
    const Answer frozen = nobody.get(std::string(media_v3) + "/download/" + path);
    CHECK(frozen.status == 404);
    CHECK(frozen.errcode() == "M_NOT_FOUND");
  }
  SECTION("told otherwise") {
    HomeserverProcess server(with_media("unauthenticated_downloads = true\n"));
    const Api alice = Api(server.url()).register_user("alice");
    const std::string path = upload(alice, "x");
    CHECK(Api(server.url()).get(std::string(media_v3) + "/download/" + path + "/n.txt").text == "x");
    CHECK(Api(server.url()).get("/_matrix/media/r0/download/" + path).text == "x");
  }
}

TEST_CASE("a file may follow its URI, and who asked for it waits") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  const Json made = must(alice.post("/_matrix/media/v1/create"));
  CHECK(made.at("unused_expires_at").get<std::int64_t>() > 0);
  const std::string path = made.at("content_uri").get<std::string>().substr(6);
  const Answer early = download(bob, path + "?timeout_ms=0");
  CHECK(early.status == 504);
  CHECK(early.errcode() == "M_NOT_YET_UPLOADED");
  CHECK(download(bob, path + "?timeout_ms=30").errcode() == "M_NOT_YET_UPLOADED");
  CHECK(download(bob, path + "?timeout_ms=soon").status == 400);
  auto waiting = std::async(std::launch::async, [&] { return download(bob, path + "?timeout_ms=60000"); });
  CHECK(put(bob, path, "not mine").errcode() == "M_FORBIDDEN");
  CHECK(put(alice, path, "here it is").status == 200);
  CHECK(waiting.get().text == "here it is");
  const Answer again = put(alice, path, "another");
  CHECK(again.status == 409);
  CHECK(again.errcode() == "M_CANNOT_OVERWRITE_MEDIA");
  CHECK(download(bob, path).text == "here it is");
  CHECK(put(alice, "alpha.test/neverMade", "x").errcode() == "M_NOT_FOUND");
  CHECK(put(alice, "bravo.test/" + path.substr(path.find('/') + 1), "x").errcode() == "M_NOT_FOUND");
}

TEST_CASE("what is not there is not found, however it is asked for") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  for (const char* path : {"alpha.test/nothing", "alpha.test/..%2F..%2Fhomeserver.toml", "alpha.test/%2E%2E"}) {
    CHECK(download(alice, path).errcode() == "M_NOT_FOUND");
  }
  CHECK(download(alice, "no%20server/id").errcode() == "M_INVALID_PARAM");
}

TEST_CASE("uploads are bounded: one, those of a user, and those that are awaited") {
  HomeserverProcess server(with_media("max_mib = 1\nuser_mib = 2\n"));
  const Api alice = Api(server.url()).register_user("alice");
  const Api bob = Api(server.url()).register_user("bob");
  CHECK(must(alice.get(std::string(media_v1) + "/config")).at("m.upload.size") == 1'048'576);
  CHECK(must(alice.get(std::string(media_v3) + "/config")).at("m.upload.size") == 1'048'576);
  const Answer large = try_upload(alice, std::string(1'048'577, 'x'));
  CHECK(large.status == 413);
  CHECK(large.errcode() == "M_TOO_LARGE");
  const std::string path = create(alice);
  upload(alice, std::string(1'048'576, 'x'));
  upload(alice, std::string(1'048'576, 'x'));
  CHECK(try_upload(alice, "y").errcode() == "M_FORBIDDEN");
  CHECK(put(alice, path, "y").errcode() == "M_FORBIDDEN");
  upload(bob, "y");
  for (int i = 0; i < 100; ++i) must(bob.post("/_matrix/media/v1/create"));
  const Answer more = bob.post("/_matrix/media/v1/create");
  CHECK(more.status == 429);
  CHECK(more.errcode() == "M_LIMIT_EXCEEDED");
  CHECK(try_upload(alice, "x", "text/plain", std::string(1'025, 'n')).errcode() == "M_INVALID_PARAM");
}

TEST_CASE("uploads have a rate limit of their own") {
  HomeserverOptions options = with_media("max_mib = 1\n");
  options.rate_limits = true;
  options.tables += "[rate_limits.media]\nper_second = 0.01\nburst = 2\n";
  HomeserverProcess server(options);
  const Api alice = Api(server.url()).register_user("alice");
  upload(alice, "1");
  create(alice);
  CHECK(try_upload(alice, "3").errcode() == "M_LIMIT_EXCEEDED");
}

TEST_CASE("an acknowledged upload survives a kill") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string path = upload(alice, "precious");
  const std::string awaited = create(alice);
  server.kill();
  server.start();
  const Api again = Api(server.url(), alice.access_token());
  CHECK(download(again, path).text == "precious");
  CHECK(put(again, awaited, "late").status == 200);
  CHECK(download(again, awaited).text == "late");
}

TEST_CASE("a request that waits for a file ends with the server") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string path = create(alice);
  auto waiting = std::async(std::launch::async, [&] { return download(alice, path + "?timeout_ms=60000"); });
  CHECK(server.stop() == 0);
  CHECK(waiting.get().status != 200);
}

TEST_CASE("an image is given in the size asked for, or larger, never made larger than it is") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string bytes = picture(600, 300);
  const std::string path = upload(alice, bytes, "application/x-lie", "picture");
  const Answer small = thumbnail(alice, path, "width=100&height=100");
  REQUIRE(small.status == 200);
  CHECK(size_of(small) == "480x240");  // of a size that is kept, 320 by 240
  CHECK(small.header("Content-Type") == "image/jpeg");
  CHECK(small.header("Content-Disposition") == "inline; filename=\"thumbnail.jpeg\"");
  CHECK(thumbnail(alice, path, "width=320&height=240").text == small.text);
  CHECK(size_of(thumbnail(alice, path, "width=30&height=20&method=crop")) == "30x20");
  CHECK(size_of(thumbnail(alice, path, "width=90&height=90&method=crop&animated=true")) == "96x96");
  const Answer itself = thumbnail(alice, path, "width=640&height=480&method=scale");
  CHECK(itself.text == bytes);
  CHECK(itself.header("Content-Type") == "image/jpeg");
  const std::string clear = upload(alice, picture(64, 64, 100), "image/png");
  CHECK(thumbnail(alice, clear, "width=32&height=32&method=crop").header("Content-Type") == "image/png");
}

TEST_CASE("a thumbnail does not move, also of an animation that is small") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  std::ifstream file(SKERRY_SOURCE_DIR "/tests/fuzz/corpus/image/animation.webp", std::ios::binary);
  const std::string animation{std::istreambuf_iterator<char>(file), {}};
  const std::string path = upload(alice, animation, "image/webp");
  const Answer small = thumbnail(alice, path, "width=800&height=600&animated=false");
  CHECK(small.header("Content-Type") == "image/png");
  CHECK(size_of(small) == "100x80");
  CHECK(download(alice, path).text == animation);
}

TEST_CASE("thumbnails that cannot be are refused") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  const std::string path = upload(alice, picture(64, 64), "image/jpeg");
  for (const char* query : {"", "width=1", "width=0&height=1", "width=-1&height=1", "width=a&height=1",
                            "width=1&height=10001", "width=1&height=1&method=stretch"}) {
    INFO(query);
    CHECK(thumbnail(alice, path, query).status == 400);
  }
  const Answer text = thumbnail(alice, upload(alice, "no image", "image/png"), "width=32&height=32");
  CHECK(text.status == 400);
  CHECK(text.errcode() == "M_UNKNOWN");
  std::string huge = picture(64, 64);
  const auto frame = huge.find("\xFF\xC0");
  REQUIRE(frame != std::string::npos);
  huge.replace(frame + 5, 4, "\xFF\x00\xFF\x00", 4);
  const Answer large = thumbnail(alice, upload(alice, huge, "image/jpeg"), "width=32&height=32");
  CHECK(large.status == 413);
  CHECK(large.errcode() == "M_TOO_LARGE");
  CHECK(thumbnail(alice, "alpha.test/nothing", "width=32&height=32").errcode() == "M_NOT_FOUND");
  CHECK(thumbnail(Api(server.url()), path, "width=32&height=32").errcode() == "M_MISSING_TOKEN");
  const std::string deprecated = std::string(media_v3) + "/thumbnail/" + path + "?width=32&height=32";
  CHECK(Api(server.url()).get(deprecated).errcode() == "M_NOT_FOUND");
}

TEST_CASE("many thumbnails at once are all made") {
  HomeserverProcess server;
  const Api alice = Api(server.url()).register_user("alice");
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 12; ++i) {
    const std::string path = upload(alice, picture(200 + i, 100), "image/jpeg");
    answers.push_back(std::async(std::launch::async,
                                 [&alice, path] { return thumbnail(alice, path, "width=32&height=32&method=crop"); }));
  }
  for (auto& answer : answers) CHECK(size_of(answer.get()) == "32x32");
}
