// The key that signs this server's events and requests, kept in a file as Synapse writes it: one line
// "ed25519 NAME SEED", the seed in unpadded base64.
#pragma once

#include <string>

#include "core/crypto.h"
#include "net/runtime.h"
#include "storage/federation_store.h"

namespace skerry::homeserver {

// Such a line for a new key.
std::string generate_signing_key_line(net::Random& random);

// Reads the file, or makes it with a new key, mode 0600, durable before this returns. Errors: storage (with the file's
// name).
Result<SigningKey> read_or_create_signing_key(const std::string& file, net::Random& random);

// A new key takes the file's place; the old one, whose seed is gone then, goes to the database, from where
// old_verify_keys publishes it. REQUIRES: no server runs on that database. Answers the new key's id. Errors: storage;
// the file is then unchanged.
Result<KeyId> rotate_signing_key(const std::string& file, const ServerName& us, storage::FederationStore& store,
                                 net::Clock& clock, net::Random& random);

}  // namespace skerry::homeserver
