#include "core/json.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/limits.h"

namespace skerry {
namespace {

std::string canonical(std::string_view text) {
  const auto value = parse_untrusted(text, JsonNumbers::canonical);
  REQUIRE(value);
  return canonical_json(*value).value();
}

ErrorCode error_of(std::string_view text, JsonNumbers numbers = JsonNumbers::canonical) {
  const auto value = parse_untrusted(text, numbers);
  REQUIRE_FALSE(value);
  return value.error().code;
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST_CASE("canonical JSON examples of the appendices") {
  CHECK(canonical("{}") == "{}");
  CHECK(canonical(R"({"one": 1, "two": "Two"})") == R"({"one":1,"two":"Two"})");
  CHECK(canonical(R"({"b": "2", "a": "1"})") == R"({"a":"1","b":"2"})");
  CHECK(
      canonical(R"({"auth":{"success":true,"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe",
      "three_pids":[{"medium":"email","address":"john.doe@example.org"},{"medium":"msisdn","address":"123456789"}]}}})") ==
      R"({"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[)"
      R"({"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}})");
  CHECK(canonical(R"({"a": "日本語"})") == R"({"a":"日本語"})");
  CHECK(canonical(R"({"本": 2, "日": 1})") == R"({"日":1,"本":2})");
  CHECK(canonical(R"({"a": "\u65E5"})") == R"({"a":"日"})");
  CHECK(canonical(R"({"a": null})") == R"({"a":null})");
}

TEST_CASE("canonical JSON escapes only what it must") {
  CHECK(canonical(R"("\"\\\/\b\f\n\r\t\u0000\u0001\u000b\u001f\u007f\u00e4\ud83d\ude00")") ==
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u000b\\u001f\x7F\xC3\xA4\xF0\x9F\x98\x80\"");
}

TEST_CASE("canonical JSON orders keys by code point also beyond the basic plane") {
  CHECK(canonical(R"({"\ud83d\ude00":1,"\uffff":2,"a":3,"":4})") ==
        "{\"\":4,\"a\":3,\"\xEF\xBF\xBF\":2,\"\xF0\x9F\x98\x80\":1}");
}

TEST_CASE("numbers outside canonical JSON are refused where events come in") {
  for (const char* text : {"-0", "1.0", "0.0", "-0.0", "1e10", "1E2", "9007199254740992", "-9007199254740992",
                           "18446744073709551616", "-9223372036854775809", "123456789012345678901234567890"}) {
    INFO(text);
    CHECK(error_of(text) == ErrorCode::bad_json);
    CHECK(parse_untrusted(text, JsonNumbers::any));
  }
  CHECK(canonical("9007199254740991") == "9007199254740991");
  CHECK(canonical("-9007199254740991") == "-9007199254740991");
  CHECK(canonical("0") == "0");
}

TEST_CASE("a DOM with floats or large integers has no canonical text") {
  CHECK_FALSE(canonical_json(Json{{"a", 1.5}}));
  CHECK_FALSE(canonical_json(Json(std::uint64_t{1} << 53)));
  CHECK_FALSE(canonical_json(Json(-(std::int64_t{1} << 53))));
  CHECK_FALSE(canonical_json(Json("\xFF")));
  CHECK(canonical_json(Json{{"a", 1}}).value() == R"({"a":1})");
}

TEST_CASE("duplicate keys are refused at any depth") {
  CHECK(error_of(R"({"a":1,"a":1})") == ErrorCode::bad_json);
  CHECK(error_of(R"([{"b":{"a":1,"\u0061":2}}])", JsonNumbers::any) == ErrorCode::bad_json);
}

TEST_CASE("what is not JSON is refused") {
  for (const std::string& text : {std::string(),
                                  std::string(" "),
                                  std::string("{"),
                                  std::string("{\"a\":1}x"),
                                  std::string("{\"a\":1,}"),
                                  std::string("[1,]"),
                                  std::string("'a'"),
                                  std::string("01"),
                                  std::string("+1"),
                                  std::string("NaN"),
                                  std::string("nul"),
                                  std::string("\"\xFF\""),
                                  std::string("\"\xC0\x80\""),
                                  std::string("\"\xED\xA0\x80\""),
                                  std::string("\"\\ud800\""),
                                  std::string("\"\\udc00x\""),
                                  std::string("\"a\nb\""),
                                  std::string("{}\0", 3),
                                  std::string("{}\0{", 4),
                                  std::string("\"a\0\"", 4),
                                  std::string("\xEF\xBB\xBF{}"),
                                  std::string("// x\n{}"),
                                  std::string("{1:2}"),
                                  std::string("{} {}")}) {
    INFO(text);
    CHECK(error_of(text) == ErrorCode::not_json);
    CHECK(error_of(text, JsonNumbers::any) == ErrorCode::not_json);
  }
}

TEST_CASE("nesting is limited and depth 100000 does no harm") {
  CHECK(parse_untrusted(nested(limits::json_depth), JsonNumbers::any));
  CHECK(error_of(nested(limits::json_depth + 1)) == ErrorCode::not_json);
  CHECK(error_of(nested(100'000)) == ErrorCode::not_json);
  CHECK(error_of(std::string(100'000, '[')) == ErrorCode::not_json);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  CHECK(error_of(objects) == ErrorCode::not_json);
}

TEST_CASE("members are left out of canonical text without a copy") {
  const Json object{{"a", 1}, {"signatures", {{"a", 1}}}, {"b", {{"signatures", 2}}}, {"unsigned", 1.5}};
  CHECK(canonical_json_without(object, {"signatures", "unsigned"}).value() == R"({"a":1,"b":{"signatures":2}})");
  CHECK_FALSE(canonical_json_without(Json::array(), {}));
}

TEST_CASE("optional members are found by type") {
  const Json object{{"s", "x"}, {"o", Json::object()}, {"a", Json::array()}};
  CHECK(*find_string(object, "s") == "x");
  CHECK(find_string(object, "o") == nullptr);
  CHECK(find_object(object, "o") != nullptr);
  CHECK(find_array(object, "a") != nullptr);
  CHECK(find_array(object, "s") == nullptr);
  CHECK(find_member(object, "none") == nullptr);
  CHECK(find_member(Json(1), "s") == nullptr);
}

TEST_CASE("dump never throws") { CHECK(dump(Json("a\xFF")) == "\"a\xEF\xBF\xBD\""); }

}  // namespace
}  // namespace skerry
