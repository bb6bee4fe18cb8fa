// What a program is told of the sandbox it runs on, in its environment. README.md of this folder's parent lists all of
// it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "sandbox/world/layout.h"
#include "sandbox/world/status.h"

namespace skerry::sandbox {

using Variables = std::map<std::string, std::string>;

struct Account {
  UserId user;
  std::string access_token;
  std::string device_id;
  std::string password;
};

struct CommonRoom {
  std::string id;
  std::string alias;
};

// With what each user's variables begin: SKERRY_ALICE_ALPHA for @alice:alpha.test, and SKERRY_ALICE where no other user
// and no server could be meant. What is no letter or digit becomes an underscore. A list per user, in their order.
// Errors: invalid_param when a user is there twice, or could not be told from another.
Result<std::vector<std::vector<std::string>>> user_prefixes(const std::vector<std::string>& servers,
                                                            const std::vector<UserId>& users);

// The servers, the users and, where it has an id, the room. REQUIRES: user_prefixes() of these users is no error.
Variables sandbox_variables(const SandboxStatus& status, const Folder& folder, const std::vector<Account>& accounts,
                            const CommonRoom& room);

// Writes the folder's bundle: the authority, and what programs here trust anyway (the system's certificates, and files
// that the environment names by one of the variables below). The variables by which OpenSSL, Python, curl and Node find
// it, and those that keep a proxy away from the sandbox. Errors: storage.
Result<Variables> trust_variables(const SandboxStatus& status, const Folder& folder);

}  // namespace skerry::sandbox
