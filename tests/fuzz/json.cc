// JSON from the network: what parses has one canonical text, which parses to the same value.
#include "core/json.h"

#include <nlohmann/json.hpp>

#include "tests/fuzz/fuzz.h"

using namespace skerry;
using skerry::test::must_hold;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = test::text_of(data, size);
  const auto any = parse_untrusted(text, JsonNumbers::any);
  if (any) {
    const auto again = parse_untrusted(dump(*any), JsonNumbers::any);
    must_hold(again && *again == *any, "what was dumped parses to the same value");
  }
  const auto canonical = parse_untrusted(text, JsonNumbers::canonical);
  if (!canonical) return 0;
  must_hold(any && *any == *canonical, "canonical numbers are numbers");
  const auto written = canonical_json(*canonical);
  must_hold(written.has_value(), "what parsed as canonical has a canonical text");
  const auto again = parse_untrusted(*written, JsonNumbers::canonical);
  must_hold(again && *again == *canonical, "the canonical text parses to the same value");
  must_hold(canonical_json(*again) == *written, "there is one canonical text");
  must_hold(parse_stored(*written).has_value(), "the canonical text can be stored");
  return 0;
}
