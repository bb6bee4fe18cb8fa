// What a server says of its keys. Server-server API, 'Publishing keys'.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"
#include "storage/federation_store.h"

namespace skerry::federation {

struct ServerKeys {
  std::vector<storage::StoredServerKey> keys;  // old ones too; believed for a week at most, whatever they say
  std::int64_t valid_until_ms = 0;             // as the server says
};

// Reads an answer to GET /_matrix/key/v2/server, from its server or by way of a notary. It must prove itself: name the
// server that was asked for, and be signed by one of the keys that it lists as current. Pure. Errors: bad_json,
// bad_signature, with what is wrong in it.
Result<ServerKeys> parse_server_keys(const Json& answer_untrusted, const ServerName& server, std::int64_t now_ms);

}  // namespace skerry::federation
