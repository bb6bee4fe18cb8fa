#include "homeserver/sync/tokens.h"

#include <catch2/catch.hpp>

using namespace skerry::homeserver;

TEST_CASE("a stream token is written in one way and read in no other") {
  for (const skerry::storage::StreamPosition position : {std::int64_t{0}, std::int64_t{17}, INT64_MAX}) {
    CHECK(parse_stream_token(stream_token(position)) == position);
  }
  for (const char* token : {"", "s", "17", "s017", "s-0", "s-1", "s 1", "s1 ", "s+1", "t1", "s9223372036854775808"}) {
    CAPTURE(token);
    CHECK_FALSE(parse_stream_token(token));
  }
}
