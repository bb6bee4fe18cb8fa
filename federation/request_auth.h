// The X-Matrix Authorization header. Server-server API, 'Request Authentication'. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/crypto.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"

namespace skerry::federation {

struct RequestAuth {
  ServerName origin;
  std::optional<ServerName> destination;  // absent from servers older than v1.3
  KeyId key;
  std::string signature;  // base64 as received
};

// Parses one header value. Errors: unauthorized.
Result<RequestAuth> parse_request_auth(std::string_view header_value);

// The header for a request of ours. `content` is absent for requests without a body. Errors: bad_json.
Result<std::string> make_request_auth(std::string_view method, std::string_view target, const ServerName& origin,
                                      const ServerName& destination, const Json* content, const SigningKey& key);

// True when the signature holds over (method, target, origin, destination = us, content).
bool verify_request_auth(const RequestAuth& auth, std::string_view method, std::string_view target,
                         const ServerName& us, const Json* content, const Ed25519PublicKey& key);

}  // namespace skerry::federation
