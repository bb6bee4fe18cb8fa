// The texts that media travel in: multipart/mixed, Content-Type, Content-Disposition.
#include <string_view>

#include <catch2/catch.hpp>

#include "core/limits.h"
#include "homeserver/media/content_headers.h"
#include "homeserver/media/multipart.h"
#include "homeserver/media/repository.h"

using namespace skerry;
using namespace skerry::homeserver;

namespace {

Result<std::vector<Part>> parts(std::string_view body, const std::string& type = "multipart/mixed; boundary=b") {
  return parse_multipart(type, body, 2);
}
bool is_refused(std::string_view body, const std::string& type = "multipart/mixed; boundary=b") {
  const auto parsed = parts(body, type);
  return !parsed && parsed.error().code == ErrorCode::remote_error;
}

}  // namespace

TEST_CASE("what is made for another server can be read by it, whatever the bytes") {
  const std::string bytes("\r\n--b\r\n\0--\r\n", 12);
  const MediaParts made = media_parts("boundary", {{"Content-Type", "image/png"}, {"X", "y"}});
  const std::string body = made.head + bytes + made.tail;
  const auto parsed = parse_multipart(made.content_type, body, 2);
  REQUIRE(parsed);
  REQUIRE(parsed->size() == 2);
  CHECK(parsed->front().body == "{}");
  CHECK(parsed->back().body == bytes);
  CHECK(net::find_header(parsed->back().headers, "content-type") == "image/png");
}

TEST_CASE("multipart bodies of other programs are read") {
  SECTION("a preamble, an epilogue, white space behind the boundary, quotes around it") {
    const auto parsed = parts("before\r\n--b \t\r\nA:1\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\nafter",
                              "Multipart/Mixed; charset=utf-8; Boundary=\"b\"");
    REQUIRE(parsed);
    REQUIRE(parsed->size() == 2);
    CHECK(parsed->front().headers == net::Headers{{"A", "1"}});
    CHECK(parsed->front().body == "one");
    CHECK(parsed->back().headers.empty());
    CHECK(parsed->back().body == "two");
  }
  SECTION("a part without a body, and one whose bytes look like a boundary") {
    const auto parsed = parts("--b\r\nLocation: https://a.test/x\r\n\r\n--b\r\n\r\nx\r\n--bb\r\n--b--");
    REQUIRE(parsed);
    REQUIRE(parsed->size() == 2);
    CHECK(net::find_header(parsed->front().headers, "Location") == "https://a.test/x");
    CHECK(parsed->front().body.empty());
    CHECK(parsed->back().body == "x\r\n--bb");
  }
}

TEST_CASE("malformed multipart bodies are refused") {
  CHECK(is_refused(""));
  CHECK(is_refused("--b\r\n\r\none"));
  CHECK(is_refused("--b\r\n\r\none\r\n--b\r\n"));
  CHECK(is_refused("--b\r\nno header\r\n\r\none\r\n--b--"));
  CHECK(is_refused("--b\r\n--b--"));
  CHECK(is_refused("--b\r\n\r\n1\r\n--b\r\n\r\n2\r\n--b\r\n\r\n3\r\n--b--"));
  CHECK(is_refused("--b\r\nA: " + std::string(limits::multipart_head_bytes, 'x') + "\r\n\r\none\r\n--b--"));
  CHECK(is_refused("--b\r\n\r\none\r\n--b--", "multipart/mixed"));
  CHECK(is_refused("--b\r\n\r\none\r\n--b--", "multipart/form-data; boundary=b"));
  CHECK(is_refused("--b\r\n\r\none\r\n--b--", "multipart/mixed; boundary=" + std::string(71, 'b')));
}

TEST_CASE("file names are read in either form") {
  CHECK(file_name_of("inline; filename=a.png") == "a.png");
  CHECK(file_name_of("attachment;filename=\"a \\\"b\\\".png\"; size=3") == "a \"b\".png");
  CHECK(file_name_of("inline; filename=plain; filename*=UTF-8''%E2%82%AC.txt") == "\xE2\x82\xAC.txt");
  CHECK(file_name_of("inline; filename*=utf-8''%ff; filename=ok") == "ok");
  CHECK(file_name_of("inline; filename*=latin1''x").empty());
  CHECK(file_name_of("inline; filename=\"a\x01\"").empty());
  CHECK(file_name_of("inline; filename=\"\xff\"").empty());
  CHECK(file_name_of("inline; filename=" + std::string(limits::media_file_name_bytes + 1, 'a')).empty());
  CHECK(file_name_of("inline; filename=\"unfinished").size() == 10);
  CHECK(file_name_of("").empty());
}

TEST_CASE("only types that do no harm are shown inline") {
  CHECK(content_disposition("image/png", "") == "inline");
  CHECK(content_disposition("Text/Plain; charset=utf-8", "a b.txt") == "inline; filename=\"a b.txt\"");
  CHECK(content_disposition("text/html", "x") == "attachment; filename=\"x\"");
  CHECK(content_disposition("image/svg+xml", "") == "attachment");
  CHECK(content_disposition("image/png", "\"\r\nX: \xC3\xA9") == "inline; filename*=utf-8''%22%0D%0AX%3A%20%C3%A9");
}

TEST_CASE("content types are kept as they are, or not at all") {
  CHECK(clean_content_type("text/plain; charset=utf-8") == "text/plain; charset=utf-8");
  CHECK(clean_content_type("") == "application/octet-stream");
  CHECK(clean_content_type("nonsense") == "application/octet-stream");
  CHECK(clean_content_type("text/plain\r\nX: y") == "application/octet-stream");
  CHECK(clean_content_type("a/" + std::string(limits::media_type_bytes, 'b')) == "application/octet-stream");
}

TEST_CASE("a media id has nothing of a path") {
  CHECK(is_media_id("aZ09_-"));
  CHECK_FALSE(is_media_id(""));
  CHECK_FALSE(is_media_id(".."));
  CHECK_FALSE(is_media_id("a/b"));
  CHECK_FALSE(is_media_id("a%2Fb"));
  CHECK_FALSE(is_media_id(std::string(256, 'a')));
}
