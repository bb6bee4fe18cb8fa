// The key that signs this server's events and requests, kept in a file as Synapse writes it: one line
// "ed25519 NAME SEED", the seed in unpadded base64.
#pragma once

#include <string>

#include "core/crypto.h"
#include "net/runtime.h"

namespace skerry::homeserver {

// Such a line for a new key.
std::string generate_signing_key_line(net::Random& random);

// Reads the file, or makes it with a new key, mode 0600, durable before this returns. Errors: storage (with the file's
// name).
Result<SigningKey> read_or_create_signing_key(const std::string& file, net::Random& random);

}  // namespace skerry::homeserver
