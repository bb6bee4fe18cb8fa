// m.room.server_acl: the first line is a server's name, the rest the content.
#include <nlohmann/json.hpp>

#include "homeserver/rooms/reader.h"
#include "tests/fuzz/fuzz.h"

using namespace skerry;
using skerry::test::must_hold;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text = test::text_of(data, size);
  const auto server = ServerName::parse(test::take_line(text));
  const auto content = parse_untrusted(text, JsonNumbers::canonical);
  if (!server || !content) return 0;
  const bool allowed = homeserver::server_acl_allows(*content, *server);
  must_hold(!allowed || find_array(*content, "allow") != nullptr, "nobody is allowed without being named");
  return 0;
}
