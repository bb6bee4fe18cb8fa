// The X-Matrix Authorization header: the first line is the header's value, the second the target, the rest the body.
#include "federation/request_auth.h"

#include <nlohmann/json.hpp>

#include "tests/fuzz/fuzz.h"

using namespace skerry;
using namespace skerry::federation;
using skerry::test::must_hold;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* key = new SigningKey(SigningKey::from_seed(*KeyId::parse("ed25519:f"), std::string(32, 's')));
  static const auto* us = new ServerName(*ServerName::parse("us.test"));
  std::string_view text = test::text_of(data, size);
  const std::string_view header = test::take_line(text);
  const std::string_view target = test::take_line(text);
  const auto content = parse_untrusted(text, JsonNumbers::any);
  const Json* body = content ? &*content : nullptr;

  const auto auth = parse_request_auth(header);
  if (!auth) return 0;
  must_hold(!auth->origin.empty() && !auth->key.empty() && !auth->signature.empty(), "a header names who signed");
  must_hold(!verify_request_auth(*auth, "PUT", target, *us, body, key->public_key()), "nobody guesses a signature");

  const auto made = make_request_auth("PUT", target, auth->origin, *us, body, *key);
  if (!made) return 0;  // the body has no canonical form
  const auto again = parse_request_auth(*made);
  must_hold(again && again->origin == auth->origin && again->destination == *us && again->key == key->id(),
            "a header that was made can be read");
  must_hold(verify_request_auth(*again, "PUT", target, *us, body, key->public_key()), "what was signed verifies");
  must_hold(!verify_request_auth(*again, "GET", target, *us, body, key->public_key()), "the method is signed");
  must_hold(!verify_request_auth(*again, "PUT", target, auth->origin, body, key->public_key()) || auth->origin == *us,
            "the destination is signed");
  return 0;
}
